//! The database whose files are put out of shape.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sessiondb::{
    Builder, Crash, Database, Error, IndexFate, Result, Session, SessionId, SimulatedDisk,
};

use crate::{journal_frames, mend_journal, mend_segment};

type Keys = BTreeMap<String, serde_json::Value>;

/// What sessions hold; `None` of those that are not there.
type State = Vec<Option<Keys>>;

/// A file of the small database with other bytes.
#[derive(Debug)]
pub struct ChangedFile {
    pub bytes: Vec<u8>,
    /// Whether most of it is as it was.
    pub is_changed: bool,
    /// Whether its checksums are right again.
    pub is_mended: bool,
}

/// A database as a kill leaves it: some of it checkpointed, in two batches, some
/// of it in the journal, without an index.
pub struct SmallDatabase {
    files: Vec<(String, Vec<u8>)>,
    id: [u8; 16],
    /// All that there were.
    sessions: Vec<SessionId>,
    /// What they held after the last checkpoint, and after each transaction
    /// since then.
    states: Vec<State>,
}

impl SmallDatabase {
    pub const JOURNAL: &'static str = "journal/000001.log";
    pub const SEGMENT: &'static str = "segments/000001.seg";
    pub const SEGMENT_NUMBER: u32 = 1;
    /// What an opening of it, and its use, may allocate, in bytes: the caches and
    /// the index have 4 MiB.
    pub const MEMORY: usize = 32 << 20;

    /// The one there is; it takes some time to make.
    pub fn get() -> &'static Self {
        static MADE: OnceLock<SmallDatabase> = OnceLock::new();
        MADE.get_or_init(|| Self::make().expect("it is made"))
    }

    fn make() -> Result<Self> {
        let disk = SimulatedDisk::new(0).expect("a temporary directory");
        let db = builder().open_on(Arc::new(disk.clone()))?;
        let (sessions, states) = fill(&db)?;
        let disk = disk.crash(Crash::KeepAll, IndexFate::Lost);
        let files = disk.expect("it crashes").snapshot();
        let current = files.iter().find(|(path, _)| path == "CURRENT");
        let (_, current) = current.expect("it is there");
        let id = current[20..36].try_into().expect("16 bytes");
        let made = Self {
            files,
            id,
            sessions,
            states,
        };
        made.assert_needs_no_mending();
        Ok(made)
    }

    /// Should the format change, then this says that `mend` has to as well.
    fn assert_needs_no_mending(&self) {
        let mut journal = self.file(Self::JOURNAL).to_vec();
        mend_journal(&mut journal, self.id);
        assert!(journal == self.file(Self::JOURNAL), "mending is wrong");
        let mut segment = self.file(Self::SEGMENT).to_vec();
        mend_segment(&mut segment, Self::SEGMENT_NUMBER, self.id);
        assert!(segment == self.file(Self::SEGMENT), "mending is wrong");
    }

    /// The database's ID.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The bytes of a file.
    pub fn file(&self, path: &str) -> &[u8] {
        let found = self.files.iter().find(|(name, _)| name == path);
        &found.expect("it is there").1
    }

    /// One of its files as an input has it. The first byte says how: bit 0 for
    /// changes of the real file, bit 1 for what is mended afterwards.
    pub fn file_from(&self, input: &[u8], path: &str, mend: impl FnOnce(&mut [u8])) -> ChangedFile {
        let (how, bytes) = input.split_first().unwrap_or((&0, &[]));
        let (is_changed, is_mended) = (how & 1 != 0, how & 2 != 0);
        let mut bytes = if is_changed {
            self.changed(path, bytes)
        } else {
            bytes.to_vec()
        };
        if is_mended {
            mend(&mut bytes);
        }
        ChangedFile {
            bytes,
            is_changed,
            is_mended,
        }
    }

    /// The bytes of a file with changes, three bytes each: where, and what to
    /// flip.
    fn changed(&self, path: &str, changes: &[u8]) -> Vec<u8> {
        let mut file = self.file(path).to_vec();
        for change in changes.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
            if let Some(byte) = file.get_mut(place) {
                *byte ^= change[2];
            }
        }
        file
    }

    /// Opens it with one file replaced.
    pub fn open_with(&self, path: &str, bytes: &[u8]) -> Result<Database> {
        let disk = SimulatedDisk::new(0).expect("a temporary directory");
        for (name, kept) in &self.files {
            let bytes = if name == path { bytes } else { kept };
            disk.write_file(name, bytes).expect("it is written");
        }
        builder().open_on(Arc::new(disk))
    }

    /// Whether what is read of each session is what was written last, or
    /// damaged.
    pub fn reads_right_or_damaged(&self, db: &Database) -> bool {
        let last = self.states.last().into_iter().flatten();
        self.sessions
            .iter()
            .zip(last)
            .all(|(id, keys)| match read(db, id) {
                Ok(found) => found == *keys,
                Err(error) => matches!(error, Error::Corrupted { .. }),
            })
    }

    /// Whether all sessions are as they were after one of the transactions that
    /// this journal, a changed one, cannot have lost: a frame that is as it was
    /// says of all before it that they were synced.
    pub fn reads_as_of_some_time(&self, db: &Database, journal: &[u8]) -> bool {
        let real = self.file(Self::JOURNAL);
        // One frame a transaction; those of the checkpoints lie before.
        let last = self.states.len() - 1;
        let frames = journal_frames(real);
        let whole = frames.iter().rev().take(last);
        let lost =
            whole.take_while(|frame| journal.get((*frame).clone()) != real.get((*frame).clone()));
        let kept = &self.states[last - lost.count()..];
        state(db, &self.sessions).is_ok_and(|found| kept.contains(&found))
    }

    /// Reads and writes every session, checkpoints and compacts: errors are
    /// fine.
    pub fn use_all(&self, db: &Database) -> Result<()> {
        for id in &self.sessions {
            let _ = read(db, id);
            if let Ok(Some(session)) = db.open_session(id) {
                let _ = session.set("z", &1);
                let _ = session.remove_prefix("key-1");
            }
        }
        db.checkpoint()?;
        for id in &self.sessions {
            let _ = read(db, id);
        }
        db.compact()?;
        db.verify()?;
        Ok(())
    }
}

