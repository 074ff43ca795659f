//! A directory can be opened again as soon as `close` has returned.

use std::path::Path;

use sessiondb::{Database, Error};

fn index_directories(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| name.starts_with("index-")).collect()
}

/// The index belongs to the database, not to the handles: while one of them
/// held it, the next open waited for it in vain and built another one.
#[test]
fn close_lets_the_index_go_while_handles_still_live() {
    let directory = tempfile::tempdir().unwrap();
    let closed = Database::open(directory.path()).unwrap();
    let session = closed.create_session();
    session.set("user", "ada").unwrap();
    closed.close().unwrap();
    let before = index_directories(directory.path());

    let db = Database::open(directory.path()).unwrap();
    assert_eq!(
        index_directories(directory.path()),
        before,
        "another index was built"
    );
    let again = db.open_session(&session.id()).unwrap().unwrap();
    assert_eq!(again.get::<String>("user").unwrap().as_deref(), Some("ada"));
    assert!(matches!(session.get::<String>("user"), Err(Error::Closed)));
    assert!(matches!(closed.checkpoint(), Err(Error::Closed)));
    assert_eq!(closed.stats().index_bytes, 0);
}
