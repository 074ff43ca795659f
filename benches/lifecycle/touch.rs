//! A throttled `touch` against a hot `get`: what every request pays.
//!
//! The two take turns, a thousand calls each, on one session, with the
//! system's clock.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sessiondb::{Database, Session};

use crate::report::{Report, Target};
use crate::samples::{Rounds, Samples};
use crate::workplace::Workplace;
use crate::{Outcome, small_value};

/// Calls that are timed as one: a single one is too short. So many, that
/// microseconds for all of them are nanoseconds for each.
const CALLS: usize = 1000;
const KEYS: [&str; 3] = ["cart", "page", "user"];

/// Where the session lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Memtable,
    Checkpointed,
}

impl Place {
    fn names(self) -> [String; 3] {
        let place = match self {
            Self::Memtable => "memtable",
            Self::Checkpointed => "checkpointed",
        };
        [
            format!("touch {place}: throttled touch / hot get"),
            format!("touch {place}: throttled touch"),
            format!("touch {place}: hot get"),
        ]
    }
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for place in [Place::Memtable, Place::Checkpointed] {
        let names = place.names();
        if report.wants_any(names.iter().map(String::as_str)) {
            measure_one(workplace, report, place, names)?;
        }
    }
    Ok(())
}

fn measure_one(
    workplace: &Workplace,
    report: &mut Report,
    place: Place,
    names: [String; 3],
) -> Outcome<()> {
    let database = Database::builder()
        // What is in the memtable is to stay there.
        .idle_checkpoint_after(Duration::from_secs(86_400))
        .open(workplace.place(&format!("touch-{place:?}")))?;
    let session = database.create_session();
    session.transaction(|tx| {
        let mut keys = KEYS.iter();
        keys.try_for_each(|key| tx.set(key, &small_value()))
    })?;
    if place == Place::Checkpointed {
        database.checkpoint()?;
    }
    let in_memtable = database.stats().memtable_bytes > 0;
    if in_memtable != (place == Place::Memtable) {
        return Err(format!("the session is not {place:?}").into());
    }
    let written = database.stats().journal_live_bytes;
    let mut ratios = Rounds::default();
    let mut touches = Rounds::default();
    let mut gets = Rounds::default();
    for _ in 0..workplace.length.choose(3, 9, 15) {
        let (touch, get) = round(&session, workplace.length.choose(50, 200, 200))?;
        ratios.0.push(touch / get);
        touches.0.push(touch);
        gets.0.push(get);
    }
    if database.stats().journal_live_bytes != written {
        return Err("a touch was not throttled".into());
    }
    drop(session);
    database.close()?;
    let [ratio, touch, get] = names;
    let (limit, spread) = (Target::AtMost(2.0), ratios.spread());
    report.add(ratio, ratios.median(), "times", limit, spread);
    report.add(touch, touches.median(), "ns", Target::None, "");
    report.add(get, gets.median(), "ns", Target::None, "");
    Ok(())
}

/// The nanoseconds of a touch, and of a get.
fn round(session: &Session, turns: usize) -> Outcome<(f64, f64)> {
    let mut touches = Samples::default();
    let mut gets = Samples::default();
    for turn in 0..turns {
        if turn % 2 == 0 {
            touches.push(touch(session)?);
        }
        gets.push(get(session)?);
        if turn % 2 == 1 {
            touches.push(touch(session)?);
        }
    }
    Ok((touches.p50(), gets.p50()))
}

fn touch(session: &Session) -> Outcome<Duration> {
    let start = Instant::now();
    for _ in 0..CALLS {
        black_box(session).touch()?;
    }
    Ok(start.elapsed())
}

fn get(session: &Session) -> Outcome<Duration> {
    let start = Instant::now();
    for _ in 0..CALLS {
        let found: Option<String> = black_box(session).get(black_box("user"))?;
        black_box(found).ok_or("the key is missing")?;
    }
    Ok(start.elapsed())
}
