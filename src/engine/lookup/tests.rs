//! A digest has one cell, whenever one looks for it.

use std::sync::Arc;

use super::super::testing::open;
use crate::SimulatedDisk;
use crate::engine::registry::Resident;

#[test]
fn who_looked_before_a_sessions_birth_shares_its_locks_after_it() {
    let disk = SimulatedDisk::new(3).unwrap();
    let db = open(&disk);
    let first = db.create_session();
    let id = first.id();
    // A reader that has got its cell from the registry, and no further.
    let Resident::Cell(early) = db.engine().registry.obtain(id.digest()) else {
        panic!("nobody moved it");
    };
    let stall = early.state.read();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| db.open_session(&id).unwrap());
        while Arc::strong_count(&early) < 3 {
            std::thread::yield_now();
        }
        first.set("code", "123456").unwrap();
        db.checkpoint().unwrap();
        drop(stall);
        let second = opening.join().unwrap().expect("it was born meanwhile");
        let one: Option<String> = first.pop("code").unwrap();
        let two: Option<String> = second.pop("code").unwrap();
        assert_eq!((one.as_deref(), two), (Some("123456"), None));
    });
}
