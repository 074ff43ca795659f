use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{Database, Durability};

#[test]
fn a_list_of_an_owner_has_the_session_that_gets_another_id() {
    let deferred = Durability::Deferred {
        sync_within: Duration::from_secs(3600),
    };
    let db = Database::builder().background(false).temporary().unwrap();
    let db = db.with_durability(deferred);
    let mut session = db.create_session();
    session.set("a", &1).unwrap();
    session.set_owner(Some("ann")).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                session.cycle_id().unwrap();
            }
        });
        let mut missed = 0;
        for round in 0..4000 {
            missed += usize::from(db.sessions_of("ann").unwrap().len() != 1);
            if round % 500 == 0 {
                db.checkpoint().unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(missed, 0);
    });
}
