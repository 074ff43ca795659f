//! Every way to remove a key or a session leads to its erasure.

use std::time::Duration;

use sessiondb::{Error, Expiry, SessionId};

use crate::places::{ALL, CAP, Place, SOME, Scene};
use crate::support::assert_there;

const KEY: [&str; 2] = ["marked-key", "marked-value"];
const SESSION: [&str; 3] = ["marked-key", "marked-value", "marked-owner"];

fn assert_erased_from(places: &[Place], gone: &[&str], remove: impl Fn(&mut Scene)) {
    for place in places {
        let mut scene = Scene::new(*place);
        remove(&mut scene);
        scene.assert_erases(gone, &format!("{place:?}"));
    }
}

#[test]
fn what_was_deleted_is_erased() {
    assert_erased_from(&ALL, &KEY, |scene| {
        scene.session.delete("marked-key").unwrap();
    });
}

#[test]
fn what_was_deleted_and_checkpointed_is_erased() {
    assert_erased_from(&ALL, &KEY, |scene| {
        scene.session.delete("marked-key").unwrap();
        scene.db.checkpoint().unwrap();
    });
}

#[test]
fn what_was_popped_is_erased() {
    assert_erased_from(&SOME, &KEY, |scene| {
        let popped: Option<String> = scene.session.pop("marked-key").unwrap();
        assert!(popped.is_some());
    });
}

#[test]
fn what_was_popped_if_it_was_expected_is_erased() {
    assert_erased_from(&SOME, &KEY, |scene| {
        let value: String = scene.session.get("marked-key").unwrap().unwrap();
        assert!(scene.session.pop_if("marked-key", &value).unwrap());
    });
}

#[test]
fn what_was_discarded_is_erased() {
    assert_erased_from(&SOME, &KEY, |scene| {
        assert!(scene.session.discard("marked-key").unwrap());
    });
}

#[test]
fn what_was_updated_to_nothing_is_erased() {
    assert_erased_from(&SOME, &KEY, |scene| {
        let updated = scene.session.update("marked-key", |_: Option<String>| None);
        assert_eq!(updated.unwrap(), None);
    });
}

#[test]
fn what_was_removed_by_its_prefix_is_erased() {
    assert_erased_from(&ALL, &KEY, |scene| {
        scene.session.remove_prefix("marked").unwrap();
    });
}

#[test]
fn what_was_cleared_is_erased() {
    assert_erased_from(&ALL, &KEY, |scene| scene.session.clear().unwrap());
}

#[test]
fn what_a_transaction_put_and_another_one_removed_is_erased() {
    assert_erased_from(&SOME, &KEY, |scene| {
        let changed = scene.session.transaction(|tx| {
            tx.set("marked-key-of-a-transaction", "marked-value-too")?;
            tx.delete("marked-key")?;
            tx.set("other", &1)
        });
        changed.unwrap();
        let changed = scene.session.transaction(|tx| {
            tx.set("marked-key", "marked-value")?;
            tx.delete("marked-key-of-a-transaction")?;
            tx.delete("marked-key")
        });
        changed.unwrap();
        assert_eq!(scene.session.get::<u8>("other").unwrap(), Some(1));
    });
}

#[test]
fn an_overwritten_value_is_erased_and_its_key_stays() {
    assert_erased_from(&ALL, &["marked-value"], |scene| {
        scene.session.set("marked-key", "another value").unwrap();
    });
}

#[test]
fn a_value_that_was_compared_and_set_is_erased_and_its_key_stays() {
    assert_erased_from(&SOME, &["marked-value"], |scene| {
        let value: String = scene.session.get("marked-key").unwrap().unwrap();
        let outcome = scene.session.compare_and_set(
            "marked-key",
            Some(&value),
            Some(&"another value".to_owned()),
        );
        assert!(outcome.unwrap());
    });
}

#[test]
fn an_updated_value_is_erased_and_its_key_stays() {
    assert_erased_from(&SOME, &["marked-value"], |scene| {
        let change = |_: Option<String>| Some("another value".to_owned());
        scene.session.update("marked-key", change).unwrap();
        scene.db.erase().unwrap();
        assert_there(scene.path(), "marked-key");
        assert_there(scene.path(), "marked-owner");
        let value: Option<String> = scene.session.get("marked-key").unwrap();
        assert_eq!(value.as_deref(), Some("another value"));
        scene.session.set("marked-key", "a third value").unwrap();
    });
}

#[test]
fn what_a_flushed_session_held_is_erased() {
    assert_erased_from(&ALL, &SESSION, |scene| {
        scene.session.flush().unwrap();
    });
}

#[test]
fn what_a_session_held_that_another_one_took_the_place_of_is_erased() {
    assert_erased_from(&SOME, &SESSION, |scene| {
        let outcome = scene.session.flush_with(|tx| tx.set("new", "kept-value"));
        outcome.unwrap();
        scene.db.erase().unwrap();
        assert_there(scene.path(), "kept-value");
        scene.session.delete("new").unwrap();
    });
}

