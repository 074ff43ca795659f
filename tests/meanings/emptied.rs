//! An emptied session that was written keeps its ID.

use sessiondb::Session;

use super::support::Stage;

type Empty = fn(&Session);

const WAYS: &[(&str, Empty)] = &[
    ("delete", |session| session.delete("a").unwrap()),
    ("discard", |session| assert!(session.discard("a").unwrap())),
    ("pop", |session| {
        assert_eq!(session.pop("a").unwrap(), Some(1));
    }),
    ("pop_if", |session| {
        assert!(session.pop_if("a", &1).unwrap());
    }),
    ("compare_and_set", |session| {
        assert!(session.compare_and_set("a", Some(&1), None).unwrap());
    }),
    ("update", |session| {
        session.update("a", |_: Option<i64>| None).unwrap();
    }),
    ("remove_prefix", |session| {
        session.remove_prefix("a").unwrap();
    }),
    ("the empty prefix", |session| {
        session.remove_prefix("").unwrap();
    }),
    ("clear", |session| session.clear().unwrap()),
    ("a transaction", |session| {
        session.transaction(|tx| tx.delete("a")).unwrap();
    }),
];

#[test]
fn an_emptied_session_keeps_its_id() {
    for (way, empty) in WAYS {
        for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
            let other = stage.handle();
            let id = stage.session.id();
            empty(&stage.session);
            assert_eq!(stage.session.id(), id);
            assert!(stage.session.is_empty().unwrap(), "{way}, {stage}");
            assert!(other.is_empty().unwrap(), "{way}, {stage}");
            assert!(stage.handle().is_empty().unwrap(), "{way}, {stage}");
            drop(other);
            // Checkpointed and opened again, it is still there.
            stage.holds(&[]);
        }
    }
}

#[test]
fn an_emptied_session_takes_values_again() {
    let emptied = |session: &Session| {
        session.set("a", &1).unwrap();
        session.delete("a").unwrap();
    };
    for stage in Stage::each(emptied) {
        stage.session.set("b", &2).unwrap();
        assert_eq!(stage.session.get::<i64>("a").unwrap(), None);
        stage.holds(&[("b", 2)]);
    }
}
