//! Flush drops everything and gives the handle a new ID.

use sessiondb::Session;

use super::support::{Footprint, Stage, State, fresh, open_on};

fn two_keys(session: &Session) {
    session.set("a", &1).unwrap();
    session.set("b", &2).unwrap();
}

#[test]
fn flush_drops_all_data_and_changes_the_id() {
    for mut stage in Stage::each(two_keys) {
        let old = stage.session.id();
        let new = stage.session.flush().unwrap();
        assert_ne!(old, new, "{stage}");
        assert_eq!(stage.session.id(), new);
        assert!(stage.session.is_empty().unwrap(), "{stage}");
        assert_eq!(stage.session.get::<i64>("a").unwrap(), None);
        assert!(stage.db.open_session(&old).unwrap().is_none());
    }
}

#[test]
fn nothing_is_on_disk_under_the_new_id_before_its_first_value() {
    for mut stage in Stage::each(two_keys) {
        let new = stage.session.flush().unwrap();
        assert!(stage.db.open_session(&new).unwrap().is_none());
        stage.writes_nothing("a second flush", |session| session.flush().unwrap());
        let disk = stage.disk.clone();
        stage.db.close().unwrap();
        drop(stage);
        let db = open_on(&disk);
        assert_eq!(db.verify().unwrap().sessions, 0);
    }
}

#[test]
fn the_handle_goes_on_under_its_new_id() {
    for mut stage in Stage::each(two_keys) {
        stage.session.flush().unwrap();
        stage.session.set("b", &7).unwrap();
        stage.holds(&[("b", 7)]);
    }
}

#[test]
fn a_session_may_be_flushed_again_and_again() {
    for mut stage in Stage::each(two_keys) {
        let mut ids = vec![stage.session.id()];
        for round in 0..3 {
            stage.session.set("a", &round).unwrap();
            ids.push(stage.session.flush().unwrap());
            stage.db.checkpoint().unwrap();
        }
        for id in &ids {
            assert!(stage.db.open_session(id).unwrap().is_none(), "{stage}");
        }
        ids.sort_by_key(|id| id.to_bytes());
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }
}

/// Bytes that `end` adds to the journal for a session of so many keys.
fn journalled(before: State, keys: i64, end: impl FnOnce(&mut Session)) -> u64 {
    let mut stage = Stage::new(before, |session| {
        let fill = session
            .transaction(|tx| (0..keys).try_for_each(|key| tx.set(&format!("key {key}"), &key)));
        fill.unwrap();
    });
    let bytes = stage.db.stats().journal_live_bytes;
    end(&mut stage.session);
    stage.db.stats().journal_live_bytes - bytes
}

#[test]
fn flush_cycle_and_clear_write_the_same_for_one_key_and_for_thousands() {
    type End = fn(&mut Session);
    let ends: [(&str, End); 5] = [
        ("flush", |session| {
            session.flush().unwrap();
        }),
        ("destroy", |session| session.destroy().unwrap()),
        ("cycle_id", |session| {
            session.cycle_id().unwrap();
        }),
        ("clear", |session| session.clear().unwrap()),
        ("remove_prefix", |session| {
            session.remove_prefix("key").unwrap();
        }),
    ];
    for (name, end) in ends {
        for state in [State::Memtable, State::Reopened] {
            let few = journalled(state, 1, end);
            let many = journalled(state, 3000, end);
            assert!(few > 0, "{name}, {state:?}");
            // Counts and numbers are written as varints.
            assert!(many <= few + 32, "{name}, {state:?}: {few} and {many}");
        }
    }
}

#[test]
fn a_session_that_was_born_and_flushed_leaves_nothing_to_checkpoint() {
    let (disk, db) = fresh();
    let before = db.stats();
    let mut session = db.create_session();
    session.set("a", &1).unwrap();
    session.flush().unwrap();
    db.checkpoint().unwrap();
    assert_eq!(db.verify().unwrap().sessions, 0);
    assert_eq!(db.stats().memtable_bytes, before.memtable_bytes);
    let settled = Footprint::of(&disk, &db);
    db.checkpoint().unwrap();
    assert_eq!(Footprint::of(&disk, &db), settled);
}
