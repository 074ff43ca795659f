//! A database with a past, and what it held at the end.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sessiondb::{
    Builder, Database, Expiry, Loss, LossKind, ManualClock, Repaired, Session, SessionDigest,
    SessionId,
};
use tempfile::TempDir;

use crate::directory::copy;

/// The TTL of the keys that have one.
pub(crate) const TTL: Duration = Duration::from_secs(300);

/// All that is known of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    keys: BTreeMap<String, String>,
    created: SystemTime,
    last_seen: SystemTime,
    expires_at: Option<SystemTime>,
    owner: Option<String>,
}

impl Snapshot {
    pub(crate) fn of(db: &Database, digest: SessionDigest, session: &Session) -> Self {
        let info = db.inspect(&digest).unwrap().unwrap();
        Self {
            keys: session.to_map().unwrap(),
            created: info.created,
            last_seen: info.last_seen,
            expires_at: info.expires_at,
            owner: info.owner,
        }
    }
}

/// A directory that is to be repaired.
pub(crate) struct Scene {
    directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) alive: HashMap<SessionId, Snapshot>,
    /// IDs that are dead.
    pub(crate) gone: Vec<SessionId>,
}

/// Small files, and nothing that happens by itself.
pub(crate) fn by_hand(clock: &Arc<ManualClock>) -> Builder {
    Database::builder()
        .background(false)
        .journal_segment_bytes(256 << 10)
        .segment_bytes(16 << 10)
        .erase_within(None)
        .clock(Arc::<ManualClock>::clone(clock))
}

fn small(db: &Database, name: &str) -> Session {
    let session = db.create_session();
    session.set("name", name).unwrap();
    session
}

/// A session of several pages.
fn large(db: &Database, name: &str) -> Session {
    let session = small(db, name);
    let filled = session.transaction(|tx| {
        (0..40).try_for_each(|number| tx.set(&format!("key-{number:02}"), &"v".repeat(400)))
    });
    filled.unwrap();
    session
}

/// Sessions that are made, changed and ended, some of them several times.
#[derive(Default)]
struct History {
    sessions: BTreeMap<&'static str, Session>,
    gone: Vec<SessionId>,
}

impl History {
    fn add(&mut self, name: &'static str, session: Session) {
        self.sessions.insert(name, session);
    }

    fn of(&mut self, name: &str) -> &mut Session {
        self.sessions.get_mut(name).unwrap()
    }

    fn flush(&mut self, name: &str) {
        let mut session = self.sessions.remove(name).unwrap();
        self.gone.push(session.id());
        session.flush().unwrap();
    }

    fn cycle(&mut self, name: &str) {
        let old = self.of(name).id();
        self.gone.push(old);
        self.of(name).cycle_id().unwrap();
    }

    fn cycle_and_clear(&mut self, name: &'static str) {
        let old = self.of(name).id();
        self.gone.push(old);
        let moved = self.of(name).cycle_id_with(|tx| {
            tx.clear()?;
            tx.set("name", name)
        });
        moved.unwrap();
    }

    /// What a first checkpoint finds.
    fn begin(&mut self, db: &Database) {
        for name in [
            "old-1", "old-2", "old-3", "old-4", "old-5", "old-6", "old-7",
        ] {
            self.add(name, small(db, name));
        }
        self.add("large-1", large(db, "large-1"));
        self.add("large-2", large(db, "large-2"));
        self.add("large-gone", large(db, "large-gone"));
        self.of("old-1").set_owner(Some("ada")).unwrap();
        let hour = Expiry::Idle(Duration::from_secs(3600));
        self.of("old-2").set_expiry(hour).unwrap();
        self.of("old-3").set_with_ttl("code", "x", TTL).unwrap();
    }

    /// What a second one finds.
    fn go_on(&mut self, db: &Database) {
        self.flush("old-4");
        self.flush("large-gone");
        self.cycle("old-5");
        self.of("large-1").delete("key-07").unwrap();
        self.of("large-1").set("key-08", "new").unwrap();
        for name in ["new-1", "new-2", "new-3", "new-4"] {
            self.add(name, small(db, name));
        }
        self.add("large-3", large(db, "large-3"));
    }

