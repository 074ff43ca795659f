//! Every way to remove something leads to its erasure.

use std::path::Path;
use std::time::Duration;

use sessiondb::{Database, Session};

use crate::support::{assert_erased, assert_there, by_hand, clock};

/// What stays, in every test.
fn bystander(db: &Database) -> Session {
    let session = db.create_session();
    session.set("staying-key", "staying-value").unwrap();
    session.set_owner(Some("staying-owner")).unwrap();
    session
}

fn assert_staying(directory: &Path, bystander: &Session) {
    for text in ["staying-key", "staying-value", "staying-owner"] {
        assert_there(directory, text);
    }
    let value: Option<String> = bystander.get("staying-key").unwrap();
    assert_eq!(value.as_deref(), Some("staying-value"));
}

/// Writes a marked key to a session, has `remove` remove it, and looks at the
/// files; with each of the places that the key can be in by then.
fn assert_all_erased(remove: impl Fn(&Database, &mut Session)) {
    for is_checkpointed in [false, true] {
        for padding in [0, 400] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            let clock = clock();
            let db = by_hand(&clock).open(path).unwrap();
            let bystander = bystander(&db);
            let mut session = db.create_session();
            session.set_owner(Some("marked-owner")).unwrap();
            let filled = session.transaction(|tx| {
                (0..padding).try_for_each(|number| tx.set(&format!("a{number:04}"), "padding"))?;
                tx.set("marked-key", "marked-value")?;
                (0..padding).try_for_each(|number| tx.set(&format!("z{number:04}"), "padding"))
            });
            filled.unwrap();
            if is_checkpointed {
                db.checkpoint().unwrap();
            }
            for text in ["marked-key", "marked-value", "marked-owner"] {
                assert_there(path, text);
            }
            remove(&db, &mut session);
            clock.advance(Duration::from_secs(1));
            assert!(db.stats().erasure_age.is_some());
            db.erase().unwrap();
            assert_eq!(db.stats().erasure_age, None);
            assert_erased(path, "marked-value");
            assert_erased(path, "marked-key");
            assert_staying(path, &bystander);
            db.verify().unwrap();
            drop(session);
            drop(bystander);
            db.close().unwrap();
            assert_erased(path, "marked-value");
            assert_erased(path, "marked-key");
        }
    }
}

#[test]
fn what_was_deleted_is_erased() {
    assert_all_erased(|_, session| session.delete("marked-key").unwrap());
}

#[test]
fn what_was_popped_is_erased() {
    assert_all_erased(|_, session| {
        assert!(session.pop::<String>("marked-key").unwrap().is_some());
    });
}

#[test]
fn what_was_cleared_is_erased() {
    assert_all_erased(|_, session| session.clear().unwrap());
}

#[test]
fn what_was_removed_by_its_prefix_is_erased() {
    assert_all_erased(|_, session| session.remove_prefix("marked").unwrap());
}

#[test]
fn what_a_flushed_session_held_is_erased() {
    assert_all_erased(|_, session| {
        session.flush().unwrap();
    });
}

#[test]
fn what_a_revoked_session_held_is_erased() {
    assert_all_erased(|db, _| {
        assert_eq!(db.revoke_owner("marked-owner").unwrap(), 1);
    });
}

#[test]
fn a_key_whose_time_is_over_is_erased() {
    assert_all_erased(|db, session| {
        let value = "marked-value";
        session
            .set_with_ttl("marked-key", value, Duration::from_nanos(1))
            .unwrap();
        db.checkpoint().unwrap();
    });
}
