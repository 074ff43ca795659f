//! Cycling gives a session a new ID and keeps its data.

use sessiondb::Session;

use super::support::{Stage, State, contents, fresh, named, open_on};

fn two_keys(session: &Session) {
    session.set("a", &1).unwrap();
    session.set("b", &2).unwrap();
}

#[test]
fn cycle_keeps_all_data_under_a_new_id() {
    for mut stage in Stage::each(two_keys) {
        let old = stage.session.id();
        let new = stage.session.cycle_id().unwrap();
        assert_ne!(old, new);
        assert_eq!(stage.session.id(), new);
        assert_eq!(contents(&stage.handle()), named(&[("a", 1), ("b", 2)]));
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn the_old_id_is_dead_at_once_and_stays_dead() {
    for mut stage in Stage::each(two_keys) {
        let old = stage.session.id();
        let token = old.to_string();
        stage.session.cycle_id().unwrap();
        assert!(stage.db.open_session(&old).unwrap().is_none(), "{stage}");
        stage.db.checkpoint().unwrap();
        assert!(stage.db.open_token(&token).unwrap().is_none(), "{stage}");
        let again = stage.reopened();
        assert!(again.db.open_session(&old).unwrap().is_none(), "{again}");
    }
}

#[test]
fn the_old_id_stays_dead_after_a_power_cut() {
    for mut stage in Stage::each(two_keys) {
        let old = stage.session.id();
        stage.session.cycle_id().unwrap();
        let again = stage.after_power_cut();
        assert!(again.db.open_session(&old).unwrap().is_none(), "{again}");
        again.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn writes_before_and_after_a_cycle_are_all_kept() {
    for mut stage in Stage::each(two_keys) {
        stage.session.set("before", &3).unwrap();
        stage.session.delete("a").unwrap();
        stage.session.cycle_id().unwrap();
        stage.session.set("after", &4).unwrap();
        stage.session.set("b", &5).unwrap();
        stage.holds(&[("after", 4), ("b", 5), ("before", 3)]);
    }
}

#[test]
fn a_session_may_be_cycled_again_and_again() {
    for mut stage in Stage::each(two_keys) {
        let mut dead = Vec::new();
        for round in 0..4 {
            dead.push(stage.session.id());
            stage.session.cycle_id().unwrap();
            if round % 2 == 0 {
                stage.db.checkpoint().unwrap();
            }
        }
        for id in &dead {
            assert!(stage.db.open_session(id).unwrap().is_none(), "{stage}");
        }
        stage.holds(&[("a", 1), ("b", 2)]);
    }
}

#[test]
fn a_cycled_session_can_be_flushed() {
    for mut stage in Stage::each(two_keys) {
        let first = stage.session.id();
        let second = stage.session.cycle_id().unwrap();
        stage.session.flush().unwrap();
        for id in [first, second] {
            assert!(stage.db.open_session(&id).unwrap().is_none(), "{stage}");
        }
        let disk = stage.disk.clone();
        stage.db.close().unwrap();
        drop(stage);
        let db = open_on(&disk);
        for id in [first, second] {
            assert!(db.open_session(&id).unwrap().is_none());
        }
        assert_eq!(db.verify().unwrap().sessions, 0);
    }
}

#[test]
fn an_emptied_session_can_be_cycled() {
    for state in State::ALL {
        let mut stage = Stage::new(state, |session| {
            session.set("a", &1).unwrap();
            session.delete("a").unwrap();
        });
        stage.session.cycle_id().unwrap();
        stage.holds(&[]);
    }
}

#[test]
fn what_was_written_right_after_a_cycle_belongs_to_one_session() {
    let (_disk, db) = fresh();
    let mut session = db.create_session();
    session.set("a", &1).unwrap();
    session.cycle_id().unwrap();
    let other = db.open_session(&session.id()).unwrap().unwrap();
    other.set("b", &2).unwrap();
    assert_eq!(contents(&session), named(&[("a", 1), ("b", 2)]));
    db.checkpoint().unwrap();
    assert_eq!(db.verify().unwrap().sessions, 1);
}