    /// What only the journal knows.
    fn end(&mut self, db: &Database) {
        self.flush("old-6");
        self.flush("new-1");
        self.cycle("new-2");
        self.of("new-3").clear().unwrap();
        self.of("new-3").set("name", "cleared").unwrap();
        self.of("new-4").set("more", "of it").unwrap();
        self.of("large-2").remove_prefix("key-1").unwrap();
        self.of("large-2").set_owner(Some("ada")).unwrap();
        for name in ["late-1", "late-2", "late-3", "late-4"] {
            self.add(name, small(db, name));
        }
        self.cycle_and_clear("old-7");
        self.cycle_and_clear("late-4");
        self.flush("late-2");
        self.of("late-3").set_with_ttl("code", "y", TTL).unwrap();
    }
}

impl Scene {
    /// Two checkpoints, and a journal; `last` is done at the end of it.
    fn play(last: impl FnOnce(Database, &Path, &Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let clock = Arc::new(ManualClock::new(start));
        let db = by_hand(&clock)
            .open(directory.path().join("played"))
            .unwrap();
        let mut history = History::default();
        history.begin(&db);
        db.checkpoint().unwrap();
        clock.advance(Duration::from_secs(10));
        history.go_on(&db);
        db.checkpoint().unwrap();
        clock.advance(Duration::from_secs(10));
        history.end(&db);
        let sessions = history.sessions.values();
        let alive = sessions.map(|session| {
            let digest = session.id().digest();
            (session.id(), Snapshot::of(&db, digest, session))
        });
        let alive = alive.collect();
        drop(history.sessions);
        let old = directory.path().join("old");
        last(db, &directory.path().join("played"), &old);
        Self {
            directory,
            clock,
            alive,
            gone: history.gone,
        }
    }

    /// As a kill leaves it.
    pub(crate) fn killed() -> Self {
        Self::play(|db, played, old| {
            copy(played, old);
            db.close().unwrap();
        })
    }

    /// After a clean stop.
    pub(crate) fn closed() -> Self {
        Self::play(|db, played, old| {
            db.close().unwrap();
            copy(played, old);
        })
    }

    /// After a clean stop, with all garbage gone.
    pub(crate) fn compacted() -> Self {
        Self::play(|db, played, old| {
            db.compact().unwrap();
            db.close().unwrap();
            copy(played, old);
        })
    }

    /// With checkpoints at the end that only hear of sessions which came and
    /// went: their batches are a footer and nothing else.
    pub(crate) fn forgetting() -> Self {
        let mut passed = Vec::new();
        let mut scene = Self::play(|db, played, old| {
            for _ in 0..4 {
                let mut passing = small(&db, "passing");
                passed.push(passing.id());
                passing.flush().unwrap();
                drop(passing);
                db.checkpoint().unwrap();
            }
            db.close().unwrap();
            copy(played, old);
        });
        scene.gone.extend(passed);
        scene
    }

    /// The same directory again, for more damage.
    pub(crate) fn again(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy(&self.old(), &directory.path().join("old"));
        Self {
            directory,
            clock: Arc::clone(&self.clock),
            alive: self.alive.clone(),
            gone: self.gone.clone(),
        }
    }

    pub(crate) fn old(&self) -> PathBuf {
        self.directory.path().join("old")
    }

    pub(crate) fn new_directory(&self) -> PathBuf {
        self.directory.path().join("new")
    }

    pub(crate) fn id(&self, name: &str) -> SessionId {
        let found = self
            .alive
            .iter()
            .find(|(_, snapshot)| snapshot.keys.get("name").map(String::as_str) == Some(name));
        *found.unwrap().0
    }

    /// Flips bits of a byte.
    pub(crate) fn flip(&self, file: &str, offset: usize) {
        let path = self.old().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset] ^= 0x21;
        fs::write(&path, bytes).unwrap();
    }

