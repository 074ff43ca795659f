//! Replays the access log of a web site as the sessions of its visitors:
//!
//! ```text
//! cargo run --release --example replay -- LOGFILE [DIRECTORY]
//! ```
//!
//! Each line is a request. A visitor, an address and a user agent, has a
//! session. Each request loads it, counts the page, keeps the last paths, pops
//! and sets a flash message and strictly deletes a token. Whoever comes back
//! after 30 minutes of silence in the log's time has been logged out: the
//! session is flushed and begins anew.
//!
//! In the end the database is closed and opened again, and every session is
//! compared with a model in plain maps. Any difference is exit code 1, as is a
//! log that cannot be read; wrong usage is exit code 2.
//!
//! Every request waits for the disk (`Durability::Immediate`). The database
//! lies in DIRECTORY, or in a temporary one.

pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod report;
pub(crate) mod run;
mod visit;

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use sessiondb::Database;

use run::Replay;

const USAGE: &str = "usage: replay LOGFILE [DIRECTORY]
  LOGFILE    an access log in the combined format
  DIRECTORY  where the database lies; a temporary directory without one";

/// What to tell the user when it cannot go on.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// Says what failed before the reason.
pub(crate) fn failed<E: Display>(what: impl Display) -> impl FnOnce(E) -> Failure {
    move |error| Failure(format!("{what}: {error}"))
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [log] => in_temporary_directory(Path::new(log)),
        [log, directory] => replay(Path::new(log), Path::new(directory)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure(message)) => {
            eprintln!("replay: {message}");
            ExitCode::FAILURE
        }
    }
}

fn in_temporary_directory(log: &Path) -> Result<bool, Failure> {
    let directory = tempfile::tempdir().map_err(failed("cannot make a temporary directory"))?;
    replay(log, directory.path())
}

/// Whether every session is as it has to be.
fn replay(log: &Path, directory: &Path) -> Result<bool, Failure> {
    let file = File::open(log).map_err(failed(format!("cannot open {}", log.display())))?;
    let progress = progress_bar(&file);
    let open = || Database::open(directory).map_err(failed("cannot open the database"));

    let db = open()?;
    let older = db.verify().map_err(failed("the database is not sound"))?;
    let mut replay = Replay::new(&db);
    replay.run(BufReader::new(file), |bytes| progress.inc(bytes as u64))?;
    progress.finish_and_clear();
    let (model, mut tally) = (replay.model, replay.tally);
    db.close().map_err(failed("cannot close the database"))?;
    let bytes = report::bytes_on_disk(directory).map_err(failed("cannot measure the files"))?;

    let db = open()?;
    let found = report::differences(&db, &model, older.sessions);
    tally
        .differences
        .extend(found.map_err(failed("cannot compare the sessions"))?);
    report::print(
        &mut io::stdout().lock(),
        &tally,
        model.visitors.len(),
        bytes,
    )
    .map_err(failed("cannot print the report"))?;
    Ok(tally.differences.is_empty())
}

/// A bar on a terminal; nothing elsewhere.
fn progress_bar(log: &File) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bytes = log.metadata().map_or(0, |metadata| metadata.len());
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} of {duration}");
    let bar = ProgressBar::new(bytes);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
