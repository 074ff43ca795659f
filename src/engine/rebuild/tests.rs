//! IDs that died are known again, whatever became of the index.

mod hints;

use super::super::testing::open;
use crate::{Crash, IndexFate, SimulatedDisk};

fn is_known_again(index: IndexFate) {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&disk);
    let kept = db.create_session();
    kept.set("a", &1).unwrap();
    let mut gone = db.create_session();
    gone.set("a", &1).unwrap();
    let dead = gone.id();
    gone.flush().unwrap();
    db.checkpoint().unwrap();
    let disk = disk.crash(Crash::KeepAll, index).unwrap();
    drop(db);
    let db = open(&disk);
    let again = db.open_session(&kept.id()).unwrap().unwrap();
    assert_eq!(again.get::<i32>("a").unwrap(), Some(1));
    assert!(db.open_session(&dead).unwrap().is_none());
    assert!(db.is_retired(dead).unwrap());
    assert!(!db.is_retired(kept.id()).unwrap());
}

#[test]
fn an_index_that_is_rebuilt_knows_who_died() {
    is_known_again(IndexFate::Lost);
}

#[test]
fn an_index_that_catches_up_knows_who_died() {
    is_known_again(IndexFate::Kept);
}
