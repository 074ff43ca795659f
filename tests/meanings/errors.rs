//! Errors: one type, `Send + Sync + 'static`, whose messages name the fact and
//! the remedy and never a value or a token, and whose `source()` is kept.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sessiondb::{Error, Fault, FaultEffect, MAX_VALUE_BYTES, Operation, Session, SessionId};

use super::support::{NEVER_BY_ITSELF, Stage, State, fresh, quiet};

const SECRET: &str = "correct horse battery staple";
const NUMBER: u64 = 424_242_424_242;

/// Everything an error says: its messages and those of its sources.
fn all_it_says(error: &Error) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        said = format!("{said} {error} {error:?}");
        source = error.source();
    }
    said
}

#[track_caller]
fn keeps_secrets(error: &Error, id: SessionId) {
    let said = all_it_says(error);
    for secret in [SECRET, "battery", &NUMBER.to_string(), &id.to_string()] {
        assert!(!said.contains(secret), "{secret} is in: {said}");
    }
}

/// A type whose own errors quote what they refuse.
#[derive(Debug)]
struct Chatty;

impl Serialize for Chatty {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format_args!("no {SECRET}")))
    }
}

impl<'de> Deserialize<'de> for Chatty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(serde::de::Error::custom(format_args!("cannot use {text}")))
    }
}

#[derive(Debug, Deserialize)]
enum Choice {
    One,
}

fn secrets(session: &Session) {
    session.set("text", SECRET).unwrap();
    session.set("number", &NUMBER).unwrap();
    session
        .set(
            "map",
            &[(SECRET, NUMBER)]
                .into_iter()
                .collect::<std::collections::HashMap<_, _>>(),
        )
        .unwrap();
    session.set_bytes("raw", SECRET.as_bytes()).unwrap();
}

#[test]
fn no_message_of_an_operation_contains_a_value_or_a_token() {
    for mut stage in Stage::each(secrets) {
        let id = stage.session.id();
        let long = format!("{SECRET}{}", "x".repeat(MAX_VALUE_BYTES));
        let session = &stage.session;
        let mut errors = vec![
            session.get::<u8>("text").unwrap_err(),
            session.get::<u8>("number").unwrap_err(),
            session.get::<String>("number").unwrap_err(),
            session.get::<bool>("map").unwrap_err(),
            session.get::<String>("raw").unwrap_err(),
            session.get::<Chatty>("text").unwrap_err(),
            session.get::<std::net::IpAddr>("text").unwrap_err(),
            session.get::<char>("text").unwrap_err(),
            session.pop::<(u8, u8)>("text").unwrap_err(),
            session.get_bytes("text").unwrap_err(),
            session.to_map::<u8>().unwrap_err(),
            session.set("chatty", &Chatty).unwrap_err(),
            session.set("text", &long).unwrap_err(),
            session.set_bytes("raw", long.as_bytes()).unwrap_err(),
            session.delete("absent").unwrap_err(),
            session.set("", SECRET).unwrap_err(),
        ];
        errors.push(
            session
                .get::<Choice>("text")
                .map(|choice| assert!(matches!(choice, Some(Choice::One))))
                .unwrap_err(),
        );
        let outcome = session.transaction(|tx| {
            tx.set("more", SECRET)?;
            errors.push(stage.db.open_token(&id.to_string()).unwrap_err());
            tx.get::<u8>("more")
        });
        errors.push(outcome.unwrap_err());
        let other = stage.handle();
        stage.session.flush().unwrap();
        errors.push(other.set("text", SECRET).unwrap_err());
        errors.push(other.get::<String>("text").unwrap_err());
        stage.db.close().unwrap();
        errors.push(other.get::<String>("text").unwrap_err());
        for error in &errors {
            keeps_secrets(error, id);
        }
    }
}

#[test]
fn no_message_of_a_failing_disk_contains_a_value_or_a_token() {
    let failures = [
        (Operation::Write, io::ErrorKind::Other),
        (Operation::SyncData, io::ErrorKind::Other),
        (Operation::Write, io::ErrorKind::StorageFull),
    ];
    for (operation, kind) in failures {
        let stage = Stage::new(State::Memtable, secrets);
        let id = stage.session.id();
        fail(&stage, operation, kind);
        let first = stage.session.set("text", SECRET).unwrap_err();
        keeps_secrets(&first, id);
        let second = stage.session.set("text", SECRET).unwrap_err();
        assert!(matches!(second, Error::Poisoned { .. }), "{second:?}");
        keeps_secrets(&second, id);
    }
}

fn fail(stage: &Stage, operation: Operation, kind: io::ErrorKind) {
    stage.disk.inject(Fault {
        operation,
        path_contains: String::new(),
        after: 0,
        times: u64::MAX,
        kind,
        effect: FaultEffect::Refuse,
    });
}

