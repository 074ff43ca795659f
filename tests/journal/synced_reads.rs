//! What an opening reads it syncs first: the page cache may show what no
//! platter holds (14).

use std::io::ErrorKind;

use sessiondb::{Crash, Fault, FaultEffect, IndexFate, Operation, SimulatedDisk};

use crate::history::Writer;
use crate::support::{disk, open, without_hanging};

fn refuse(disk: &SimulatedDisk, operation: Operation, path: &str, after: u64) {
    disk.inject(Fault {
        operation,
        path_contains: path.to_owned(),
        after,
        times: 1,
        kind: ErrorKind::Other,
        effect: FaultEffect::Refuse,
    });
}

/// The process ends, the machine does not: what was written and not synced is
/// seen by the next opening. Once that has shown it, a power cut must not
/// take it away.
fn shown_is_kept(disk: &SimulatedDisk, writer: &Writer, what: &str) {
    disk.clear_faults();
    assert!(disk.unsynced_bytes() > 0, "{what}: nothing is unsynced");
    let again = open(disk).unwrap();
    let shown = writer.history.place(&again, what);
    assert!(shown + 1 >= writer.history.len(), "{what}: {shown}");
    let survivor = disk.crash(Crash::KeepNothing, IndexFate::Lost).unwrap();
    drop(again);
    let last = open(&survivor).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(writer.history.place(&last, what), shown, "{what}");
}

#[test]
fn a_journal_frame_that_an_opening_showed_is_on_disk() {
    without_hanging(|| {
        let disk = disk(6);
        let database = open(&disk).unwrap();
        let mut writer = Writer::new(&database);
        writer.steps(5);
        refuse(&disk, Operation::SyncData, "journal", 0);
        writer.step(0).unwrap_err();
        database.close().unwrap_err();
        shown_is_kept(&disk, &writer, "journal frame");
    });
}

#[test]
fn a_batch_that_an_opening_showed_is_on_disk() {
    without_hanging(|| {
        let disk = disk(7);
        let database = open(&disk).unwrap();
        let mut writer = Writer::new(&database);
        writer.steps(5);
        // The first sync of the checkpoint is of its frames, the second of
        // its footer.
        refuse(&disk, Operation::SyncAll, "segments", 1);
        database.checkpoint().unwrap_err();
        database.close().unwrap_err();
        shown_is_kept(&disk, &writer, "footer");
    });
}
