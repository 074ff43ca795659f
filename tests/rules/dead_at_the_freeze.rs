//! Rule 10: a batch holds the state as of its freeze, no more and no less.
//! Only what was dead at the freeze is dropped: what was born and flushed
//! before it never reaches a segment, what died later does, every retired ID
//! has its retirement, and writes behind the freeze wait for the next batch.

use sessiondb::{Crash, IndexFate};

use crate::support::{
    DEFERRED, GatedDisk, Point, contains, cut, open, segment_bytes, session, simulated,
};

#[test]
fn a_session_born_and_flushed_between_two_checkpoints_never_reaches_a_segment() {
    let disk = simulated(13);
    let db = open(&disk).unwrap();
    let kept = db.create_session();
    kept.set("marker", "this one is kept").unwrap();
    let mut flushed = db.create_session();
    flushed.set("marker", "this one is flushed").unwrap();
    let mut destroyed = db.create_session();
    destroyed.set("marker", "this one is destroyed").unwrap();
    kept.set("cleared", "this value is removed").unwrap();
    flushed.flush().unwrap();
    destroyed.destroy().unwrap();
    kept.delete("cleared").unwrap();
    db.checkpoint().unwrap();
    let bytes = segment_bytes(&disk);
    assert!(contains(&bytes, b"this one is kept"));
    assert!(!contains(&bytes, b"this one is flushed"));
    assert!(!contains(&bytes, b"this one is destroyed"));
    assert!(!contains(&bytes, b"this value is removed"));
    db.verify().unwrap();
}

#[test]
fn every_retired_id_has_its_retirement_in_a_segment() {
    let disk = simulated(14);
    let db = open(&disk).unwrap();
    let mut retired = Vec::new();
    // Born and dead within one batch, and settled before.
    for settled in [false, true] {
        let mut visitors: Vec<_> = (0..3).map(|_| db.create_session()).collect();
        for visitor in &visitors {
            visitor.set("user", "ada").unwrap();
        }
        if settled {
            db.checkpoint().unwrap();
        }
        retired.extend(visitors.iter().map(|visitor| visitor.id().digest()));
        visitors[0].flush().unwrap();
        visitors[1].destroy().unwrap();
        visitors[2].cycle_id().unwrap();
        retired.push(visitors[2].id().digest());
        visitors[2].cycle_id().unwrap();
    }
    // A write alone must not be needed to have them written.
    db.checkpoint().unwrap();
    let bytes = segment_bytes(&disk);
    for digest in &retired {
        assert!(contains(&bytes, &digest.to_bytes()), "{digest}");
    }
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Lost);
    open(&disk).unwrap().verify().unwrap();
}

#[test]
fn a_write_behind_the_freeze_is_not_in_the_batch_and_not_lost() {
    let disk = GatedDisk::new(15);
    let db = disk.open();
    let quick = db.with_durability(DEFERRED);
    let visitor = quick.create_session();
    visitor.set("key", "before the freeze").unwrap();
    let flushed = quick.create_session();
    flushed.set("key", "alive at the freeze").unwrap();
    std::thread::scope(|scope| {
        // The checkpoint freezes, and stalls while it syncs the journal.
        let gate = disk.close(Point::Sync, "journal/000001.log");
        let checkpoint = scope.spawn(|| db.checkpoint());
        gate.wait_for_somebody();
        visitor.set("key", "behind the freeze").unwrap();
        visitor.set("other", "also behind it").unwrap();
        let late = quick.create_session();
        late.set("key", "born behind the freeze").unwrap();
        session(&quick, &flushed.id()).flush().unwrap();
        assert_eq!(
            visitor.get("key").unwrap(),
            Some("behind the freeze".to_owned())
        );
        drop(gate);
        checkpoint.join().unwrap().unwrap();
    });
    let bytes = segment_bytes(&disk.disk);
    assert!(contains(&bytes, b"before the freeze"));
    assert!(contains(&bytes, b"alive at the freeze"));
    assert!(!contains(&bytes, b"behind the freeze"));
    assert!(!contains(&bytes, b"also behind it"));
    assert_eq!(
        visitor.get("key").unwrap(),
        Some("behind the freeze".to_owned())
    );
    assert!(db.open_session(&flushed.id()).unwrap().is_none());
    db.commit().unwrap();
    let (id, dead) = (visitor.id(), flushed.id());
    drop((visitor, flushed, quick));
    let survivor = cut(db, &disk.disk, Crash::KeepNothing, IndexFate::Lost);
    let db = open(&survivor).unwrap();
    let handle = session(&db, &id);
    assert_eq!(
        handle.get("key").unwrap(),
        Some("behind the freeze".to_owned())
    );
    assert_eq!(
        handle.get("other").unwrap(),
        Some("also behind it".to_owned())
    );
    assert!(db.open_session(&dead).unwrap().is_none());
    db.verify().unwrap();
}

#[test]
fn a_settled_session_that_dies_is_hidden_by_a_tombstone() {
    let disk = simulated(16);
    let db = open(&disk).unwrap();
    let mut visitor = db.create_session();
    visitor.set("user", "ada").unwrap();
    let mut moving = db.create_session();
    moving.set("user", "grace").unwrap();
    db.checkpoint().unwrap();
    let (dead, old) = (visitor.id(), moving.id());
    visitor.flush().unwrap();
    let new = moving.cycle_id().unwrap();
    db.checkpoint().unwrap();
    drop((visitor, moving));
    // Rebuilt from nothing but the segments.
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Lost);
    let db = open(&disk).unwrap();
    assert!(db.open_session(&dead).unwrap().is_none());
    assert!(db.open_session(&old).unwrap().is_none());
    assert_eq!(
        session(&db, &new).get("user").unwrap(),
        Some("grace".to_owned())
    );
    assert_eq!(db.verify().unwrap().sessions, 1);
}
