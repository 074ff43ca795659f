//! Rule 4: under a lock nothing waits. While the disk stalls in a sync or in
//! an allocation, readers of that very session go on, and so do its deferred
//! writers.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sessiondb::Database;

use crate::support::{DEFERRED, GatedDisk, Point, expect_soon, session, within_patience};

fn deferred(db: &Database) -> Database {
    db.with_durability(DEFERRED)
}

#[test]
fn a_stalled_sync_of_the_journal_blocks_no_reader_and_no_deferred_writer_of_the_session() {
    let disk = GatedDisk::new(1);
    let db = disk.open();
    let visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    let settled = db.create_session();
    settled.set("user", "grace").unwrap();
    let id = visitor.id();
    std::thread::scope(|scope| {
        // Not the file that is filled ahead meanwhile.
        let gate = disk.close(Point::Sync, "journal/000001.log");
        let stalled = scope.spawn(|| visitor.set("user", "eve"));
        gate.wait_for_somebody();
        within_patience("work beside a stalled sync", || {
            let quick = session(&deferred(&db), &id);
            assert_eq!(quick.get("user").unwrap(), Some("eve".to_owned()));
            quick.set("cart", &1).unwrap();
            assert_eq!(quick.pop("cart").unwrap(), Some(1));
            quick.transaction(|tx| tx.set("a", &1)).unwrap();
            assert_eq!(quick.len().unwrap(), 2);
            let mut moving = session(&deferred(&db), &id);
            moving.cycle_id().unwrap();
            moving.flush().unwrap();
            // What is on disk already is seen at once, by anybody.
            assert_eq!(settled.get("user").unwrap(), Some("grace".to_owned()));
        });
        assert!(
            !stalled.is_finished(),
            "an immediate write waits for the sync"
        );
        drop(gate);
        stalled.join().unwrap().unwrap();
    });
    db.verify().unwrap();
}

#[test]
fn a_stalled_sync_of_the_segments_blocks_neither_readers_nor_writers() {
    for point in [Point::Sync, Point::SyncDirectory, Point::Create] {
        let disk = GatedDisk::new(2);
        let db = disk.open();
        let visitor = db.create_session();
        for number in 0..100 {
            let key = format!("key-{number:03}");
            visitor.set(&key, &"x".repeat(200)).unwrap();
        }
        std::thread::scope(|scope| {
            let gate = disk.close(point, "segments");
            let checkpoint = scope.spawn(|| db.checkpoint());
            gate.wait_for_somebody();
            within_patience("work beside a stalled checkpoint", || {
                let handle = session(&db, &visitor.id());
                assert_eq!(handle.len().unwrap(), 100);
                handle.set("key-000", "new").unwrap();
                handle.delete("key-001").unwrap();
                assert_eq!(handle.get("key-000").unwrap(), Some("new".to_owned()));
                let mut other = db.create_session();
                other.set("user", "ada").unwrap();
                other.flush().unwrap();
            });
            assert!(!checkpoint.is_finished(), "{point:?}");
            drop(gate);
            checkpoint.join().unwrap().unwrap();
        });
        assert_eq!(visitor.get("key-000").unwrap(), Some("new".to_owned()));
        assert_eq!(visitor.len().unwrap(), 99);
        db.verify().unwrap();
    }
}

/// Waits until a writer that tells of every write tells nothing any more.
fn wait_until_it_stands_still(progress: &Receiver<usize>) -> usize {
    let mut last = expect_soon("the writer uses the space it has", progress);
    while let Ok(number) = progress.recv_timeout(Duration::from_millis(100)) {
        last = number;
    }
    last
}

#[test]
fn whoever_waits_for_an_allocation_holds_no_lock_of_its_session() {
    // Small frames, and frames of which a journal file holds but one.
    for bytes in [4 << 10, 40 << 10] {
        let disk = GatedDisk::new(3);
        let db = deferred(&disk.open());
        let visitor = db.create_session();
        visitor.set("user", "ada").unwrap();
        let (sender, progress) = channel();
        // More than two journal files hold.
        let count = (192 << 10) / bytes;
        std::thread::scope(|scope| {
            let gate = disk.close(Point::Create, "journal/");
            let writer = session(&db, &visitor.id());
            let stalled = scope.spawn(move || {
                for number in 0..count {
                    writer.set("large", &"x".repeat(bytes)).unwrap();
                    sender.send(number).unwrap();
                }
            });
            gate.wait_for_somebody();
            let last = wait_until_it_stands_still(&progress);
            let visitor = &visitor;
            within_patience("work beside a stalled allocation", move || {
                for _ in 0..100 {
                    assert_eq!(visitor.get("user").unwrap(), Some("ada".to_owned()));
                    assert!(visitor.get::<String>("large").unwrap().is_some());
                }
                // Small frames still fit beside what waits for a large one.
                if bytes > 10 << 10 {
                    for number in 0..5 {
                        visitor.set("small", &number).unwrap();
                    }
                    visitor.delete("small").unwrap();
                }
            });
            assert!(last + 1 < count && !stalled.is_finished());
            drop(gate);
            stalled.join().unwrap();
        });
        assert_eq!(visitor.get("large").unwrap(), Some("x".repeat(bytes)));
        db.verify().unwrap();
    }
}

#[test]
fn whoever_waited_for_the_lock_does_not_wait_for_space_with_it() {
    let disk = GatedDisk::new(5);
    let db = deferred(&disk.open());
    let visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    let other = db.create_session();
    std::thread::scope(|scope| {
        let (entered, inside) = channel();
        let (leave, left) = channel::<()>();
        let gate = disk.close(Point::Create, "journal/");
        let visitor = &visitor;
        // One is in a transaction, a second one waits for its lock, and then
        // the space is used up by others.
        scope.spawn(move || {
            visitor
                .transaction(|_| {
                    entered.send(()).unwrap();
                    let _ = left.recv();
                    Ok(())
                })
                .unwrap();
        });
        expect_soon("the transaction begins", &inside);
        let second = scope.spawn(move || visitor.set("large", &"x".repeat(30 << 10)));
        let (sender, progress) = channel();
        scope.spawn(move || {
            for number in 0..12 {
                other.set("filling", &"y".repeat(20 << 10)).unwrap();
                let _ = sender.send(number);
            }
        });
        wait_until_it_stands_still(&progress);
        leave.send(()).unwrap();
        within_patience("a small write beside one that waits for space", move || {
            for number in 0..5 {
                visitor.set("small", &number).unwrap();
            }
        });
        drop(gate);
        second.join().unwrap().unwrap();
    });
    db.verify().unwrap();
}
