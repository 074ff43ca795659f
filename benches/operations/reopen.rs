//! Opening after a kill: a child fills a database and is killed, its
//! directory is copied, and each copy is opened once.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Database, Durability, Session};

use crate::Outcome;
use crate::durable::small_value;
use crate::machine::processor_time;
use crate::report::{Report, Target};
use crate::samples::Rounds;
use crate::workplace::Workplace;

/// Tells the child what it is for.
pub(crate) const FILL: &str = "--fill-and-wait";
const SESSIONS: usize = 100_000;
const KEYS: [&str; 3] = ["user", "cart", "page"];
/// Sessions that are written to again after the checkpoint: about as many as
/// fill half of the memtable.
const CHANGED: usize = 16_000;
/// By default a checkpoint begins when the journal holds more than 32 MiB.
const FULL_JOURNAL: u64 = 31 << 20;

const NAMES: [&str; 5] = [
    "open after a kill: time",
    "open after a kill: sessions",
    "open after a kill: journal",
    "open after a kill: memtable",
    "open after a kill: open again after a clean close",
];

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    let original = workplace.place("killed");
    fill_and_kill(&original)?;
    let mut times = Rounds::default();
    let mut processor = Rounds::default();
    let mut clean = Rounds::default();
    let mut found = None;
    for round in 0..workplace.length.choose(3, 3, 7) {
        let copy = workplace.place(&format!("killed-{round}"));
        copy_directory(&original, &copy)?;
        let (start, before) = (Instant::now(), processor_time()?);
        let database = Database::open(&copy)?;
        times.0.push(start.elapsed().as_secs_f64());
        let taken = processor_time()?.saturating_sub(before);
        processor.0.push(taken.as_secs_f64());
        let stats = database.stats();
        if found.is_none() {
            found = Some((stats, database.verify()?.sessions));
        }
        database.close()?;
        drop(database);
        let start = Instant::now();
        let database = Database::open(&copy)?;
        clean.0.push(start.elapsed().as_secs_f64());
        database.close()?;
        drop(database);
        fs::remove_dir_all(&copy)?;
    }
    let (stats, sessions) = found.ok_or("there was no round")?;
    if sessions != SESSIONS as u64 {
        return Err(format!("{sessions} sessions are left of {SESSIONS}").into());
    }
    let mebibytes = |bytes: u64| u32::try_from(bytes >> 10).map(|kib| f64::from(kib) / 1024.0);
    let [time, count, journal, memtable, again] = NAMES;
    let note = format!(
        "{}; {:.2} s of processor time",
        times.spread(),
        processor.median()
    );
    report.add(time, times.greatest(), "s", Target::AtMost(1.0), note);
    let sessions = f64::from(u32::try_from(sessions)?);
    let note = format!("in {} batches", stats.batches);
    report.add(count, sessions, "", Target::None, note);
    let live = mebibytes(stats.journal_live_bytes)?;
    report.add(journal, live, "MiB", Target::None, "");
    let changed = mebibytes(stats.memtable_bytes)?;
    report.add(memtable, changed, "MiB", Target::None, "");
    report.add(again, clean.median(), "s", Target::None, clean.spread());
    Ok(())
}

/// Ends the child whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fill_and_kill(directory: &Path) -> Outcome<()> {
    let child = Command::new(std::env::current_exe()?)
        .arg(FILL)
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut child = Killed(child);
    let output = child.0.stdout.take().ok_or("the child says nothing")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    // Killed before it can do anything else.
    drop(child);
    if line.trim() == "full" {
        Ok(())
    } else {
        Err("the child did not fill its database".into())
    }
}

/// What the child does: sessions, a checkpoint, and then writes until the
/// journal is as full as it gets before the next.
pub(crate) fn fill(directory: &Path) -> Outcome<ExitCode> {
    let database = Database::open(directory)?.with_durability(Durability::Deferred {
        sync_within: Duration::from_millis(100),
    });
    let value = small_value();
    let mut changed = Vec::new();
    for number in 0..SESSIONS {
        let session = database.create_session();
        session.transaction(|tx| KEYS.iter().try_for_each(|key| tx.set(key, &value)))?;
        if number % (SESSIONS / CHANGED) == 0 && changed.len() < CHANGED {
            changed.push(session);
        }
    }
    database.checkpoint()?;
    fill_journal(&database, &changed, &value)?;
    database.commit()?;
    let mut output = std::io::stdout();
    writeln!(output, "full")?;
    output.flush()?;
    // The end comes from outside; should it not, the child goes by itself.
    thread::sleep(Duration::from_secs(60));
    Ok(ExitCode::FAILURE)
}

fn fill_journal(database: &Database, sessions: &[Session], value: &str) -> Outcome<()> {
    let batches = database.stats().batches;
    for _ in 0..1000 {
        for few in sessions.chunks(100) {
            for session in few {
                session.set("page", value)?;
            }
            let stats = database.stats();
            if stats.batches != batches {
                return Err("a checkpoint came before the journal was full".into());
            }
            if stats.journal_live_bytes >= FULL_JOURNAL {
                return Ok(());
            }
        }
    }
    Err("the journal does not get full".into())
}

/// Copies a directory, and has the copy on disk before anybody is timed.
fn copy_directory(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()?;
    Ok(())
}
