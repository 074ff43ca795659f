//! Pop removes an item and returns it; without the item it returns the
//! caller's default.

use sessiondb::Error;

use crate::support::Scene;

#[test]
fn pop_returns_the_value_and_removes_it() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session.set("some key", "exists").unwrap();
    let popped: Option<String> = session.pop("some key").unwrap();
    assert_eq!(popped.as_deref(), Some("exists"));
    assert!(!session.contains_key("some key").unwrap());
    assert_eq!(session.pop::<String>("some key").unwrap(), None);
}

#[test]
fn pop_of_a_missing_key_gives_the_default() {
    let scene = Scene::new();
    let session = scene.written();
    let popped: Option<String> = session.pop("some key").unwrap();
    assert_eq!(
        popped.unwrap_or("does not exist".to_owned()),
        "does not exist"
    );
    let popped: Option<i64> = session.pop("some key").unwrap();
    assert_eq!(popped.unwrap_or_default(), 0);
}

#[test]
fn pop_of_a_present_key_does_not_give_the_default() {
    let scene = Scene::new();
    let session = scene.db.create_session();
    session.set("some key", &7).unwrap();
    assert_eq!(session.pop("some key").unwrap().unwrap_or(9), 7);
}

#[test]
fn a_missing_key_without_a_default_is_the_error_of_the_strict_delete() {
    let scene = Scene::new();
    let session = scene.written();
    // `pop(key)` of a dictionary, which raises: a pop and a strict delete.
    let popped = session.transaction(|tx| {
        let value: Option<i64> = tx.get("some key")?;
        tx.delete("some key")?;
        Ok(value)
    });
    assert!(matches!(popped, Err(Error::KeyNotFound { .. })));
    assert_eq!(session.get("user").unwrap(), Some(1));
}
