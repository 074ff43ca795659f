//! Marked names and values, and the search for them in all files.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sessiondb::{Builder, Database, Durability, ManualClock};

/// What the tests give the database to erase.
pub(crate) const WITHIN: Duration = Duration::from_secs(600);

/// Large, and nothing is ever written to it: one test looks into it for all.
pub(crate) const BALLAST: &str = "BALLAST";

/// For tests that write much.
pub(crate) const AT_LEISURE: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(1),
};

/// A time to begin with.
pub(crate) fn clock() -> Arc<ManualClock> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    Arc::new(ManualClock::new(time))
}

/// Small files, and nothing that happens by itself.
pub(crate) fn by_hand(clock: &Arc<ManualClock>) -> Builder {
    Database::builder()
        .background(false)
        .journal_segment_bytes(256 << 10)
        .segment_bytes(64 << 10)
        .erase_within(Some(WITHIN))
        .clock(Arc::<ManualClock>::clone(clock))
}

/// All files below a directory but the ballast.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut left = vec![directory.to_path_buf()];
    while let Some(directory) = left.pop() {
        // Under load what was listed may be gone by now, and is erased then.
        let Some(entries) = unless_gone(fs::read_dir(&directory)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if !path.ends_with(BALLAST) {
                files.push(path);
            }
        }
    }
    files
}

/// Where a text is in them.
pub(crate) fn traces(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(directory) {
        let bytes = unless_gone(fs::read(&path)).unwrap_or_default();
        let places = places(&bytes, text.as_bytes()).into_iter();
        found.extend(places.map(|place| format!("{} at {place}", path.display())));
    }
    found
}

fn unless_gone<T>(outcome: io::Result<T>) -> Option<T> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        outcome => Some(outcome.unwrap()),
    }
}

/// Most of all files is zeros.
pub(crate) fn places(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    const BLOCK: usize = 4096;
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let mut places = Vec::new();
    for start in (0..bytes.len()).step_by(BLOCK) {
        let end = bytes.len().min(start + BLOCK);
        if bytes[start..end] == ZEROS[..end - start] {
            continue;
        }
        // A text that begins before this block and ends in it.
        let start = start.saturating_sub(text.len());
        let block = &bytes[start..bytes.len().min(end + text.len())];
        let found = block.windows(text.len()).position(|window| window == text);
        places.extend(found.map(|place| start + place));
    }
    places
}

/// Asserts that a text is in some file.
pub(crate) fn assert_there(directory: &Path, text: &str) {
    let found = traces(directory, text);
    assert!(!found.is_empty(), "{text} is nowhere");
}

/// Asserts that a text is in no file.
pub(crate) fn assert_erased(directory: &Path, text: &str, what: &str) {
    let found = traces(directory, text);
    assert!(found.is_empty(), "{what}: {text} is in {found:?}");
}

/// So many steps of a round; whether it has come to its end.
pub(crate) fn erase_some(db: &Database, steps: usize) -> bool {
    let mut left = steps;
    let is_erased = db.erase_with(|_, _, _| {
        if left == 0 {
            return ControlFlow::Break(());
        }
        left -= 1;
        ControlFlow::Continue(())
    });
    is_erased.unwrap()
}