fn builder() -> Builder {
    Database::builder()
        .background(false)
        .journal_segment_bytes(32 << 10)
        .segment_bytes(64 << 10)
        .cache_bytes(4 << 20)
}

fn read(db: &Database, id: &SessionId) -> Result<Option<Keys>> {
    let session = db.open_session(id)?;
    session.map(|session| session.to_map()).transpose()
}

fn state(db: &Database, sessions: &[SessionId]) -> Result<State> {
    sessions.iter().map(|id| read(db, id)).collect()
}

/// All sessions there were, and the states since the last checkpoint.
fn fill(db: &Database) -> Result<(Vec<SessionId>, Vec<State>)> {
    let mut sessions = Vec::new();
    for user in 0..4_u32 {
        let session = db.create_session();
        session.set("user", &user)?;
        session.set("text", &"x".repeat(2000))?;
        session.set("cart/apple", &[1, 2, 3])?;
        sessions.push(session);
    }
    let large = db.create_session();
    large.set_owner(Some("ada"))?;
    for number in 0..20 {
        large.set(&format!("key-{number:02}"), &"y".repeat(400))?;
    }
    let mut short = db.create_session();
    short.set("user", "eve")?;
    db.checkpoint()?;
    let mut ids = vec![short.id(), large.id()];
    short.flush()?;
    large.remove_prefix("key-0")?;
    db.checkpoint()?;
    ids.extend(sessions.iter().map(Session::id));
    let mut states = vec![state(db, &ids)?];
    for session in &sessions {
        session.set("text", "shorter")?;
        states.push(state(db, &ids)?);
        session.pop::<u32>("user")?;
        states.push(state(db, &ids)?);
        session.remove_prefix("cart/")?;
        states.push(state(db, &ids)?);
    }
    sessions[0].flush()?;
    states.push(state(db, &ids)?);
    ids.push(sessions[1].cycle_id()?);
    states.push(state(db, &ids)?);
    sessions[2].clear()?;
    states.push(state(db, &ids)?);
    sessions[3].transaction(|tx| tx.set("a", &1).and_then(|()| tx.set("b", &2)))?;
    states.push(state(db, &ids)?);
    for state in &mut states {
        state.resize(ids.len(), None);
    }
    Ok((ids, states))
}
