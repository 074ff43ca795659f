//! A directory that is held, by this process or by another.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sessiondb::{Database, Error};

use super::super::support::{contents, fresh, named, open_on, quiet};

#[track_caller]
fn is_locked(path: &Path) {
    match Database::open(path) {
        Err(Error::Locked { path: named }) => assert_eq!(named, path),
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn a_directory_held_by_another_handle_of_this_process_is_locked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let db = quiet().open(path).unwrap();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    for _ in 0..2 {
        is_locked(path);
        // The one that holds it goes on undisturbed.
        session.set("b", &2).unwrap();
        assert_eq!(contents(&session), named(&[("a", 1), ("b", 2)]));
    }
    db.close().unwrap();
    let db = Database::open(path).unwrap();
    let session = db.open_session(&session.id()).unwrap().unwrap();
    assert_eq!(contents(&session), named(&[("a", 1), ("b", 2)]));
}

#[test]
fn an_attempt_on_a_held_directory_writes_nothing() {
    let (disk, db) = fresh();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    let before = disk.operations();
    let refused = quiet().open_on(std::sync::Arc::new(disk.clone()));
    assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
    assert_eq!(disk.operations(), before);
    drop((session, db));
    open_on(&disk).verify().unwrap();
}

/// Set in the process that is started to hold a directory.
const HOLD: &str = "SESSIONDB_TEST_HOLDS";
const NAME: &str = "bad_input::held::a_directory_held_by_another_process_is_locked";

/// What the other process does: writes, says so, and waits to be ended.
fn hold(path: &str) {
    let db = Database::open(path).unwrap();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    println!("\nholding {}", session.id());
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    db.close().unwrap();
}

/// Starts this test in another process; returns it and the token of its session.
fn start(path: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(HOLD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    let token = lines.find_map(|line| Some(line.strip_prefix("holding ")?.to_owned()));
    // The rest is read too, so that the child does not write into a closed pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, token.expect("the other process holds the directory"))
}

#[test]
fn a_directory_held_by_another_process_is_locked() {
    if let Ok(path) = std::env::var(HOLD) {
        return hold(&path);
    }
    for killed in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (mut child, token) = start(path);
        is_locked(path);
        is_locked(path);
        if killed {
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            child.stdin.take().unwrap().write_all(b"end\n").unwrap();
            assert!(child.wait().unwrap().success());
        }
        let db = Database::open(path).unwrap();
        let session = db.open_token(&token).unwrap().expect("nothing was lost");
        assert_eq!(contents(&session), named(&[("a", 1)]), "killed: {killed}");
        db.verify().unwrap();
    }
}
