//! `setdefault` is `get_or_insert_with`: the value that is there, or else the
//! default, which is there from then on.

use crate::support::{Fate, Scene};

#[test]
fn a_missing_key_takes_the_default_and_keeps_it() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.written();
        let id = session.id();
        assert_eq!(session.get_or_insert_with("foo", || 7).unwrap(), 7);
        assert_eq!(session.get_or_insert_with("foo", || 8).unwrap(), 7);
        let scene = scene.after(fate);
        assert_eq!(scene.handle(&id).get("foo").unwrap(), Some(7), "{fate}");
    }
}

#[test]
fn a_present_key_keeps_its_value_and_nothing_is_written() {
    let scene = Scene::new();
    let session = scene.written();
    let found = scene.writes_nothing("a default that is not needed", || {
        session.get_or_insert_with("user", || -> i64 { panic!("nobody asked for a default") })
    });
    assert_eq!(found.unwrap(), 1);
}
