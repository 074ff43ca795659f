//! Values: every promise about what comes back, in memory, and after a
//! checkpoint and a reopening.

mod bytes;
mod evolution;
mod maps;
mod numbers;
mod shapes;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sessiondb::{Error, Session};

use super::support::{Stage, State};

/// Asserts that a value comes back as itself in every state.
#[track_caller]
fn round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug>(values: &[T]) {
    is_read_as(values, values);
}

/// Asserts that what was written is read as values of another type.
#[track_caller]
fn is_read_as<W: Serialize, R: DeserializeOwned + PartialEq + Debug>(written: &[W], read: &[R]) {
    assert_eq!(written.len(), read.len());
    for stage in stages(|session| put_all(session, written)) {
        for (number, expected) in read.iter().enumerate() {
            let found = stage.session.get::<R>(&number.to_string());
            let found = found.unwrap_or_else(|error| panic!("{expected:?}, {stage}: {error}"));
            assert_eq!(found.as_ref(), Some(expected), "{stage}");
        }
    }
}

/// Asserts that what was written is not read as this type, and stays.
#[track_caller]
fn is_refused_as<R: DeserializeOwned + Debug, W: Serialize>(written: &[W]) {
    for mut stage in stages(|session| put_all(session, written)) {
        stage.writes_nothing("a refused read", |session| {
            for number in 0..written.len() {
                let key = number.to_string();
                let found = session.get::<R>(&key);
                assert!(
                    matches!(&found, Err(Error::Decode { key: named, .. }) if *named == key),
                    "value {number}: {found:?}"
                );
                assert!(matches!(session.pop::<R>(&key), Err(Error::Decode { .. })));
                assert!(session.contains_key(&key).unwrap());
            }
        });
    }
}

fn stages<P: Fn(&Session)>(prepare: P) -> impl Iterator<Item = Stage> {
    let states = [State::Memtable, State::Reopened].into_iter();
    states.map(move |state| Stage::new(state, &prepare))
}

fn put_all<W: Serialize>(session: &Session, values: &[W]) {
    for (number, value) in values.iter().enumerate() {
        session.set(&number.to_string(), value).unwrap();
    }
}
