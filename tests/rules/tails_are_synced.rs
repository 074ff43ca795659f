//! Rule 14: a tail is synced before it is read, and so is its name. What the
//! page cache shows after a kill may not be on disk: were it only read, a
//! power cut could take back what the new process has shown.

use std::sync::Arc;

use sessiondb::{Crash, IndexFate};

use crate::support::{DEFERRED, GatedDisk, Point, builder, open, session};

#[test]
fn a_frame_that_was_written_and_not_synced_is_synced_before_it_is_replayed() {
    let disk = GatedDisk::new(21);
    // The one that is killed must not go on to its next journal file.
    let stopped = disk.close(Point::Create, "journal/000002");
    let db = disk.open();
    // Opened before the database is closed.
    let _stopped = stopped;
    let visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    let id = visitor.id();
    let seen = std::thread::scope(|scope| {
        let gate = disk.close(Point::Sync, "journal/");
        let killed = scope.spawn(|| visitor.set("user", "grace"));
        gate.wait_for_somebody();
        let next = disk.for_another_process().open();
        let seen: Option<String> = session(&next, &id).get("user").unwrap();
        assert_eq!(seen.as_deref(), Some("grace"), "the page cache has it");
        let survivor = disk
            .disk
            .crash(Crash::KeepNothing, IndexFate::Lost)
            .unwrap();
        drop(gate);
        killed.join().unwrap().unwrap_err();
        drop(next);
        let db = open(&survivor).unwrap();
        let found: Option<String> = session(&db, &id).get("user").unwrap();
        (seen, found)
    });
    assert_eq!(seen.0, seen.1, "what was shown survives the power cut");
}

/// Kills a process that has written a footer and not synced it, or has not
/// synced the name of its file; goes on with another process, and cuts the power.
fn killed_in_the_commit(point: Point, small_files: bool) {
    let disk = GatedDisk::new(22);
    let stopped = disk.close(Point::Create, "journal/000002");
    let segment_bytes = if small_files { 1 << 10 } else { 64 << 10 };
    let open_gated = builder().segment_bytes(segment_bytes);
    let db = open_gated.open_on(Arc::new(disk.clone())).unwrap();
    let _stopped = stopped;
    let visitor = db.create_session();
    visitor.set("first", &"x".repeat(1200)).unwrap();
    let id = visitor.id();
    std::thread::scope(|scope| {
        // Let the frames be synced, and stand still before the footer is.
        let frames = disk.close(point, "segments");
        let killed = scope.spawn(|| db.checkpoint());
        frames.wait_for_somebody();
        // The names are synced with the frames, before there is a footer.
        if point == Point::Sync {
            frames.let_one_pass();
            frames.wait_for_somebody();
        }
        // It must not sync by chance what it has to sync at open: its batches
        // go to other files, or into the files whose names are there.
        let small = builder().segment_bytes(if point == Point::Sync {
            1 << 10
        } else {
            64 << 10
        });
        let next = small.open_on(Arc::new(disk.for_another_process())).unwrap();
        let handle = session(&next, &id);
        assert_eq!(handle.get("first").unwrap(), Some("x".repeat(1200)));
        // Batches that rely on the one the other process had begun.
        for round in 0..3 {
            handle
                .set("second", &format!("{round}").repeat(900))
                .unwrap();
            next.checkpoint().unwrap();
        }
        drop(handle);
        let survivor = disk
            .disk
            .crash(Crash::KeepNothing, IndexFate::Lost)
            .unwrap();
        drop(frames);
        let _ = killed.join().unwrap();
        drop(next);
        let db = open(&survivor).unwrap();
        let handle = session(&db, &id);
        assert_eq!(handle.get("first").unwrap(), Some("x".repeat(1200)));
        assert_eq!(handle.get("second").unwrap(), Some("2".repeat(900)));
        db.verify().unwrap();
    });
}

#[test]
fn a_footer_that_was_written_and_not_synced_is_synced_before_it_counts() {
    killed_in_the_commit(Point::Sync, false);
    killed_in_the_commit(Point::Sync, true);
}

#[test]
fn the_name_of_a_segment_is_on_disk_before_its_footer_is_written() {
    killed_in_the_commit(Point::SyncDirectory, true);
}

#[test]
fn the_name_current_is_on_disk_before_the_database_is_written_to() {
    let disk = GatedDisk::new(23);
    std::thread::scope(|scope| {
        // The creation stands still after the rename, before it is synced.
        let gate = disk.close(Point::SyncDirectory, "");
        let killed = scope.spawn(|| disk.try_open());
        gate.wait_for_somebody();
        while disk.disk.read_file("CURRENT").is_none() {
            gate.let_one_pass();
            gate.wait_for_somebody();
        }
        let next = disk.for_another_process().open();
        let visitor = next.with_durability(DEFERRED).create_session();
        visitor.set("user", "ada").unwrap();
        visitor.commit().unwrap();
        let id = visitor.id();
        drop(visitor);
        let survivor = disk
            .disk
            .crash(Crash::KeepNothing, IndexFate::Lost)
            .unwrap();
        drop(gate);
        drop(killed.join().unwrap());
        drop(next);
        let db = open(&survivor).unwrap();
        assert_eq!(
            session(&db, &id).get("user").unwrap(),
            Some("ada".to_owned())
        );
    });
}
