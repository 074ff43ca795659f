//! The space of a large session, back after its flush: a tenth of all data,
//! in files of its own and in files that it shares with all others.
//!
//! A file of which one tenth is garbage is the hard case: all the rest of it
//! has to be copied for that.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sessiondb::{Database, Session};

use crate::directory::Taken;
use crate::patience::rest;
use crate::population::{PAIR, Population, deferred, fill};
use crate::report::{Report, Target};
use crate::workplace::Workplace;
use crate::{Outcome, mebibytes};

/// Keys of each of the others, and of a write to the large one.
const KEYS: usize = 100;
/// All data are so many times the large session.
const TIMES: usize = 10;
const WITHIN: f64 = 30.0;
/// Keys of the large session. One of a quick run is not held against the
/// target: the index's own file, which grows in steps of 4 MiB, outweighs it.
const LARGE: usize = 1_000_000;
/// Until nothing more is awaited.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the bytes that its user gave, so many percent are to come back: some of
/// what is copied fills its files anew.
const PERCENT: u64 = 90;

#[derive(Debug, Clone, Copy)]
enum Place {
    Apart,
    Among,
}

impl Place {
    fn names(self) -> [String; 2] {
        let place = match self {
            Self::Apart => "in files of its own",
            Self::Among => "among others",
        };
        [
            format!("large session, {place}: space back after"),
            format!("large session, {place}: space back in the end"),
        ]
    }
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for place in [Place::Apart, Place::Among] {
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
    kind: Place,
    names: [String; 2],
) -> Outcome<()> {
    let keys = workplace.length.choose(LARGE / 10, LARGE, LARGE);
    let place = workplace.place("large");
    let database = Database::open(&place)?;
    let start = Instant::now();
    let mut large = match kind {
        Place::Apart => load_apart(&database, keys)?,
        Place::Among => load_among(&database, keys)?,
    };
    let loading = start.elapsed().as_secs_f64();
    database.checkpoint()?;
    let before = Taken::of(&place)?;
    large.flush()?;
    database.commit()?;
    add(report, names, &database, &place, keys, (before, loading))?;
    database.close()?;
    drop((large, database));
    fs::remove_dir_all(&place)?;
    Ok(())
}

fn add(
    report: &mut Report,
    names: [String; 2],
    database: &Database,
    place: &Path,
    keys: usize,
    (before, loading): (Taken, f64),
) -> Outcome<()> {
    let raw = keys as u64 * PAIR;
    let back = |taken: Taken| {
        let before = before.bare();
        before.saturating_sub(taken.bare())
    };
    let is_enough = |taken| back(taken) >= raw / 100 * PERCENT;
    let after = rest(database, place, PATIENCE, is_enough)?;
    let [seconds, end] = names;
    // Nobody has seen it come back in all that time.
    let value = after.reached.unwrap_or(f64::INFINITY);
    let note = format!("of {PERCENT} % of its bytes; loaded in {loading:.1} s");
    let target = match keys {
        LARGE => Target::AtMost(WITHIN),
        _ => Target::None,
    };
    report.add(seconds, value, "s", target, note);
    let share = 100.0 * mebibytes(back(after.taken)) / mebibytes(raw);
    let note = format!("before {before}; after {}", after.note());
    report.add(end, share, "percent", Target::None, note);
    Ok(())
}

fn load_apart(database: &Database, keys: usize) -> Outcome<Session> {
    Population::load(database, keys / KEYS * (TIMES - 1), KEYS)?;
    let database = deferred(database);
    let mut random = Rng::with_seed(1);
    let session = database.create_session();
    for from in (0..keys).step_by(KEYS) {
        fill(&session, from..from + KEYS, &mut random)?;
    }
    database.commit()?;
    Ok(session)
}

fn load_among(database: &Database, keys: usize) -> Outcome<Session> {
    let database = deferred(database);
    let mut random = Rng::with_seed(1);
    let session = database.create_session();
    for from in (0..keys).step_by(KEYS) {
        fill(&session, from..from + KEYS, &mut random)?;
        for _ in 1..TIMES {
            fill(&database.create_session(), 0..KEYS, &mut random)?;
        }
    }
    database.commit()?;
    Ok(session)
}
