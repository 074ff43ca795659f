//! New sessions, as many as the background keeps up with, and the longest
//! that a single write stalls meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Database, Durability};

use crate::Outcome;
use crate::arguments::Length;
use crate::durable::small_value;
use crate::floor::Floor;
use crate::report::{Report, Target};
use crate::samples::{Histogram, micros};
use crate::workplace::Workplace;

const THREADS: usize = 4;
const KEYS: [&str; 3] = ["user", "cart", "page"];
/// How often the machine's own sync is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const FLOOR_BYTES: usize = 256;

const NAMES: [&str; 6] = [
    "new sessions: longest stall",
    "new sessions: p99.9",
    "new sessions: rate",
    "new sessions: checkpoints",
    "new sessions: journal at the end",
    "new sessions: the machine's own longest sync",
];

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    let period = Duration::from_secs(workplace.length.choose(5, 30, 30));
    let place = workplace.place("sustained");
    let database = Database::open(&place)?;
    let mut floor = Floor::new(&place.with_extension("floor"), FLOOR_BYTES)?;
    let over = AtomicBool::new(false);
    let (stalls, syncs) = thread::scope(|scope| -> Outcome<_> {
        let writers: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| create(&database, &over)))
            .collect();
        let looker = scope.spawn(|| look(&mut floor, &over));
        thread::sleep(period);
        over.store(true, Ordering::Relaxed);
        let mut stalls = Histogram::default();
        for writer in writers {
            stalls.append(&writer.join().map_err(|_| "a writer panicked")??);
        }
        let syncs = looker.join().map_err(|_| "the looker panicked")??;
        Ok((stalls, syncs))
    })?;
    let stats = database.stats();
    database.close()?;
    drop(database);
    std::fs::remove_dir_all(&place)?;

    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let [longest, p999, rate, checkpoints, journal, sync] = NAMES;
    let target = Target::AtMost(100.0);
    let note = match workplace.length {
        Length::Quick => "of 5 s only",
        Length::Usual | Length::Full => "of 30 s",
    };
    report.add(longest, millis(stalls.longest), "ms", target, note);
    let high = micros(stalls.per_myriad(9990));
    report.add(
        p999,
        high,
        "us",
        Target::None,
        format!("{} writes", stalls.count),
    );
    let sessions = u32::try_from(stalls.count)? / u32::try_from(KEYS.len())?;
    let sessions = f64::from(sessions) / period.as_secs_f64();
    report.add(rate, sessions, "sessions/s", Target::None, "");
    let batches = f64::from(u32::try_from(stats.batches)?);
    report.add(checkpoints, batches, "", Target::None, "");
    let live = f64::from(u32::try_from(stats.journal_live_bytes >> 10)?) / 1024.0;
    report.add(journal, live, "MiB", Target::None, "");
    let note = format!("p99.9 {:.2} ms", millis(syncs.per_myriad(9990)));
    report.add(sync, millis(syncs.longest), "ms", Target::None, note);
    Ok(())
}

/// Makes sessions until it is over; returns how long each write took.
fn create(database: &Database, over: &AtomicBool) -> Outcome<Histogram> {
    let database = database.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(100),
    });
    let value = small_value();
    let mut taken = Histogram::default();
    while !over.load(Ordering::Relaxed) {
        let session = database.create_session();
        for key in KEYS {
            let start = Instant::now();
            session.set(key, &value)?;
            taken.push(start.elapsed());
        }
    }
    Ok(taken)
}

/// Measures now and then how long a bare write and sync take beside it all.
fn look(floor: &mut Floor, over: &AtomicBool) -> Outcome<Histogram> {
    let mut taken = Histogram::default();
    while !over.load(Ordering::Relaxed) {
        taken.push(floor.write()?);
        thread::sleep(LOOK_EVERY);
    }
    Ok(taken)
}