#[test]
fn no_message_of_a_damaged_file_contains_a_value() {
    let stage = Stage::new(State::Reopened, secrets);
    let (disk, id) = (stage.disk.clone(), stage.session.id());
    drop(stage);
    let segment = disk
        .files()
        .into_iter()
        .find(|path| path.starts_with("segments/"));
    let segment = segment.expect("it was checkpointed");
    let mut bytes = disk.read_file(&segment).unwrap();
    let place = bytes.windows(7).position(|window| window == b"battery");
    bytes[place.expect("values are stored as they are")] ^= 1;
    disk.write_file(&segment, &bytes).unwrap();
    let db = super::support::open_on(&disk);
    let damaged = db
        .open_session(&id)
        .and_then(|session| session.unwrap().get::<String>("text"));
    let error = damaged.unwrap_err();
    assert!(
        matches!(&error, Error::Corrupted { path, .. } if path.ends_with(&segment)),
        "{error:?}"
    );
    keeps_secrets(&error, id);
}

#[test]
fn messages_name_the_fact_and_the_remedy() {
    let mut stage = Stage::new(State::Memtable, secrets);
    let other = stage.handle();
    let gone = "the session is gone (logged out or expired elsewhere); treat the visitor as new";
    let expected = [
        (
            stage.session.delete("cart").unwrap_err(),
            "the session holds no key \"cart\"; use `discard` or `pop` where absence is fine",
        ),
        (
            stage.session.set("", &1).unwrap_err(),
            "a key must have 1 to 512 bytes, this one has 0; choose another key",
        ),
        (
            "x".parse::<SessionId>().unwrap_err(),
            "not a session ID: it does not have 22 characters; \
             treat it as that of an unknown session",
        ),
        (
            stage.session.get::<u8>("text").unwrap_err(),
            "the value of key \"text\" is not of the requested type, \
             ask for the one it was written with: found text, expected u8",
        ),
        (
            stage.session.get::<u8>("raw").unwrap_err(),
            "the value of key \"raw\" is not of the requested type, \
             ask for the one it was written with: it holds raw bytes; read it with `get_bytes`",
        ),
        (
            stage
                .session
                .transaction(|_| stage.db.commit())
                .unwrap_err(),
            "the database was used inside a transaction's closure; \
             use the closure's own `Transaction`",
        ),
    ];
    for (error, message) in expected {
        assert_eq!(error.to_string(), message);
    }
    let chatty = stage.session.set("chatty", &Chatty).unwrap_err();
    assert!(
        chatty
            .to_string()
            .starts_with("the value of key \"chatty\" cannot be stored, change it: "),
        "{chatty}"
    );
    stage.session.flush().unwrap();
    assert_eq!(other.len().unwrap_err().to_string(), gone);
    let locked = quiet().open_on(Arc::new(stage.disk.clone())).unwrap_err();
    assert_eq!(
        locked.to_string(),
        "/simulated is in use by another process or handle; close it there first"
    );
    stage.db.close().unwrap();
    assert_eq!(
        other.len().unwrap_err().to_string(),
        "the database is closed; open it again"
    );
}

