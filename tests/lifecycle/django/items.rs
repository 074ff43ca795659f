//! A session is a dictionary that lasts.

use sessiondb::Error;

use crate::support::{Fate, Scene, contents, named};

#[test]
fn a_new_session_is_empty() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    assert!(session.is_empty().unwrap());
    assert_eq!(session.len().unwrap(), 0);
    assert!(!session.contains_key("cat").unwrap());
}

#[test]
fn a_missing_key_is_no_value() {
    let scene = Scene::new();
    let session = scene.written();
    assert_eq!(session.get::<String>("cat").unwrap(), None);
    let missing = session.get::<String>("cat").unwrap();
    assert_eq!(missing.unwrap_or_else(|| "dog".to_owned()), "dog");
}

#[test]
fn what_is_stored_is_there_for_the_next_request() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        session.set("cat", "dog").unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let cat: Option<String> = scene.handle(&id).get("cat").unwrap();
        assert_eq!(cat.as_deref(), Some("dog"), "{fate}");
    }
}

#[test]
fn several_values_are_stored_at_once() {
    let scene = Scene::new();
    let session = scene.written();
    let update = session.transaction(|tx| {
        tx.set("update key", &1)?;
        tx.set("user", &2)
    });
    update.unwrap();
    assert_eq!(contents(&session), named(&[("update key", 1), ("user", 2)]));
}

#[test]
fn keys_values_and_items_are_those_that_were_stored() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session.set("x", &1).unwrap();
    session.set("y", &2).unwrap();
    let keys: Vec<String> = session.keys().unwrap().map(Result::unwrap).collect();
    assert_eq!(keys, ["x", "y"]);
    let values = session.iter().unwrap();
    let values: Vec<i64> = values
        .map(|entry| entry.unwrap().decode().unwrap())
        .collect();
    assert_eq!(values, [1, 2]);
    assert_eq!(contents(&session), named(&[("x", 1), ("y", 2)]));
}

#[test]
fn clearing_removes_the_items_and_keeps_the_id() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session.set("x", &1).unwrap();
    session.set("y", &2).unwrap();
    let id = session.id();
    session.clear().unwrap();
    assert_eq!(session.id(), id);
    assert!(scene.handle(&id).is_empty().unwrap());
}

#[test]
fn deleting_a_missing_item_is_an_error() {
    let scene = Scene::new();
    let session = scene.written();
    let deleted = session.delete("some key");
    assert!(matches!(deleted, Err(Error::KeyNotFound { key }) if key == "some key"));
    session.delete("user").unwrap();
    assert!(matches!(
        session.delete("user"),
        Err(Error::KeyNotFound { .. })
    ));
}
