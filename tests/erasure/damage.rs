//! Damage keeps what lies in its file, is told of, and keeps nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sessiondb::{Database, Error};

use crate::support::{assert_erased, assert_there, by_hand, clock, files, places, traces};

const SECOND: Duration = Duration::from_secs(1);

/// Flips a bit behind a text, in the one segment file that holds it.
fn damage(directory: &Path, text: &str) -> PathBuf {
    let is_it = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "seg")
            && !places(&std::fs::read(path).unwrap(), text.as_bytes()).is_empty()
    };
    let mut found = files(directory).into_iter().filter(is_it);
    let path = found.next().unwrap();
    assert_eq!(found.next(), None, "it is in more than one file");
    let mut bytes = std::fs::read(&path).unwrap();
    let mut windows = bytes.windows(text.len());
    let place = windows.rposition(|window| window == text.as_bytes());
    bytes[place.unwrap() + text.len()] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    path
}

/// All that is left of a text is in the file that is damaged.
fn assert_only_in(file: &Path, directory: &Path, text: &str) {
    let left = traces(directory, text);
    assert!(!left.is_empty());
    let name = file.display().to_string();
    for place in &left {
        assert!(place.starts_with(&name), "{place} is not in {name}");
    }
}

fn assert_names(outcome: sessiondb::Result<()>, file: &Path) {
    match outcome {
        Err(Error::Corrupted { path, .. }) => assert_eq!(path, file),
        outcome => panic!("{outcome:?}"),
    }
}

/// Sessions that fill some files, each with a marked key.
fn fill(db: &Database, sessions: usize) -> Vec<sessiondb::Session> {
    let made = (0..sessions).map(|number| {
        let session = db.create_session();
        let value = format!("marked-value-{number:02}-{}", "p".repeat(700));
        session.set("kept-key", &number).unwrap();
        session
            .set(&format!("marked-key-{number:02}"), &value)
            .unwrap();
        session
    });
    let made = made.collect();
    db.checkpoint().unwrap();
    made
}

#[test]
fn a_damaged_file_is_named_and_all_else_is_erased() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let builder = by_hand(&clock).segment_bytes(8 << 10).cache_bytes(1 << 20);
    let db = builder.clone().open(directory.path()).unwrap();
    let mut sessions = fill(&db, 40);
    let ids: Vec<_> = sessions.iter().map(sessiondb::Session::id).collect();
    let file = damage(directory.path(), "marked-value-20-");
    drop(sessions);
    drop(db);
    // Nothing of it is in memory then.
    let db = builder.open(directory.path()).unwrap();
    let open = |id| db.open_session(id).unwrap().unwrap();
    sessions = ids.iter().map(open).collect();
    for (number, session) in sessions.iter().enumerate() {
        if number != 20 {
            session.delete(&format!("marked-key-{number:02}")).unwrap();
        }
    }
    clock.advance(SECOND);
    assert_names(db.erase(), &file);
    assert!(db.stats().erasure_age >= Some(SECOND));
    assert_only_in(&file, directory.path(), "marked-");
    for (number, session) in sessions.iter().enumerate() {
        if number != 20 {
            assert_eq!(session.get::<usize>("kept-key").unwrap(), Some(number));
        }
    }
    // Once the damaged session is gone nothing keeps the file.
    sessions[20].flush().unwrap();
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    assert_erased(directory.path(), "marked-", "");
    assert_eq!(db.verify().unwrap().sessions, 39);
}

/// The page that cannot be read is in the way of the look at those behind it.
#[test]
fn keys_that_are_over_behind_a_damaged_page_are_erased_and_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let builder = by_hand(&clock).segment_bytes(8 << 10).cache_bytes(1 << 20);
    let db = builder.clone().open(directory.path()).unwrap();
    let session = db.create_session();
    let large = "p".repeat(3000);
    let filled = session.transaction(|tx| {
        for number in 0..10 {
            tx.set(&format!("key-{number}"), &format!("value-{number}-{large}"))?;
        }
        let value = format!("marked-value-{large}");
        tx.set_with_ttl("key-2-marked", &value, SECOND)?;
        tx.set_with_ttl("key-9-marked", &value, SECOND)
    });
    filled.unwrap();
    db.checkpoint().unwrap();
    let id = session.id();
    let file = damage(directory.path(), "value-5-");
    db.close().unwrap();
    let db = builder.open(directory.path()).unwrap();
    clock.advance(2 * SECOND);
    assert_names(db.erase(), &file);
    assert!(db.stats().erasure_age >= Some(SECOND));
    assert_erased(directory.path(), "marked-value", "");
    assert_erased(directory.path(), "-marked", "");
    let mut session = db.open_session(&id).unwrap().unwrap();
    for number in [0, 1, 2, 3, 4, 6, 7, 8, 9] {
        assert!(
            session.contains_key(&format!("key-{number}")).unwrap(),
            "{number}"
        );
    }
    assert_there(directory.path(), "value-5-");
    session.flush().unwrap();
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    assert_erased(directory.path(), "value-5-", "");
}

/// Neither is the session given up for it, though nothing of it can be read.
#[test]
fn a_key_that_is_over_in_a_damaged_image_is_told_of_and_the_others_are_erased() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let builder = by_hand(&clock).segment_bytes(8 << 10).cache_bytes(1 << 20);
    let db = builder.clone().open(directory.path()).unwrap();
    let made = (0..20).map(|number| {
        let session = db.create_session();
        let value = format!("marked-value-{number:02}-{}", "p".repeat(1000));
        session.set_with_ttl("over", &value, SECOND).unwrap();
        session.set("kept-key", &number).unwrap();
        session.id()
    });
    let ids: Vec<_> = made.collect();
    db.close().unwrap();
    let file = damage(directory.path(), "marked-value-10-");
    let db = builder.open(directory.path()).unwrap();
    clock.advance(2 * SECOND);
    assert_names(db.erase(), &file);
    assert!(db.stats().erasure_age >= Some(SECOND));
    assert_only_in(&file, directory.path(), "marked-");
    let open = |number: usize| db.open_session(&ids[number]).unwrap().unwrap();
    for number in (0..20).filter(|number| *number != 10) {
        let kept: Option<usize> = open(number).get("kept-key").unwrap();
        assert_eq!(kept, Some(number));
    }
    let outcome = open(10).get::<usize>("kept-key");
    assert!(
        matches!(outcome, Err(Error::Corrupted { .. })),
        "{outcome:?}"
    );
    open(10).flush().unwrap();
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    assert_erased(directory.path(), "marked-", "");
}
