//! What the tests share: a database in small files, and what it has to hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use sessiondb::{Builder, Crash, Database, IndexFate, Session, SessionId, SimulatedDisk};

/// A database in files of sixteen kibibytes, without a background.
pub(crate) fn builder() -> Builder {
    Database::builder()
        .background(false)
        .cache_bytes(1 << 20)
        .journal_segment_bytes(64 << 10)
        .segment_bytes(16 << 10)
}

pub(crate) fn open(disk: &SimulatedDisk) -> Database {
    builder().open_on(Arc::new(disk.clone())).unwrap()
}

pub(crate) fn session(db: &Database, id: &SessionId) -> Session {
    let found = db.open_session(id).unwrap();
    found.expect("the session exists")
}

/// The segment files.
pub(crate) fn files(disk: &SimulatedDisk) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|file| file.starts_with("segments/"));
    files
}

/// Bytes of all files.
pub(crate) fn used(disk: &SimulatedDisk) -> u64 {
    let files = disk.snapshot().into_iter();
    files.map(|(_, bytes)| bytes.len() as u64).sum()
}

/// What each session holds, and which ones are dead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) live: BTreeMap<String, (SessionId, BTreeMap<String, Vec<u8>>)>,
    pub(crate) dead: Vec<SessionId>,
    written: u8,
}

impl Model {
    /// One more session of so many keys of half a kibibyte.
    pub(crate) fn add(&mut self, db: &Database, keys: usize) -> SessionId {
        let session = db.create_session();
        let id = session.id();
        self.live.insert(id.to_string(), (id, BTreeMap::new()));
        self.fill(&session, keys);
        id
    }

    /// Writes keys anew.
    pub(crate) fn fill(&mut self, session: &Session, keys: usize) {
        self.written = self.written.wrapping_add(1);
        let held = self.live.get_mut(&session.id().to_string());
        let (_, held) = held.expect("a known session");
        for key in 0..keys {
            let key = format!("key/{key:03}");
            let value = vec![self.written; 500];
            session.set_bytes(&key, &value).unwrap();
            held.insert(key, value);
        }
    }

    pub(crate) fn flush(&mut self, db: &Database, id: SessionId) {
        session(db, &id).flush().unwrap();
        self.live.remove(&id.to_string());
        self.dead.push(id);
    }

    pub(crate) fn ids(&self) -> Vec<SessionId> {
        self.live.values().map(|(id, _)| *id).collect()
    }

    /// All of it is there, and nothing else.
    pub(crate) fn check(&self, db: &Database, what: &str) {
        for (id, held) in self.live.values() {
            let found = db.open_session(id).unwrap();
            let found = found.unwrap_or_else(|| panic!("{what}: {id} is gone"));
            check_session(&found, held, what);
        }
        for id in &self.dead {
            assert!(db.open_session(id).unwrap().is_none(), "{what}: {id} lives");
        }
        assert_eq!(db.sessions().count(), self.live.len(), "{what}");
        db.verify()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

pub(crate) fn check_session(session: &Session, held: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert_eq!(session.len().unwrap(), held.len(), "{what}");
    for (key, value) in held {
        let found = session.get_bytes(key).unwrap();
        assert_eq!(found.as_deref(), Some(&value[..]), "{what}: {key}");
    }
}

/// Ten sessions over several files, half of which is garbage; closed by a power
/// cut, so that any number of databases can begin there.
pub(crate) fn prepared(seed: u64) -> (SimulatedDisk, Model) {
    let disk = SimulatedDisk::new(seed).unwrap();
    let db = open(&disk);
    let mut model = Model::default();
    let ids: Vec<SessionId> = (0..10).map(|_| model.add(&db, 12)).collect();
    db.checkpoint().unwrap();
    for id in ids.iter().step_by(3) {
        model.fill(&session(&db, id), 12);
    }
    for id in ids.iter().skip(1).step_by(3) {
        model.flush(&db, *id);
    }
    db.checkpoint().unwrap();
    disk.power_off();
    drop(db);
    (disk, model)
}

/// A database that begins there.
pub(crate) fn begun(prepared: &SimulatedDisk) -> (SimulatedDisk, Database) {
    let disk = prepared.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(&disk);
    (disk, db)
}
