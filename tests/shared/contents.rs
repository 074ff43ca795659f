//! What is in a session, and how that differs from what should be.

use std::collections::BTreeMap;

use sessiondb::Session;

use crate::operation::{Keys, OWNER};

/// A session's keys, walked and looked up one by one.
pub(crate) fn contents(session: &Session) -> Keys {
    let mut keys: Keys = session.to_map().expect("it can be read");
    for (key, value) in &keys {
        let found: Option<String> = session.get(key).expect("it can be read");
        assert_eq!(found.as_ref(), Some(value), "a walk and a lookup differ");
    }
    let owner = session.owner().expect("it can be read");
    keys.extend(owner.map(|owner| (OWNER.to_owned(), owner)));
    keys
}

/// Where what is there is not what is expected.
pub(crate) fn difference(expected: Option<&Keys>, found: Option<&Keys>) -> String {
    let (Some(expected), Some(found)) = (expected, found) else {
        return format!(
            "expected: {}, found: {}",
            expected.is_some(),
            found.is_some()
        );
    };
    let brief = |value: Option<&String>| value.map(|value| value.chars().take(20).collect());
    let all: BTreeMap<&String, (Option<String>, Option<String>)> = expected
        .keys()
        .chain(found.keys())
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| (key, (brief(expected.get(key)), brief(found.get(key)))))
        .collect();
    format!("key: (expected before the last operation, found): {all:?}")
}
