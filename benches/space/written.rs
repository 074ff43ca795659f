//! Bytes that go to disk for each byte that a user gives.
//!
//! The system counts what a process writes, so each workload has a process of
//! its own. Of what it counts, the calls and their bytes are taken, and for
//! each call one block more, since a disk writes whole blocks: that is what a
//! write at any place takes on average, if it is synced before the next. The
//! count of blocks that the system has, too, is of no use: where it caches
//! files in large pieces, it counts the piece for each byte. What is counted
//! begins when what was loaded is checkpointed, and ends when all that the
//! workload left is done, compaction included.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use sessiondb::{Database, SessionId};

use crate::patience::rest;
use crate::population::{PAIR, Population, fill, key, value};
use crate::report::{Report, Target};
use crate::workplace::Workplace;
use crate::{Outcome, mebibytes};

/// Tells the process that writes what it is for.
pub(crate) const WRITE: &str = "--write-and-count";

const PATIENCE: Duration = Duration::from_secs(120);
/// What a disk writes for a call at least.
const BLOCK: u64 = 4096;

/// Who writes what, where.
struct Workload {
    name: &'static str,
    sessions: usize,
    keys: usize,
    writers: usize,
    /// Keys next to each other that a write sets.
    run: usize,
    /// User data, in a quick run and otherwise.
    mebibytes: [u64; 2],
    target: Target,
}

const WORKLOADS: [Workload; 4] = [
    Workload {
        name: "web requests, 64 at once",
        sessions: 10_000,
        keys: 8,
        writers: 64,
        run: 1,
        mebibytes: [16, 256],
        target: Target::AtMost(8.0),
    },
    Workload {
        name: "session-local bulk",
        sessions: 100,
        keys: 10_000,
        writers: 4,
        run: 1000,
        mebibytes: [128, 512],
        target: Target::AtMost(4.0),
    },
    Workload {
        name: "uniform random keys",
        sessions: 10,
        keys: 100_000,
        writers: 64,
        run: 1,
        mebibytes: [8, 64],
        target: Target::None,
    },
    // Each sync writes a block, whatever is in it.
    Workload {
        name: ONE_BY_ONE,
        sessions: 10_000,
        keys: 8,
        writers: 1,
        run: 1,
        mebibytes: [1, 1],
        target: Target::None,
    },
];

const ONE_BY_ONE: &str = "web requests, one by one";

impl Workload {
    fn row(&self) -> String {
        format!("written: {}", self.name)
    }
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for workload in &WORKLOADS {
        let name = workload.row();
        if report.wants(&name) {
            let [quick, usual] = workload.mebibytes;
            let mebibytes = workplace.length.choose(quick, usual, usual);
            let (times, note) = count_elsewhere(workplace, workload, mebibytes)?;
            assert_syncs_show(workload, times)?;
            report.add(name, times, "times", workload.target, note);
        }
    }
    Ok(())
}

/// Where every small write has a sync of its own it costs a block at least,
/// or the figures mean nothing.
fn assert_syncs_show(workload: &Workload, times: f64) -> Outcome<()> {
    let least = f64::from(u32::try_from(BLOCK / PAIR)?);
    if workload.name == ONE_BY_ONE && times < least {
        return Err(format!("{times:.1} bytes for each are too few to be true").into());
    }
    Ok(())
}

/// Has a process of its own write; returns its figure and what it says of it.
fn count_elsewhere(
    workplace: &Workplace,
    workload: &Workload,
    mebibytes: u64,
) -> Outcome<(f64, String)> {
    let place = workplace.place("written");
    let child = Command::new(std::env::current_exe()?)
        .arg(WRITE)
        .arg(workload.name)
        .arg(&place)
        .arg(mebibytes.to_string())
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("{} failed", workload.name).into());
    }
    fs::remove_dir_all(&place)?;
    let output = String::from_utf8(child.stdout)?;
    let (times, note) = output.trim_end().split_once(' ').ok_or("no figure came")?;
    Ok((times.parse()?, note.into()))
}

/// What that process does.
pub(crate) fn tell_written(name: &str, place: &Path, wanted: &str) -> Outcome<ExitCode> {
    let mut workloads = WORKLOADS.iter();
    let workload = workloads
        .find(|workload| workload.name == name)
        .ok_or("no such workload")?;
    let database = Database::open(place)?;
    let population = Population::load(&database, workload.sessions, workload.keys)?;
    database.checkpoint()?;
    let before = written()?;
    let given = workload.write(&database, &population.ids, wanted.parse::<u64>()? << 20)?;
    let done = written()?;
    let left = rest(&database, place, PATIENCE, |_| false)?;
    let after = written()?;
    let raw = mebibytes(given);
    println!(
        "{:.3} {:.0} MiB for {raw:.0} MiB, {:.0} of them afterwards; {}",
        mebibytes(after - before) / raw,
        mebibytes(after - before),
        mebibytes(after - done),
        left.note(),
    );
    database.close()?;
    Ok(ExitCode::SUCCESS)
}

impl Workload {
    /// Writes so many bytes at least; returns how many.
    fn write(&self, database: &Database, ids: &[SessionId], bytes: u64) -> Outcome<u64> {
        let given = AtomicU64::new(0);
        thread::scope(|scope| -> Outcome<()> {
            let threads: Vec<_> = (0..self.writers)
                .map(|seed| {
                    let given = &given;
                    scope.spawn(move || -> Outcome<()> {
                        let mut random = Rng::with_seed(seed as u64);
                        while given.fetch_add(self.run as u64 * PAIR, Ordering::Relaxed) < bytes {
                            self.request(database, ids, &mut random)?;
                        }
                        given.fetch_sub(self.run as u64 * PAIR, Ordering::Relaxed);
                        Ok(())
                    })
                })
                .collect();
            for thread in threads {
                thread.join().map_err(|_| "a writer panicked")??;
            }
            Ok(())
        })?;
        Ok(given.into_inner())
    }

    /// Reads a key of a session, as a request does, and writes some.
    fn request(&self, database: &Database, ids: &[SessionId], random: &mut Rng) -> Outcome<()> {
        let id = random.choice(ids).ok_or("there is no session")?;
        let session = database.open_session(id)?.ok_or("a session is missing")?;
        let from = random.usize(..self.keys / self.run) * self.run;
        let read = session.get_bytes(&key(from))?;
        read.ok_or("a key is missing")?;
        if self.run == 1 {
            session.set_bytes(&key(from), &value(random))?;
        } else {
            fill(&session, from..from + self.run, random)?;
        }
        Ok(())
    }
}

/// Bytes that this process has caused to be written so far.
fn written() -> Outcome<u64> {
    let counts = fs::read_to_string("/proc/self/io")?;
    let count = |name: &str| -> Outcome<u64> {
        let mut lines = counts.lines();
        let count = lines.find_map(|line| line.strip_prefix(name));
        Ok(count.ok_or("the system does not count")?.trim().parse()?)
    };
    Ok(count("wchar:")? + count("syscw:")? * BLOCK)
}