#[test]
fn what_a_destroyed_session_held_is_erased() {
    assert_erased_from(&SOME, &SESSION, |scene| scene.session.destroy().unwrap());
}

#[test]
fn what_a_revoked_session_held_is_erased() {
    assert_erased_from(&SOME, &SESSION, |scene| {
        assert!(scene.db.revoke(scene.session.id()).unwrap());
    });
}

#[test]
fn what_the_revoked_sessions_of_an_owner_held_is_erased() {
    assert_erased_from(&ALL, &SESSION, |scene| {
        assert_eq!(scene.db.revoke_owner("marked-owner").unwrap(), 1);
    });
}

#[test]
fn what_the_other_sessions_of_an_owner_held_is_erased_and_the_one_stays() {
    assert_erased_from(&SOME, &KEY, |scene| {
        let other = scene.db.create_session();
        other.set("kept-key", "kept-value").unwrap();
        other.set_owner(Some("marked-owner")).unwrap();
        let revoked = scene.db.revoke_owner_except("marked-owner", &other.id());
        assert_eq!(revoked.unwrap(), 1);
        scene.db.erase().unwrap();
        assert_there(scene.path(), "kept-value");
        assert_there(scene.path(), "marked-owner");
        assert_eq!(scene.db.sessions_of("marked-owner").unwrap().len(), 1);
        other.set("kept-key", "another").unwrap();
    });
}

#[test]
fn what_the_session_held_that_was_one_too_many_of_its_owner_is_erased() {
    assert_erased_from(&SOME, &KEY, |scene| {
        for _ in 0..CAP {
            scene.clock.advance(Duration::from_secs(1));
            let newer = scene.db.create_session();
            newer.set("kept-key", "kept-value").unwrap();
            newer.set_owner(Some("marked-owner")).unwrap();
        }
        let gone = scene.session.get::<String>("marked-key");
        assert!(matches!(gone, Err(Error::SessionGone)), "{gone:?}");
        assert_eq!(scene.db.sessions_of("marked-owner").unwrap().len(), CAP);
    });
}

#[test]
fn what_a_session_of_a_chosen_id_held_is_erased() {
    assert_erased_from(&SOME, &SESSION, |scene| {
        let id = SessionId::from_bytes([9; 16]);
        let session = scene.db.create_session_with_id(id, Expiry::Default);
        let mut session = session.unwrap();
        session.set("marked-key", "marked-value").unwrap();
        session.set_owner(Some("marked-owner")).unwrap();
        scene.session.destroy().unwrap();
        scene.db.checkpoint().unwrap();
        assert_there(scene.path(), "marked-value");
        session.destroy().unwrap();
    });
}

#[test]
fn an_owner_that_was_taken_away_is_erased() {
    assert_erased_from(&ALL, &["marked-owner"], |scene| {
        scene.session.set_owner(None).unwrap();
    });
}

#[test]
fn an_owner_in_whose_place_there_is_another_one_is_erased() {
    assert_erased_from(&ALL, &["marked-owner"], |scene| {
        scene.session.set_owner(Some("another-one")).unwrap();
    });
}

#[test]
fn a_session_that_was_idle_for_too_long_is_erased() {
    assert_erased_from(&ALL, &SESSION, |scene| {
        let idle = Duration::from_secs(5);
        scene.session.set_expiry(Expiry::Idle(idle)).unwrap();
        scene.clock.advance(2 * idle);
        assert_eq!(scene.db.purge_expired().unwrap(), 1);
    });
}

#[test]
fn a_session_whose_time_is_over_is_erased_though_nobody_purged_it() {
    assert_erased_from(&ALL, &SESSION, |scene| {
        let time = sessiondb::Clock::now(&*scene.clock) + Duration::from_secs(5);
        scene.session.set_expiry(Expiry::At(time)).unwrap();
        scene.clock.advance(Duration::from_secs(10));
    });
}

#[test]
fn a_session_that_is_given_a_time_in_the_past_is_erased() {
    assert_erased_from(&SOME, &SESSION, |scene| {
        let time = std::time::SystemTime::UNIX_EPOCH;
        scene.session.set_expiry(Expiry::At(time)).unwrap();
    });
}

#[test]
fn what_a_session_holds_stays_when_its_id_changes() {
    for place in ALL {
        let mut scene = Scene::new(place);
        scene.session.cycle_id().unwrap();
        scene.db.erase().unwrap();
        for text in SESSION {
            assert_there(scene.path(), text);
        }
        assert!(scene.session.contains_key("marked-key").unwrap());
        scene.session.delete("marked-key").unwrap();
        scene.assert_erases(&KEY, &format!("{place:?}"));
    }
}
