//! What it costs to have the space of flushed sessions back.
//!
//! Half of the data are flushed; they lie among the other half, written in
//! turns, so that what lives has to be copied out of the files that it shares
//! with what is dead. Nobody asks for anything: the background does what it
//! does by itself, and the measurement waits until nothing changes any more.
//! Small sessions are flushed by the thousands, so that what is done for each
//! adds up to something. A process of its own does it all: the system counts
//! what a process takes.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::bare_sled::BareSled;
use crate::directory::Taken;
use crate::machine::processor_time;
use crate::ours::Ours;
use crate::report::{Report, Target};
use crate::store::{KEY, Store, VALUE};
use crate::table::{some_keys, thousands};
use crate::workplace::Workplace;
use crate::{Outcome, child, mebibytes, plan};

/// Tells the child what it is for.
pub(crate) const RECLAIM: &str = "--reclaim-what-was-flushed";
/// Of all sessions that are flushed together.
const AT_LEAST_KEYS: usize = 100_000;
/// Written in turns.
const AT_ONCE: usize = 100;
/// How often the space is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Who has changed nothing for so long has come to rest: within four seconds
/// after the last write the background begins all that it does.
const STILL: Duration = Duration::from_millis(5500);
const PATIENCE: Duration = Duration::from_secs(300);
/// Of the bytes that users gave, so many percent are to come back.
const PERCENT: u64 = 90;
/// What a disk writes for a call at least.
const BLOCK: u64 = 4096;

/// What a process took so far.
#[derive(Debug, Clone, Copy)]
struct Cost {
    processor: Duration,
    written: u64,
}

impl Cost {
    fn so_far() -> Outcome<Self> {
        let counts = fs::read_to_string("/proc/self/io")?;
        let count = |name: &str| -> Outcome<u64> {
            let mut lines = counts.lines();
            let count = lines.find_map(|line| line.strip_prefix(name));
            Ok(count.ok_or("the system does not count")?.trim().parse()?)
        };
        Ok(Self {
            processor: processor_time()?,
            written: count("wchar:")? + count("syscw:")? * BLOCK,
        })
    }

    /// Processor seconds and MiB since an earlier moment.
    fn since(self, earlier: Self) -> [f64; 2] {
        let processor = self.processor.saturating_sub(earlier.processor);
        let written = self.written.saturating_sub(earlier.written);
        [processor.as_secs_f64(), mebibytes(written)]
    }
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for keys in [1, 1000, plan::largest(workplace.length)] {
        measure_store::<Ours>(workplace, report, keys)?;
        measure_store::<BareSled>(workplace, report, keys)?;
    }
    Ok(())
}

fn measure_store<S: Store>(workplace: &Workplace, report: &mut Report, keys: usize) -> Outcome<()> {
    let count = thousands(sessions(keys));
    let what = format!("reclaim {count} x {}, {}", some_keys(keys), S::NAME);
    let [seconds, processor, written, back] = [
        format!("{what}: space back after"),
        format!("{what}: processor time"),
        format!("{what}: written"),
        format!("{what}: space that came back"),
    ];
    let names = [&seconds, &processor, &written, &back];
    if !report.wants_any(names.into_iter().map(String::as_str)) {
        return Ok(());
    }
    let place = workplace.place("reclaim");
    let words = [RECLAIM, S::NAME, &keys.to_string()];
    let figures = child::figures(&words, &place, &[])?;
    let [
        in_time,
        in_calls,
        calls_written,
        later,
        later_written,
        percent,
    ] = figures[..]
    else {
        return Err("other figures came than were asked for".into());
    };
    let note = format!("the calls themselves: {in_calls:.2} s");
    report.add(processor, later, "s", Target::None, note);
    let note = format!("the calls themselves: {calls_written:.1} MiB");
    report.add(written, later_written, "MiB", Target::None, note);
    let note = format!("{PERCENT} % of the keys and values that were flushed");
    report.add(seconds, in_time, "s", Target::None, note);
    let note = "of those keys and values, in the end";
    report.add(back, percent, "percent", Target::None, note);
    Ok(())
}

fn sessions(keys: usize) -> usize {
    (AT_LEAST_KEYS / keys).max(1)
}

/// What that process does.
pub(crate) fn tell_cost(store: &str, keys: usize, place: &Path) -> Outcome<ExitCode> {
    if store == Ours::NAME {
        tell::<Ours>(keys, place)?;
    } else {
        tell::<BareSled>(keys, place)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell<S: Store>(keys: usize, place: &Path) -> Outcome<()> {
    let store = S::open(place)?;
    let ids = load(&store, keys)?;
    store.checkpoint()?;
    rest(&store, place, |_| false)?;
    let full = Taken::of(place)?.bare();
    let start = Cost::so_far()?;
    for id in &ids {
        store.let_go(id)?;
    }
    store.commit()?;
    let called = Cost::so_far()?;
    let raw = (ids.len() * keys * (KEY + VALUE)) as u64;
    let is_back = |bytes: u64| full.saturating_sub(bytes) >= raw / 100 * PERCENT;
    // sled keeps the space of its file, and uses it again.
    let seconds = rest(&store, place, is_back)?.unwrap_or(f64::INFINITY);
    let [processor, written] = called.since(start);
    let [later, later_written] = Cost::so_far()?.since(called);
    let back = full.saturating_sub(Taken::of(place)?.bare());
    let percent = 100.0 * mebibytes(back) / mebibytes(raw);
    println!("{seconds} {processor} {written} {later} {later_written} {percent}");
    store.close()
}

/// Makes what is going to be flushed, and returns its IDs, and as much that
/// stays.
fn load<S: Store>(store: &S, keys: usize) -> Outcome<Vec<S::Id>> {
    let mut ids = Vec::new();
    for _ in 0..sessions(keys) {
        let first = 0..keys.min(AT_ONCE);
        let id = store.create(first.clone())?;
        let stays = store.create(first)?;
        for from in (AT_ONCE..keys).step_by(AT_ONCE) {
            let more = from..keys.min(from + AT_ONCE);
            store.add(&id, more.clone())?;
            store.add(&stays, more)?;
        }
        ids.push(id);
    }
    Ok(ids)
}

/// Waits until nothing changes any more; after how many seconds the files had
/// so few bytes as is enough.
fn rest(store: &impl Store, place: &Path, is_enough: impl Fn(u64) -> bool) -> Outcome<Option<f64>> {
    let start = Instant::now();
    let mut seen = Taken::of(place)?.bare();
    // To ask whether it is behind costs time that would be counted, so that it
    // is asked seldom.
    let mut quiet_since = Duration::ZERO;
    let mut reached = None;
    loop {
        let now = start.elapsed();
        let sight = Taken::of(place)?.bare();
        if sight != seen {
            seen = sight;
            quiet_since = now;
        }
        if reached.is_none() && is_enough(seen) {
            reached = Some(now.as_secs_f64());
        }
        if now.saturating_sub(quiet_since) >= STILL {
            if !store.is_behind() {
                return Ok(reached);
            }
            quiet_since = now;
        }
        if now >= PATIENCE {
            return Err("the background does not come to rest".into());
        }
        thread::sleep(LOOK_EVERY);
    }
}
