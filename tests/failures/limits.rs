//! What a session, and the directory, may have at most is kept to, and what
//! only removes is let through.

use std::sync::Arc;

use sessiondb::{Disk as _, Error, Session};

use crate::support::{builder, disk};

const LIMIT: u64 = 10_000;

fn is_full(outcome: &Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::StorageFull { .. }))
}

/// The size of the largest value that can be put.
fn largest(session: &Session, key: &str) -> usize {
    let fits = |bytes: &usize| match session.set_bytes(key, &vec![7; *bytes]) {
        Ok(()) => true,
        Err(Error::TooLarge {
            what: "a session",
            size,
            limit: LIMIT,
        }) => {
            assert!(size > LIMIT);
            false
        }
        Err(error) => panic!("{error}"),
    };
    let sizes: Vec<usize> = (0..12_000).collect();
    let place = sizes.partition_point(fits);
    assert!(place > 0, "nothing fits");
    place - 1
}

#[test]
fn a_session_may_have_as_many_bytes_as_it_is_allowed_and_no_more() {
    let database = builder()
        .max_session_bytes(Some(LIMIT))
        .open_on(Arc::new(disk(1)))
        .unwrap();
    let session = database.create_session();
    let alone = largest(&session, "a");
    // The key and the value's tag.
    assert_eq!(alone as u64, LIMIT - 2);
    for is_checkpointed in [false, true] {
        // A value that is replaced is not counted twice.
        session.set_bytes("a", &vec![1; alone / 2]).unwrap();
        if is_checkpointed {
            database.checkpoint().unwrap();
        }
        assert_eq!(largest(&session, "b"), alone - alone / 2 - 2);
        session.discard("a").unwrap();
        assert_eq!(largest(&session, "b"), alone);
        session.set_bytes("b", &[]).unwrap();
        session.remove_prefix("").unwrap();
        assert_eq!(largest(&session, "c"), alone);
        session.clear().unwrap();
        assert_eq!(largest(&session, "d"), alone);
        let refused = session.transaction(|tx| {
            tx.discard("d")?;
            tx.set_bytes("e", &vec![1; alone])?;
            tx.set_bytes("f", &[])
        });
        assert!(matches!(refused, Err(Error::TooLarge { .. })));
        assert!(session.contains_key("d").unwrap());
        session.clear().unwrap();
    }
    let mut session = session;
    let refused = session.flush_with(|tx| tx.set_bytes("key", &vec![1; alone]));
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    session
        .flush_with(|tx| tx.set_bytes("k", &vec![1; alone]))
        .unwrap();
}

#[test]
fn a_session_that_is_too_large_already_is_left_and_can_shrink() {
    let disk = disk(2);
    let open = |limit| {
        let builder = builder().max_session_bytes(limit);
        builder.open_on(Arc::new(disk.clone())).unwrap()
    };
    let database = open(None);
    let session = database.create_session();
    for key in ["a", "b", "c"] {
        session.set_bytes(key, &[1; 6000]).unwrap();
    }
    database.close().unwrap();
    let database = open(Some(LIMIT));
    let session = database.open_session(&session.id()).unwrap().unwrap();
    assert_eq!(session.len().unwrap(), 3);
    let refused = session.set_bytes("d", &[]);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    session.discard("a").unwrap();
    session.discard("b").unwrap();
    session.set_bytes("d", &[]).unwrap();
}

#[test]
fn a_directory_that_is_as_large_as_it_may_be_takes_removals_only() {
    const MIB: u64 = 1 << 20;
    let disk = disk(3);
    let open = |limit| {
        let builder = builder().max_disk_bytes(limit);
        builder.open_on(Arc::new(disk.clone())).unwrap()
    };
    let limit = disk.used_bytes() + 60 * MIB;
    let database = open(Some(limit));
    let mut sessions = Vec::new();
    let refused = loop {
        assert!(sessions.len() < 10_000);
        let session = database.create_session();
        match session.set_bytes("key", &vec![7; 30_000]) {
            Ok(()) => sessions.push(session),
            Err(error) => break error,
        }
        if sessions.len() % 100 == 0 {
            database.checkpoint().unwrap();
        }
    };
    assert!(
        refused.to_string().contains("`max_disk_bytes`"),
        "{refused}"
    );
    assert!(sessions.len() > 300, "{} sessions", sessions.len());
    database.checkpoint().unwrap();
    let used = disk.used_bytes();
    assert!((limit / 2..limit + 4 * MIB).contains(&used), "{used}");
    for session in sessions.iter_mut().skip(1) {
        session.delete("key").unwrap();
        session.destroy().unwrap();
    }
    // Small values may fit where large ones do not.
    let refused = (0..5000).find_map(|number| {
        let key = format!("more {number}");
        sessions[0].set_bytes(&key, &[7; 3000]).err()
    });
    assert!(is_full(&refused.map_or(Ok(()), Err)));
    sessions[0].delete("key").unwrap();
    database.close().unwrap();
    let database = open(Some(limit + 20 * MIB));
    let first = database.open_session(&sessions[0].id()).unwrap().unwrap();
    first.set("more", &1).unwrap();
    database.verify().unwrap();
}
