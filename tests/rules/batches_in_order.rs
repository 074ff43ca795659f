//! Rule 11: batches never interleave. One is appended, committed and
//! published, and then the next, whoever asks for it.

use sessiondb::{Crash, IndexFate};

use crate::support::{DEFERRED, cut, open, session, simulated};

#[test]
fn concurrent_checkpoints_make_whole_batches_one_after_the_other() {
    let disk = simulated(17);
    let db = open(&disk).unwrap().with_durability(DEFERRED);
    let visitors: Vec<_> = (0..4).map(|_| db.create_session()).collect();
    for visitor in &visitors {
        visitor.set("count", &0_u64).unwrap();
    }
    std::thread::scope(|scope| {
        for visitor in &visitors {
            let db = &db;
            scope.spawn(move || {
                for count in 1..=25_u64 {
                    visitor.set("count", &count).unwrap();
                    let key = format!("key-{count:02}");
                    visitor.set(&key, &"x".repeat(500)).unwrap();
                    db.checkpoint().unwrap();
                    if count % 8 == 0 {
                        db.verify().unwrap();
                    }
                }
            });
        }
    });
    let verified = db.verify().unwrap();
    // Every committed batch is found, and its number follows the one before.
    assert_eq!(verified.batches, db.stats().batches);
    assert!(verified.batches >= 25);
    assert_eq!((verified.sessions, verified.keys), (4, 4 * 26));
    let ids: Vec<_> = visitors.iter().map(sessiondb::Session::id).collect();
    drop(visitors);
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Lost);
    let db = open(&disk).unwrap();
    for id in &ids {
        assert_eq!(session(&db, id).get("count").unwrap(), Some(25_u64));
        assert_eq!(session(&db, id).len().unwrap(), 26);
    }
    assert_eq!(db.verify().unwrap().batches, verified.batches);
}
