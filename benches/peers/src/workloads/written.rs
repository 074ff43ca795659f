//! Bytes that go to disk for each byte that a user gives, with 64 writers whose
//! writes are durable.
//!
//! The system counts what a process writes, so each engine has a process of its
//! own. Of what it counts, the calls and their bytes are taken, and for each
//! call one block more, since a disk writes whole blocks: that is what a write
//! at any place takes on average, if it is synced before the next. Of an engine
//! that writes whole blocks at their places, the bytes alone. What is counted
//! begins when what was loaded has come to rest, and ends when all that the
//! writers left is done.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::names::WRITTEN;
use super::set::set;
use super::shared::KEYS;
use crate::engine::{Engine, Setup};
use crate::engines;
use crate::population::{PAIR, fill};
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::samples::Rounds;
use crate::{Outcome, mebibytes};

/// Tells the process that writes what it is for.
pub(crate) const WRITE: &str = "--write-and-count";

const SESSIONS: usize = 10_000;
const WRITERS: usize = 64;
const CACHE_BYTES: u64 = 64 << 20;
/// What a disk writes for a call at least.
const BLOCK: u64 = 4096;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Who has written nothing for so long has come to rest.
const STILL: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    if !run.wants(WRITTEN) {
        return Ok(());
    }
    let kibibytes = run.length().choose("1024", "16384", "65536");
    let seconds = run.length().choose("3", "60", "180");
    let heading = Heading::durable(WRITTEN, "times", Better::Lower);
    for kind in run.kinds.clone() {
        let place = run.workplace.place("written").join(kind.name);
        let child = Command::new(std::env::current_exe()?)
            .args([WRITE, kind.name])
            .arg(&place)
            .args([kibibytes, seconds])
            .stderr(Stdio::inherit())
            .output()?;
        if !child.status.success() {
            return Err(format!("{}: the bytes could not be counted", kind.name).into());
        }
        fs::remove_dir_all(&place)?;
        let times = String::from_utf8(child.stdout)?.trim().parse()?;
        run.report.add(&heading, kind.name, &Rounds(vec![times]));
    }
    Ok(())
}

/// What that process does.
pub(crate) fn tell_written(name: &str, place: &Path, limits: [&str; 2]) -> Outcome<ExitCode> {
    let [kibibytes, seconds] = limits.map(str::parse::<u64>);
    let kind = engines::all().into_iter().find(|kind| kind.name == name);
    let kind = kind.ok_or("no such engine")?;
    let engine = kind.open(&Setup::new(place.to_path_buf(), CACHE_BYTES))?;
    let ids = fill(&*engine, SESSIONS, KEYS)?;
    let before = rest(&*engine)?;
    let wanted = (kibibytes? << 10).div_ceil(PAIR);
    let end = Instant::now() + Duration::from_secs(seconds?);
    let (begun, given) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| -> Outcome<()> {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| -> Outcome<()> {
                    let mut random = Rng::new();
                    while begun.fetch_add(1, Ordering::Relaxed) < wanted && Instant::now() < end {
                        set(&*engine, &ids, &mut random)?;
                        given.fetch_add(PAIR, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        Ok(())
    })?;
    let after = rest(&*engine)?;
    println!(
        "{}",
        mebibytes(after.saturating_sub(before)) / mebibytes(given.into_inner())
    );
    engine.close()?;
    Ok(ExitCode::SUCCESS)
}

/// What was written in all, when nothing is written any more.
fn rest(engine: &dyn Engine) -> Outcome<u64> {
    let start = Instant::now();
    let mut seen = written(engine)?;
    let mut changed = start;
    while changed.elapsed() < STILL && start.elapsed() < PATIENCE {
        thread::sleep(LOOK_EVERY);
        let sight = written(engine)?;
        if sight != seen {
            seen = sight;
            changed = Instant::now();
        }
    }
    Ok(seen)
}

/// Bytes that an engine's process has caused to be written so far.
fn written(engine: &dyn Engine) -> Outcome<u64> {
    let counts = fs::read_to_string(format!("/proc/{}/io", engine.process()))?;
    let count = |name: &str| -> Outcome<u64> {
        let mut lines = counts.lines();
        let count = lines.find_map(|line| line.strip_prefix(name));
        Ok(count.ok_or("the system does not count")?.trim().parse()?)
    };
    let per_call = if engine.writes_whole_blocks() {
        0
    } else {
        BLOCK
    };
    Ok(count("wchar:")? + count("syscw:")? * per_call)
}
