//! An idle database checkpoints by itself, and its journal does not pile up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sessiondb::Database;

use crate::history::Writer;
use crate::support::{builder, disk, journal_files, open, without_hanging};

/// The file in use, the next one, and spare ones.
const MOST_FILES: usize = 7;

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn is_settled(database: &Database, batches: u64) -> bool {
    let stats = database.stats();
    stats.batches >= batches && stats.memtable_bytes == 0
}

#[test]
fn an_idle_database_checkpoints_by_itself() {
    without_hanging(|| {
        let builder = builder()
            .background(true)
            .idle_checkpoint_after(Duration::from_millis(10));
        let database = builder.open_on(Arc::new(disk(8))).unwrap();
        let mut writer = Writer::new(&database);
        for round in 0..5 {
            writer.steps(3);
            let before = database.stats().batches;
            assert!(before >= round);
            wait_for("a checkpoint", || is_settled(&database, round + 1));
        }
        // Nothing more to do: nothing more is done.
        let batches = database.stats().batches;
        assert_eq!(
            writer.history.place(&database, "idle"),
            writer.history.len()
        );
        database.checkpoint().unwrap();
        assert_eq!(database.stats().batches, batches);
        database.close().unwrap();
    });
}

#[test]
fn an_opening_after_an_idle_checkpoint_has_nothing_to_replay() {
    without_hanging(|| {
        let disk = disk(9);
        let builder = builder()
            .background(true)
            .idle_checkpoint_after(Duration::from_millis(10));
        let database = builder.open_on(Arc::new(disk.clone())).unwrap();
        let mut writer = Writer::new(&database);
        writer.steps(20);
        wait_for("a checkpoint", || is_settled(&database, 1));
        let survivor = crate::support::cut(&disk, database, sessiondb::Crash::KeepAll);
        let again = open(&survivor).unwrap();
        assert_eq!(again.stats().memtable_bytes, 0);
        assert_eq!(writer.history.place(&again, "idle"), 20);
    });
}

#[test]
fn journal_files_are_used_again_and_do_not_pile_up() {
    without_hanging(|| {
        let disk = disk(10);
        let database = open(&disk).unwrap();
        let mut writer = Writer::new(&database);
        for round in 0..40 {
            // Now and then more files become unnecessary than are kept.
            let count = if round % 8 == 7 { 8 } else { 2 };
            for _ in 0..count {
                writer.step(40_000).unwrap();
            }
            database.checkpoint().unwrap();
            let files = journal_files(&disk);
            assert!(files.len() <= MOST_FILES, "round {round}: {files:?}");
        }
        let last = journal_files(&disk).pop().unwrap();
        assert!(last.as_str() > "journal/000040.log", "{last}");
        assert_eq!(writer.history.place(&database, "recycled"), 110);
        database.close().unwrap();
    });
}

#[test]
fn openings_leave_no_journal_files_behind() {
    without_hanging(|| {
        let disk = disk(11);
        let mut history = None;
        for round in 0..12 {
            let database = open(&disk).unwrap();
            let mut writer = match history.take() {
                None => Writer::new(&database),
                Some(history) => Writer::resume(&database, history),
            };
            writer.steps(3);
            let files = journal_files(&disk);
            assert!(files.len() <= MOST_FILES, "round {round}: {files:?}");
            assert_eq!(writer.history.place(&database, "again"), 3 * (round + 1));
            database.close().unwrap();
            history = Some(writer.history);
        }
    });
}
