//! What is held across a compaction goes on as if there were none.

use crate::support::{Model, begun, check_session, prepared, session};

/// A session that lies in a file which goes.
fn moved(model: &Model) -> sessiondb::SessionId {
    model.ids().into_iter().next().unwrap()
}

#[test]
fn an_iteration_that_is_held_goes_on() {
    let (prepared, model) = prepared(10);
    let (_disk, db) = begun(&prepared);
    for id in model.ids() {
        let (_, held) = &model.live[&id.to_string()];
        let session = session(&db, &id);
        let mut keys = session.keys().unwrap();
        let first = keys.next().unwrap().unwrap();
        db.compact().unwrap();
        let mut found = vec![first];
        found.extend(keys.map(Result::unwrap));
        let expected: Vec<String> = held.keys().cloned().collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_session_in_memory_is_read_and_written() {
    let (prepared, mut model) = prepared(11);
    let (_disk, db) = begun(&prepared);
    let sessions: Vec<_> = model.ids().iter().map(|id| session(&db, id)).collect();
    db.compact().unwrap();
    for session in &sessions {
        let (_, held) = &model.live[&session.id().to_string()];
        check_session(session, held, "after a compaction");
        model.fill(session, 3);
    }
    db.checkpoint().unwrap();
    db.compact().unwrap();
    model.check(&db, "after another one");
}

#[test]
fn a_session_that_changes_its_id_meanwhile_is_found_under_the_new_one() {
    let (prepared, mut model) = prepared(12);
    let (_disk, db) = begun(&prepared);
    let old = moved(&model);
    let mut session = session(&db, &old);
    session.cycle_id().unwrap();
    let (_, held) = model.live.remove(&old.to_string()).unwrap();
    model.dead.push(old);
    let id = session.id();
    model.live.insert(id.to_string(), (id, held));
    db.compact().unwrap();
    model.check(&db, "cycled");
}

#[test]
fn a_transaction_that_is_open_reads_what_it_read_before() {
    let (prepared, model) = prepared(13);
    let (_disk, db) = begun(&prepared);
    let id = moved(&model);
    let session = session(&db, &id);
    let (_, held) = &model.live[&id.to_string()];
    std::thread::scope(|scope| {
        session
            .transaction(|tx| {
                let before = tx.get_bytes("key/000")?;
                scope.spawn(|| db.compact().unwrap()).join().unwrap();
                for (key, value) in held {
                    assert_eq!(tx.get_bytes(key)?.as_deref(), Some(&value[..]));
                }
                tx.set_bytes("key/999", &before.unwrap())
            })
            .unwrap();
    });
    assert_eq!(session.len().unwrap(), held.len() + 1);
    db.verify().unwrap();
}
