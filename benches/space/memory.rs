//! Resident memory of a process that holds a million sessions and changes
//! them.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use sessiondb::{Database, SessionId};

use crate::arguments::Length;
use crate::machine::{forget_peak, resident};
use crate::population::{Population, deferred, fill, key, value};
use crate::report::{Report, Target};
use crate::samples::Rounds;
use crate::workplace::Workplace;
use crate::{Outcome, mebibytes};

/// Tells the process that holds the sessions what it is for.
pub(crate) const CHURN: &str = "--churn-and-look";

/// A session's keys.
const KEYS: usize = 2;
/// Cache and memtable, which are told to the database, and what may come to
/// them, in MiB.
const CACHE: u32 = 64;
const MEMTABLE: u32 = 32;
const BESIDE: u32 = 128;
/// What the peaks of the last looks may lie above those of the first.
const FLAT: f64 = 16.0;

const WRITERS: usize = 4;
/// Sessions that a writer goes through before it rests: on a machine where
/// nothing rests, what is measured depends on its speed.
const TURNS: usize = 4;
const REST: Duration = Duration::from_millis(1);
/// Parts of the churn, each with its own peak.
const LOOKS: u32 = 20;
/// How many of the looks stand for the beginning, and for the end.
const SOME: usize = 5;

const NAMES: [&str; 4] = [
    "memory: peak of the churn",
    "memory: growth over the churn",
    "memory: peak of loading",
    "memory: turns of the churn",
];

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    let sessions = workplace.length.choose("50000", "1000000", "1000000");
    let seconds = workplace.length.choose("15", "600", "600");
    let place = workplace.place("memory");
    let child = Command::new(std::env::current_exe()?)
        .arg(CHURN)
        .arg(&place)
        .arg(sessions)
        .arg(seconds)
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err("the churn failed".into());
    }
    fs::remove_dir_all(&place)?;
    let output = String::from_utf8(child.stdout)?;
    let figures = output.split_whitespace().map(str::parse);
    let figures = figures.collect::<Result<Vec<f64>, _>>()?;
    let [loading, turns, ref peaks @ ..] = figures[..] else {
        return Err("the churn tells too little".into());
    };
    let [peak, growth, load, count] = NAMES;
    let highest = Rounds(peaks.to_vec());
    let target = Target::AtMost(f64::from(CACHE + MEMTABLE + BESIDE));
    let spread = highest.spread();
    let note = format!("{sessions} sessions, {seconds} s; {spread}; without the IDs it works with");
    report.add(peak, highest.greatest(), "MiB", target, note);
    let some = |peaks: &[f64]| Rounds(peaks.to_vec()).median();
    // In the first part the caches fill.
    let early = some(peaks.get(1..=SOME).unwrap_or_default());
    let late = some(
        peaks
            .get(peaks.len().saturating_sub(SOME)..)
            .unwrap_or_default(),
    );
    let note = format!("from {early:.1} to {late:.1}");
    // After a few seconds caches still fill.
    let target = match workplace.length {
        Length::Quick => Target::None,
        Length::Usual | Length::Full => Target::AtMost(FLAT),
    };
    report.add(growth, late - early, "MiB", target, note);
    report.add(load, loading, "MiB", Target::None, "");
    report.add(count, turns, "", Target::None, "");
    Ok(())
}

/// What that process does: prints the peak of loading, the turns and the peak
/// of each part of the churn.
pub(crate) fn tell_resident(place: &Path, sessions: &str, seconds: &str) -> Outcome<ExitCode> {
    let part = Duration::from_secs(seconds.parse()?) / LOOKS;
    let database = Database::builder()
        .cache_bytes(u64::from(CACHE) << 20)
        .memtable_bytes(usize::try_from(MEMTABLE)? << 20)
        .open(place)?;
    let population = Population::load(&database, sessions.parse()?, KEYS)?;
    let mut ids = population.ids;
    // A server keeps none: its visitors do.
    let own = mebibytes((ids.len() * size_of::<SessionId>()) as u64);
    let loading = highest()? - own;
    let over = AtomicBool::new(false);
    let (turns, peaks) = thread::scope(|scope| -> Outcome<_> {
        let per_writer = ids.len().div_ceil(WRITERS).max(1);
        let writers: Vec<_> = (ids.chunks_mut(per_writer).enumerate())
            .map(|(seed, part)| {
                let (database, over) = (&database, &over);
                scope.spawn(move || churn(database, part, seed as u64, over))
            })
            .collect();
        let looked = look(part, own);
        over.store(true, Ordering::Relaxed);
        let mut turns = 0;
        for writer in writers {
            turns += writer.join().map_err(|_| "a writer panicked")??;
        }
        Ok((turns, looked?))
    })?;
    println!("{loading} {turns}");
    for peak in &peaks {
        println!("{peak}");
    }
    database.close()?;
    assert_memory_shows()?;
    Ok(ExitCode::SUCCESS)
}

/// The highest resident set since it was forgotten, in MiB.
fn highest() -> Outcome<f64> {
    Ok(mebibytes(resident()?.1))
}

fn look(part: Duration, own: f64) -> Outcome<Vec<f64>> {
    (0..LOOKS)
        .map(|_| {
            forget_peak()?;
            thread::sleep(part);
            let peak = highest()? - own;
            eprintln!("memory: peak {peak:.1} MiB");
            Ok(peak)
        })
        .collect()
}

/// Changes sessions, and lets new ones take the place of others, until it is
/// over; tells how many.
fn churn(database: &Database, ids: &mut [SessionId], seed: u64, over: &AtomicBool) -> Outcome<u64> {
    let database = deferred(database);
    let mut random = Rng::with_seed(seed);
    let mut turns = 0;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..TURNS {
            let place = random.usize(..ids.len());
            let id = ids.get_mut(place).ok_or("there is no session")?;
            let mut session = database.open_session(id)?.ok_or("a session is missing")?;
            if random.u8(..4) == 0 {
                session.flush()?;
                fill(&session, 0..KEYS, &mut random)?;
                *id = session.id();
            } else {
                // As servers do: what is read is in the cache then.
                session.get_bytes(&key(1))?.ok_or("a key is missing")?;
                session.set_bytes(&key(0), &value(&mut random))?;
            }
            turns += 1;
        }
        thread::sleep(REST);
    }
    Ok(turns)
}

/// Memory that is taken has to show, or the figures mean nothing.
fn assert_memory_shows() -> Outcome<()> {
    let before = resident()?.0;
    let taken = 64 << 20;
    let bytes = black_box(vec![1_u8; taken]);
    let grown = resident()?.0.saturating_sub(before);
    drop(bytes);
    if grown < taken as u64 / 2 {
        return Err("memory that is taken does not show".into());
    }
    Ok(())
}
