//! Many durable writers against one: how far they share a sync.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use sessiondb::{Database, Durability, Session};

use crate::Outcome;
use crate::durable::small_value;
use crate::executor::keep_in_flight;
use crate::machine::processor_time;
use crate::report::{Report, Target};
use crate::samples::{Rounds, micros};
use crate::workplace::Workplace;

const WRITERS: usize = 64;
const EXECUTORS: usize = 2;
const IN_FLIGHT: usize = 1000;

const NAMES: [&str; 5] = [
    "group commit: 64 writers / 1 writer",
    "group commit: 1,000 in flight / 1 writer",
    "group commit: 1 writer",
    "group commit: 64 writers",
    "group commit: 1,000 in flight",
];

/// Rates of one kind, and the time that all cores together took per write.
#[derive(Default)]
struct Rates {
    writes: Rounds,
    processor: Rounds,
}

impl Rates {
    /// Runs a phase, which returns how many writes it made.
    fn phase(&mut self, work: impl FnOnce() -> Outcome<u64>) -> Outcome<f64> {
        let (start, before) = (Instant::now(), processor_time()?);
        let written = f64::from(u32::try_from(work()?)?);
        let taken = processor_time()?.saturating_sub(before);
        let rate = written / start.elapsed().as_secs_f64();
        self.writes.0.push(rate);
        self.processor.0.push(micros(taken) / written);
        Ok(rate)
    }
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    let length = workplace.length;
    let phase = Duration::from_millis(length.choose(300, 1000, 2000));
    let database = Database::open(workplace.place("group"))?;
    let sessions = sessions(&database)?;
    let mut one = Rates::default();
    let mut many = Rates::default();
    let mut flying = Rates::default();
    let mut many_ratios = Rounds::default();
    let mut flying_ratios = Rounds::default();
    // One writer's rate is taken before and after each of the others.
    let mut before = one.phase(|| writers(&sessions, 1, phase))?;
    for _ in 0..length.choose(3, 5, 9) {
        let rate = many.phase(|| writers(&sessions, WRITERS, phase))?;
        let between = one.phase(|| writers(&sessions, 1, phase))?;
        many_ratios.0.push(rate / f64::midpoint(before, between));
        let rate = flying.phase(|| futures(&database, &sessions, phase))?;
        let after = one.phase(|| writers(&sessions, 1, phase))?;
        flying_ratios.0.push(rate / f64::midpoint(between, after));
        before = after;
    }
    drop(sessions);
    database.close()?;
    let [many_ratio, flying_ratio, one_rate, many_rate, flying_rate] = NAMES;
    let spread = many_ratios.spread();
    let target = Target::AtLeast(12.0);
    report.add(many_ratio, many_ratios.median(), "times", target, spread);
    let spread = flying_ratios.spread();
    let target = Target::AtLeast(40.0);
    report.add(
        flying_ratio,
        flying_ratios.median(),
        "times",
        target,
        spread,
    );
    for (name, rates) in [(one_rate, one), (many_rate, many), (flying_rate, flying)] {
        let note = format!("{:.2} us of processor time each", rates.processor.median());
        let rate = rates.writes.median();
        report.add(name, rate, "writes/s", Target::None, note);
    }
    Ok(())
}

fn sessions(database: &Database) -> Outcome<Vec<Session>> {
    let sessions = (0..WRITERS).map(|_| {
        let session = database.create_session();
        session.set("user", "ada")?;
        Ok(session)
    });
    sessions.collect()
}

/// Durable writes of so many threads, each with a session.
fn writers(sessions: &[Session], count: usize, phase: Duration) -> Outcome<u64> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = sessions
            .iter()
            .take(count)
            .map(|session| scope.spawn(|| write(session, &over)))
            .collect();
        thread::sleep(phase);
        over.store(true, Ordering::Relaxed);
        let written = writers.into_iter().map(ScopedJoinHandle::join);
        written
            .map(|written| written.map_err(|_| "a writer panicked")?)
            .sum()
    })
}

fn write(session: &Session, over: &AtomicBool) -> Outcome<u64> {
    let value = small_value();
    let mut written = 0;
    while !over.load(Ordering::Relaxed) {
        session.set("page", &value)?;
        written += 1;
    }
    Ok(written)
}

/// Writes that two threads see on disk, with many in flight.
fn futures(database: &Database, sessions: &[Session], phase: Duration) -> Outcome<u64> {
    let quick = database.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(100),
    });
    let sessions = sessions.iter().map(|session| {
        let handle = quick.open_session(&session.id())?;
        handle.ok_or_else(|| "a session is missing".into())
    });
    let sessions = sessions.collect::<Outcome<Vec<Session>>>()?;
    let end = Instant::now() + phase;
    thread::scope(|scope| {
        let halves = sessions.chunks(sessions.len().div_ceil(EXECUTORS));
        let executors: Vec<_> = halves
            .map(|sessions| scope.spawn(move || fly(sessions, end)))
            .collect();
        let finished = executors.into_iter().map(ScopedJoinHandle::join);
        finished
            .map(|finished| finished.map_err(|_| "an executor panicked")?)
            .sum()
    })
}

fn fly(sessions: &[Session], end: Instant) -> Outcome<u64> {
    let value = small_value();
    keep_in_flight(IN_FLIGHT / EXECUTORS, |slot| {
        if Instant::now() >= end {
            return Ok(None);
        }
        let session = sessions.get(slot % sessions.len());
        let session = session.ok_or("there is no session")?;
        session.set("page", &value)?;
        Ok(Some(session.committed()))
    })
}
