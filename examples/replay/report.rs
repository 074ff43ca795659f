//! What the database holds in the end, and what it took.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use indicatif::HumanCount;
use serde_json::Value;
use sessiondb::{Database, Result};

use super::model::Model;
use super::run::Tally;

/// How many differences are told apart; the others are only counted.
const SHOWN_DIFFERENCES: usize = 10;

/// Every difference between the sessions and the model. `older` is how many
/// sessions the directory held before.
pub(crate) fn differences(db: &Database, model: &Model, older: u64) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for known in model.visitors.values() {
        let name = known.id.digest();
        match db.open_session(&known.id)? {
            None => differences.push(format!("session {name} is lost")),
            Some(session) => {
                let held = session.to_map::<Value>()?;
                let expected = known.expected();
                if held != expected {
                    differences.push(format!("session {name}: {held:?} instead of {expected:?}"));
                }
            }
        }
    }
    for id in &model.flushed {
        if db.open_session(id)?.is_some() {
            differences.push(format!("the flushed session {} is back", id.digest()));
        }
    }
    let sessions = db.verify()?.sessions;
    let expected = older + model.visitors.len() as u64;
    if sessions != expected {
        differences.push(format!("{sessions} sessions instead of {expected}"));
    }
    Ok(differences)
}

/// The bytes of all files in a directory and below.
pub(crate) fn bytes_on_disk(directory: &Path) -> io::Result<u64> {
    fs::read_dir(directory)?.try_fold(0, |sum, entry| {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let bytes = if metadata.is_dir() {
            bytes_on_disk(&entry.path())?
        } else {
            metadata.len()
        };
        Ok(sum + bytes)
    })
}

/// Prints what a replay did and what it left.
pub(crate) fn print(
    out: &mut impl Write,
    tally: &Tally,
    sessions: usize,
    bytes_on_disk: u64,
) -> io::Result<()> {
    let rows = [
        ("lines", tally.lines),
        ("requests", tally.requests),
        ("malformed lines", tally.malformed),
        ("sessions", sessions as u64),
        ("operations", tally.operations),
        ("operations per second", per_second(tally)),
        ("flushes", tally.flushes),
        ("bytes on disk", bytes_on_disk),
    ];
    for (name, number) in rows {
        let number = HumanCount(number).to_string();
        writeln!(out, "{name:<22}{number:>14}")?;
    }
    for (line, malformed) in &tally.shown {
        writeln!(out, "line {line} is malformed: {}", malformed.0)?;
    }
    verdict(out, &tally.differences)
}

fn verdict(out: &mut impl Write, differences: &[String]) -> io::Result<()> {
    if differences.is_empty() {
        return writeln!(
            out,
            "Closed and reopened: every session is as it has to be."
        );
    }
    for difference in differences.iter().take(SHOWN_DIFFERENCES) {
        writeln!(out, "{difference}")?;
    }
    writeln!(out, "{} differences from the model", differences.len())
}

/// A request is one transaction, so each operation took a share of one fsync.
fn per_second(tally: &Tally) -> u64 {
    let milliseconds = u64::try_from(tally.took.as_millis()).unwrap_or(u64::MAX);
    tally.operations.saturating_mul(1000) / milliseconds.max(1)
}