#[test]
fn messages_of_the_disk_name_the_place_and_the_remedy() {
    let path = Path::new("data/CURRENT").to_path_buf();
    let source = || io::Error::other("it is broken");
    let expected = [
        (
            Error::TooLarge {
                what: "a transaction",
                size: 7,
                limit: 5,
            },
            "a transaction of 7 bytes is over the limit of 5 bytes; nothing was written, divide it",
        ),
        (
            Error::Corrupted {
                path: path.clone(),
                offset: 3,
                reason: "its checksum is wrong".to_owned(),
            },
            "damaged data in data/CURRENT at byte 3: its checksum is wrong; \
             restore this directory from a backup, or save the rest of it with `Database::repair`",
        ),
        (
            Error::StorageFull {
                doing: "write",
                source: None,
            },
            "no space left to write; free some space, no reopening is needed",
        ),
        (
            Error::Poisoned {
                cause: "it is broken".to_owned(),
            },
            "the database stopped writing after a failure (it is broken); \
             reopen it once the cause is mended",
        ),
        (
            Error::Version {
                path: path.clone(),
                found: 2,
                supported: 1,
            },
            "data/CURRENT has format version 2, this library reads up to 1; use a newer release",
        ),
        (
            Error::NotADirectory { path: path.clone() },
            "data/CURRENT is not a directory; give the path of a directory, existing or not",
        ),
        (
            Error::NotWritable {
                path: path.clone(),
                source: source(),
            },
            "data/CURRENT cannot be written to; check its owner, its mode and its file system",
        ),
        (
            Error::Io {
                doing: "read",
                path,
                source: source(),
            },
            "cannot read data/CURRENT: it is broken; mend the cause and try again",
        ),
    ];
    for (error, message) in expected {
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_source_of_an_error_is_kept() {
    let stage = Stage::new(State::Memtable, secrets);
    let decode = stage.session.get::<u8>("text").unwrap_err();
    assert_eq!(
        decode.source().unwrap().to_string(),
        "found text, expected u8"
    );
    let encode = stage.session.set("chatty", &Chatty).unwrap_err();
    assert!(matches!(encode, Error::Encode { .. }));
    assert!(encode.source().is_some());
    let no_source = stage.session.delete("absent").unwrap_err();
    assert!(no_source.source().is_none());
    drop(stage);

    let (disk, db) = fresh();
    db.close().unwrap();
    for (kind, variant) in [
        (io::ErrorKind::Other, "Io"),
        (io::ErrorKind::PermissionDenied, "NotWritable"),
        (io::ErrorKind::StorageFull, "StorageFull"),
    ] {
        disk.inject(Fault {
            operation: Operation::Create,
            path_contains: "journal".into(),
            after: 0,
            times: 10,
            kind,
            effect: FaultEffect::Refuse,
        });
        // It would do for a full disk.
        disk.remove_file("RESERVE").unwrap();
        let error = quiet().open_on(Arc::new(disk.clone())).unwrap_err();
        assert!(format!("{error:?}").starts_with(variant), "{error:?}");
        let source = error.source().expect("what the system said");
        let source = source.downcast_ref::<io::Error>().expect("as it said it");
        assert_eq!(source.kind(), kind, "{variant}");
        disk.clear_faults();
        quiet()
            .open_on(Arc::new(disk.clone()))
            .unwrap()
            .close()
            .unwrap();
    }
}

#[test]
fn an_io_error_names_what_was_done_and_where() {
    let (disk, db) = fresh();
    db.close().unwrap();
    disk.inject(Fault {
        operation: Operation::Read,
        path_contains: "CURRENT".into(),
        after: 0,
        times: 1,
        kind: io::ErrorKind::Other,
        effect: FaultEffect::Refuse,
    });
    match quiet().open_on(Arc::new(disk)).unwrap_err() {
        Error::Io {
            doing,
            path,
            source,
        } => {
            assert_eq!(
                (doing, path.as_path()),
                ("read", Path::new("/simulated/CURRENT"))
            );
            assert_eq!(source.to_string(), "an injected fault");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_poisoned_database_names_the_cause_and_shows_nothing_that_is_not_on_disk() {
    for deferred in [false, true] {
        let stage = Stage::new(State::Memtable, |session| session.set("a", &1).unwrap());
        let db = if deferred {
            stage.db.with_durability(NEVER_BY_ITSELF)
        } else {
            stage.db.clone()
        };
        let session = db.open_session(&stage.session.id()).unwrap().unwrap();
        fail(&stage, Operation::SyncData, io::ErrorKind::Other);
        let failed = session.set("a", &2).and_then(|()| session.commit());
        assert!(failed.is_err());
        stage.disk.clear_faults();
        for answer in [
            session.set("b", &3),
            session.get::<i64>("a").map(drop),
            session.commit(),
        ] {
            match answer {
                Err(Error::Poisoned { cause }) => assert!(cause.contains("sync"), "{cause}"),
                other => panic!("{other:?}"),
            }
        }
        assert!(db.close().is_err());
    }
}

fn passes_through_a_box(error: Error) -> Box<dyn std::error::Error + Send + Sync + 'static> {
    error.into()
}

#[test]
fn an_error_crosses_threads_and_is_found_again() {
    let stage = Stage::new(State::Memtable, |session| session.set("a", &1).unwrap());
    let session = stage.session;
    let thread = std::thread::spawn(move || passes_through_a_box(session.delete("b").unwrap_err()));
    let boxed = thread.join().unwrap();
    let error = boxed.downcast_ref::<Error>().unwrap();
    assert!(matches!(error, Error::KeyNotFound { key } if key == "b"));
    let as_io = io::Error::other(boxed);
    assert!(as_io.to_string().contains("holds no key"));
}

#[test]
fn handles_shown_for_debugging_keep_values_and_tokens_to_themselves() {
    for stage in Stage::each(secrets) {
        let token = stage.session.id().to_string();
        let entries: Vec<_> = stage.session.iter().unwrap().collect();
        let bytes = stage.session.get_bytes("raw").unwrap();
        stage.session.set("more", SECRET).unwrap();
        let in_transaction = stage.session.transaction(|tx| {
            tx.set("most", SECRET)?;
            Ok(format!("{tx:?}"))
        });
        let shown = [
            format!("{:?}", stage.session),
            format!("{:?}", stage.db),
            format!("{entries:?}"),
            format!("{bytes:?}"),
            in_transaction.unwrap(),
        ];
        // A vector of bytes is shown as numbers.
        let numbers = format!("{:?}", &SECRET.as_bytes()[..8]);
        let numbers = numbers.trim_matches(['[', ']']);
        for text in &shown {
            for secret in [SECRET, numbers, &token] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
}
