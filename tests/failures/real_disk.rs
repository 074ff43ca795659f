//! The same on a file system of the operating system that really is full,
//! where a test may mount one.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use sessiondb::{Database, Error, Session, SessionId};

use crate::support::{wait_for, without_hanging};

/// A file system of limited size, unmounted in the end.
struct Mount {
    directory: tempfile::TempDir,
    _image: Option<tempfile::NamedTempFile>,
}

/// Runs a command, and says why where it is not permitted.
fn is_done(command: &mut Command) -> bool {
    let why = match command.output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("SKIPPED, no file system may be mounted here: {command:?}: {why}");
    false
}

impl Mount {
    /// One in memory.
    fn tmpfs(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]);
        is_done(mount.arg(directory.path())).then_some(Self {
            directory,
            _image: None,
        })
    }

    /// One in a file.
    fn ext4(bytes: u64) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(bytes).unwrap();
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F", "-m", "0"]).arg(image.path());
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(image.path());
        let is_mounted = is_done(&mut make) && is_done(mount.arg(directory.path()));
        is_mounted.then_some(Self {
            directory,
            _image: Some(image),
        })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Somebody else's file that takes what there is.
struct Filler(PathBuf);

impl Filler {
    fn fill_up(&self) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(&self.0)
            .unwrap();
        let mut piece = vec![1; 1 << 20];
        while !piece.is_empty() {
            match file.write(&piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn go(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn open(mount: &Mount) -> Database {
    let builder = Database::builder().cache_bytes(1 << 20);
    builder.open(mount.path().join("sessions")).unwrap()
}

/// What no checkpoint can take is in the journal.
fn close(database: &Database) {
    let closed = database.close();
    assert!(closed.is_ok() || is_full(&closed), "{closed:?}");
}

fn is_full<T>(outcome: &sessiondb::Result<T>) -> bool {
    matches!(outcome, Err(Error::StorageFull { .. }))
}

/// Puts until it is refused.
fn put_until_full(session: &Session) -> usize {
    (0..1_000_000)
        .find(|number| {
            let put = session.set_bytes(&format!("filling {number}"), &[7; 4000]);
            put.is_err_and(|error| {
                assert!(matches!(error, Error::StorageFull { .. }), "{error}");
                true
            })
        })
        .unwrap()
}

fn of(database: &Database, id: &SessionId) -> Session {
    database.open_session(id).unwrap().unwrap()
}

#[test]
fn on_a_full_file_system_in_memory_removals_go_on_and_puts_come_back() {
    without_hanging(|| {
        for size in ["size=64m", "size=100m", "size=200m"] {
            if let Some(mount) = Mount::tmpfs(size) {
                fill_and_go_on(&mount);
            }
        }
    });
}

#[test]
fn on_a_full_file_system_in_a_file_removals_go_on_and_puts_come_back() {
    without_hanging(|| {
        if let Some(mount) = Mount::ext4(200 << 20) {
            fill_and_go_on(&mount);
        }
    });
}

fn fill_and_go_on(mount: &Mount) {
    let filler = Filler(mount.path().join("filler"));
    let database = open(mount);
    let sessions: Vec<Session> = (0..200)
        .map(|number| {
            let session = database.create_session();
            session.set("number", &number).unwrap();
            session.set("message", "Welcome").unwrap();
            session
        })
        .collect();
    let ids: Vec<SessionId> = sessions.iter().map(Session::id).collect();
    let large = database.create_session();
    database.checkpoint().unwrap();

    filler.fill_up();
    let puts = put_until_full(&large);
    assert!(is_full(&sessions[0].set("more", &1)));
    assert!(is_full(&database.create_session().set("new", &1)));
    let mut gone = Vec::new();
    for (number, mut session) in sessions.into_iter().enumerate() {
        let message: Option<String> = session.pop("message").unwrap();
        assert_eq!(message.as_deref(), Some("Welcome"));
        if number % 2 == 0 {
            gone.push(session.id());
            session.flush().unwrap();
        }
    }
    assert!(database.revoke(ids[1]).unwrap());
    gone.push(ids[1]);
    assert_eq!(large.len().unwrap(), puts);
    let large = large.id();
    close(&database);

    // On a full disk, twice.
    for _ in 0..2 {
        filler.fill_up();
        let database = open(mount);
        for id in &gone {
            assert!(database.open_session(id).unwrap().is_none());
        }
        let kept = of(&database, &ids[3]);
        assert_eq!(kept.get::<usize>("number").unwrap(), Some(3));
        assert!(!kept.contains_key("message").unwrap());
        let filling = of(&database, &large);
        assert_eq!(filling.len().unwrap(), puts);
        filler.fill_up();
        put_until_full(&database.create_session());
        of(&database, &ids[5]).discard("number").unwrap();
        close(&database);
    }

    let database = open(mount);
    let kept = of(&database, &ids[3]);
    filler.go();
    wait_for("a put", || kept.set("again", &1).is_ok());
    database.checkpoint().unwrap();
    assert_eq!(of(&database, &large).len().unwrap(), puts);
    assert_eq!(of(&database, &ids[5]).len().unwrap(), 0);
    database.verify().unwrap();
    database.close().unwrap();
}
