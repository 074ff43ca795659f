//! A retirement that cannot be read costs nobody else anything (15).

mod hints;

use super::super::testing::{locations, open, spoil};
use crate::format::segment_frame::Kind;
use crate::{Crash, IndexFate, SimulatedDisk};

fn opens_with_a_damaged_retirement(index: IndexFate) {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&disk);
    let kept = db.create_session();
    kept.set("a", &1).unwrap();
    let mut gone = db.create_session();
    gone.set("a", &1).unwrap();
    let dead = gone.id();
    gone.flush().unwrap();
    db.checkpoint().unwrap();
    spoil(&disk, locations(&db, Kind::Retirement)[0]);
    let disk = disk.crash(Crash::KeepAll, index).unwrap();
    drop(db);
    let db = open(&disk);
    let again = db.open_session(&kept.id()).unwrap().unwrap();
    assert_eq!(again.get::<i32>("a").unwrap(), Some(1));
    assert!(db.open_session(&dead).unwrap().is_none());
}

#[test]
fn an_index_is_rebuilt_over_a_damaged_retirement() {
    opens_with_a_damaged_retirement(IndexFate::Lost);
}

#[test]
fn an_index_catches_up_over_a_damaged_retirement() {
    opens_with_a_damaged_retirement(IndexFate::Kept);
}