    /// Names of files in a directory, in order.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.old().join(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.map(|name| format!("{directory}/{name}")).collect();
        names.sort();
        names
    }

    /// Where some bytes are, first in the order of files.
    pub(crate) fn places(&self, directory: &str, wanted: &[u8]) -> Vec<(String, usize)> {
        let mut places = Vec::new();
        for name in self.names(directory) {
            let bytes = fs::read(self.old().join(&name)).unwrap();
            let found = bytes.windows(wanted.len()).enumerate();
            let found = found.filter(|(_, window)| *window == wanted);
            places.extend(found.map(|(place, _)| (name.clone(), place)));
        }
        places
    }

    pub(crate) fn repair(&self) -> Repaired {
        let builder = by_hand(&self.clock);
        builder.repair(self.old(), self.new_directory()).unwrap()
    }

    /// Opens what was saved.
    pub(crate) fn open(&self) -> Database {
        by_hand(&self.clock).open(self.new_directory()).unwrap()
    }

    /// Repairs, and asserts what holds whatever the damage: nothing that is
    /// gone is there, and each session is as it was at the end, or listed.
    #[track_caller]
    pub(crate) fn assert_honest(&self) -> Outcome {
        let repaired = self.repair();
        let db = self.open();
        let mut losses = repaired.losses.iter();
        let has_hole = losses.any(|loss| loss.kind == LossKind::Bytes);
        let loss_of = |digest: SessionDigest| {
            let mut losses = repaired.losses.iter();
            losses.find(|loss| loss.session == Some(digest)).cloned()
        };
        for id in &self.gone {
            assert!(db.open_session(id).unwrap().is_none(), "{id} came back");
            // Whether it is gone may not be known any more.
            let loss = loss_of(id.digest());
            let is_doubt = loss
                .as_ref()
                .is_none_or(|loss| loss.kind == LossKind::Doubt);
            assert!(is_doubt, "one that is gone is {loss:?}");
        }
        let mut outcome = Outcome::default();
        let known: Vec<SessionDigest> = self.alive.keys().map(SessionId::digest).collect();
        for info in db.sessions() {
            let digest = info.unwrap().digest;
            assert!(known.contains(&digest), "{digest} is made up");
        }
        for (id, expected) in &self.alive {
            let loss = loss_of(id.digest());
            let Some(session) = db.open_session(id).unwrap() else {
                // One that was written in damage alone has no name any more.
                let is_listed = loss.is_some() || has_hole;
                assert!(is_listed, "{expected:?} is lost in silence");
                continue;
            };
            let found = Snapshot::of(&db, id.digest(), &session);
            if found == *expected {
                outcome.saved.push(*id);
            }
            let is_part = loss.is_some_and(|loss| loss.kind == LossKind::Part);
            assert!(found == *expected || is_part, "{found:?} is {expected:?}");
        }
        assert_eq!(db.verify().unwrap().sessions, repaired.saved.sessions);
        outcome.losses = repaired.losses;
        outcome
    }
}

/// What a repair led to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Those that are exactly as they were.
    pub(crate) saved: Vec<SessionId>,
    pub(crate) losses: Vec<Loss>,
}

impl Outcome {
    /// Asserts that all is there but these.
    #[track_caller]
    pub(crate) fn assert_all_but(&self, scene: &Scene, lost: &[SessionId]) {
        for id in scene.alive.keys() {
            let expected = !lost.contains(id);
            assert_eq!(self.saved.contains(id), expected, "{:?}", scene.alive[id]);
            let is_listed = |loss: &Loss| loss.session == Some(id.digest());
            assert_eq!(
                self.losses.iter().any(is_listed),
                !expected,
                "{:?}",
                self.losses
            );
        }
    }

    pub(crate) fn kinds(&self) -> Vec<LossKind> {
        let mut kinds: Vec<LossKind> = self.losses.iter().map(|loss| loss.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}
