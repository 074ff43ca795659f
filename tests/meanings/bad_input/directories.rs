//! Directories that cannot hold a database.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sessiondb::{Database, Error, Fault, FaultEffect, Operation};

use super::super::support::{Stage, State, contents, named, quiet};

#[track_caller]
fn is_no_directory(path: &Path) {
    match Database::open(path) {
        Err(Error::NotADirectory { path: named }) => assert_eq!(named, path),
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn a_file_is_not_a_directory_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    is_no_directory(&file);
    is_no_directory(&file.join("below"));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_device_and_a_link_to_nowhere_are_not_directories() {
    is_no_directory(Path::new("/dev/null"));
    is_no_directory(Path::new("/dev/null/sessions"));
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink(directory.path().join("nowhere"), &link).unwrap();
    is_no_directory(&link);
    assert!(!directory.path().join("nowhere").exists());
}

#[test]
fn a_link_to_a_directory_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    Database::open(&link).unwrap().close().unwrap();
    assert!(real.join("CURRENT").exists());
}

/// A directory that nobody can write to, not even the superuser, whom modes
/// do not stop; none where the machine has no such place.
fn unwritable() -> Option<(Option<tempfile::TempDir>, PathBuf)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::create_dir(path.join("probe")).is_err() {
        return Some((Some(directory), path));
    }
    let system = PathBuf::from("/sys");
    let refused = fs::create_dir(system.join("sessiondb-probe")).is_err();
    (system.is_dir() && refused).then_some((None, system))
}

#[test]
fn a_directory_that_cannot_be_written_to_is_refused() {
    let Some((_guard, path)) = unwritable() else {
        eprintln!("SKIPPED: this machine has no directory that cannot be written to");
        return;
    };
    for path in [path.clone(), path.join("below"), path.join("far/below")] {
        match Database::open(&path) {
            Err(Error::NotWritable {
                path: named,
                source,
            }) => {
                assert!(named.starts_with(&path), "{}", named.display());
                assert!(matches!(
                    source.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                ));
            }
            other => panic!("{}: {other:?}", path.display()),
        }
    }
    assert!(!path.join("below").exists());
}

#[test]
fn a_database_that_became_read_only_is_refused_and_loses_nothing() {
    for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
        for operation in [Operation::Open, Operation::Create, Operation::Write] {
            for state in State::ALL {
                let stage = Stage::new(state, |session| session.set("a", &1).unwrap());
                let (disk, id) = (stage.disk.clone(), stage.session.id());
                stage.db.close().unwrap();
                drop(stage);
                disk.inject(Fault {
                    operation,
                    path_contains: String::new(),
                    after: 0,
                    times: u64::MAX,
                    kind,
                    effect: FaultEffect::Refuse,
                });
                let refused = quiet().open_on(Arc::new(disk.clone()));
                assert!(
                    matches!(&refused, Err(Error::NotWritable { source, .. }) if source.kind() == kind),
                    "{operation:?}: {refused:?}"
                );
                disk.clear_faults();
                let db = super::super::support::open_on(&disk);
                let session = db.open_session(&id).unwrap().unwrap();
                assert_eq!(contents(&session), named(&[("a", 1)]), "{operation:?}");
                db.verify().unwrap();
            }
        }
    }
}

#[test]
fn an_absent_directory_is_created_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/sessions");
    let db = Database::open(&path).unwrap();
    db.create_session().set("a", &1).unwrap();
    db.checkpoint().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in ["journal", "segments"] {
        assert_eq!(mode(&path.join(name)), 0o700, "{name}");
        for entry in fs::read_dir(path.join(name)).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600, "{name}");
        }
    }
    assert_eq!(mode(&path.join("CURRENT")), 0o600);
    // The files in it are sled's, which nobody else gets to.
    assert_eq!(mode(&path.join("index-0001")), 0o700);
    db.close().unwrap();
}

/// Set in the process that has a temporary directory of its own.
const ALONE: &str = "SESSIONDB_TEST_IS_ALONE";
const NAME: &str = "bad_input::directories::a_temporary_database_is_removed_with_its_last_handle";

#[test]
fn a_temporary_database_is_removed_with_its_last_handle() {
    if std::env::var_os(ALONE).is_none() {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("TMPDIR", directory.path())
            .env(ALONE, "1")
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let entries = || fs::read_dir(std::env::temp_dir()).unwrap().count();
    assert_eq!(entries(), 0);
    let db = Database::temporary().unwrap();
    let session = db.create_session();
    session.set("a", &1).unwrap();
    drop(db);
    assert_eq!(entries(), 1, "a session keeps its database");
    assert_eq!(session.get::<i64>("a").unwrap(), Some(1));
    drop(session);
    assert_eq!(entries(), 0);
}
