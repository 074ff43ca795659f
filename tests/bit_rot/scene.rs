//! A small database to damage: sessions of one page and of several, owned ones,
//! cycled and flushed ones, in several batches; and what was done since then.

use std::time::Duration;

use sessiondb::{
    Crash, Database, Durability, Expiry, IndexFate, Session, SessionId, SimulatedDisk,
};

use crate::look::{OWNER, State, read};
use crate::support::{discard, open};

/// What long values are made of.
pub(crate) const FILLING: u8 = b'x';

/// A database that is not open.
pub(crate) struct Scene {
    disk: SimulatedDisk,
    /// What it holds after each transaction since the last checkpoint, the
    /// checkpoint itself first.
    states: Vec<State>,
}

impl Scene {
    /// As a power cut leaves it that keeps everything: the last transactions
    /// were never synced.
    pub(crate) fn cut() -> Self {
        let mut making = Making::new();
        making.settle();
        // Two files of the journal.
        making.open_again();
        making.go_on();
        making.cut()
    }

    /// The same when nothing was synced since the last opening.
    pub(crate) fn cut_right_after_an_opening() -> Self {
        let mut making = Making::new();
        making.settle();
        making.do_some("one");
        making.open_again();
        making.defer();
        making.do_some("two");
        making.cut()
    }

    /// As a clean stop leaves it.
    pub(crate) fn closed() -> Self {
        let mut making = Making::new();
        making.settle();
        making.go_on();
        making.db.close().unwrap();
        // All of it was checkpointed.
        let states = making.known_states().split_off(making.states.len() - 1);
        Self {
            disk: making.disk,
            states,
        }
    }

    /// As a process leaves it that was killed when all had been checkpointed.
    pub(crate) fn killed() -> Self {
        let scene = Self::closed();
        scene.disk.remove_file("CLEAN").unwrap();
        scene
    }

    /// The names of the files, and what they hold.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.disk.snapshot()
    }

    /// A copy to damage.
    pub(crate) fn copied(&self, index: IndexFate) -> SimulatedDisk {
        self.disk.copy(Crash::KeepAll, index).unwrap()
    }

    /// What was done last is in it.
    pub(crate) fn last(&self) -> &State {
        self.states.last().unwrap()
    }

    /// How many of the last transactions a database lacks; none if it never was
    /// so since the last checkpoint.
    pub(crate) fn transactions_missing(&self, db: &Database) -> Option<usize> {
        let ids: Vec<SessionId> = self.last().iter().map(|(id, _)| *id).collect();
        let found = read(db, &ids).ok()?;
        self.states.iter().rev().position(|state| *state == found)
    }
}

struct Making {
    disk: SimulatedDisk,
    db: Database,
    sessions: Vec<Session>,
    ids: Vec<SessionId>,
    states: Vec<State>,
}

impl Making {
    fn new() -> Self {
        let disk = SimulatedDisk::new(11).unwrap();
        let db = open(&disk).unwrap();
        Self {
            disk,
            db,
            sessions: Vec::new(),
            ids: Vec::new(),
            states: Vec::new(),
        }
    }

    fn create(&mut self) -> Session {
        let session = self.db.create_session();
        self.ids.push(session.id());
        session
    }

    /// Three batches.
    fn settle(&mut self) {
        let small = self.create();
        small.set("user", "ada").unwrap();
        small.set_owner(Some(OWNER)).unwrap();
        let large = self.create();
        large
            .transaction(|tx| {
                let value = char::from(FILLING).to_string().repeat(500);
                for number in 0..12 {
                    tx.set(&format!("key-{number:02}"), &value)?;
                }
                tx.set_owner(Some(OWNER))
            })
            .unwrap();
        let mut cycled = self.create();
        cycled.set("user", "bob").unwrap();
        let mut flushed = self.create();
        flushed.set("user", "eve").unwrap();
        let short = self.create();
        let hour = Duration::from_secs(3600);
        short.set_with_ttl("code", "1234", hour).unwrap();
        short.set_expiry(Expiry::Idle(hour)).unwrap();
        self.db.checkpoint().unwrap();
        flushed.flush().unwrap();
        cycled.cycle_id().unwrap();
        self.ids.push(cycled.id());
        large.remove_prefix("key-1").unwrap();
        self.db.checkpoint().unwrap();
        large.set("key-02", "shorter").unwrap();
        small.set("cart", "apple").unwrap();
        self.db.checkpoint().unwrap();
        self.sessions = vec![small, large, cycled, short];
        self.note();
    }

    fn open_again(&mut self) {
        let survivor = self.disk.copy(Crash::KeepNothing, IndexFate::Kept).unwrap();
        let again = open(&survivor).unwrap();
        let ids: Vec<SessionId> = self
            .sessions
            .drain(..)
            .map(|session| session.id())
            .collect();
        discard(&self.disk, std::mem::replace(&mut self.db, again));
        self.disk = survivor;
        let open = |id: &SessionId| self.db.open_session(id).unwrap().unwrap();
        self.sessions = ids.iter().map(open).collect();
    }

    /// What is in the journal alone: synced, and then not.
    fn go_on(&mut self) {
        self.do_some("one");
        self.defer();
        self.do_some("two");
    }

    /// From now on nothing is synced.
    fn defer(&mut self) {
        let never = Durability::Deferred {
            sync_within: Duration::from_secs(3600),
        };
        self.db = self.db.with_durability(never);
        let open = |session: &Session| self.db.open_session(&session.id()).unwrap().unwrap();
        self.sessions = self.sessions.iter().map(open).collect();
    }

    /// The power goes, and what was written stays.
    fn cut(self) -> Scene {
        let states = self.known_states();
        // What is deferred is written, and that is all.
        self.disk.power_off_after(1);
        assert!(self.db.commit().is_err());
        let survivor = self.disk.crash(Crash::KeepAll, IndexFate::Kept);
        Scene {
            disk: survivor.unwrap(),
            states,
        }
    }

    /// Each of these is one transaction.
    fn do_some(&mut self, value: &str) {
        let new = self.create();
        new.set("user", value).unwrap();
        self.note();
        self.sessions[1].set("key-03", value).unwrap();
        self.note();
        self.sessions[0].delete("cart").unwrap();
        self.note();
        self.sessions[0].set("cart", value).unwrap();
        self.note();
        let id = self.sessions[2].cycle_id().unwrap();
        self.ids.push(id);
        self.note();
        let mut gone = new;
        gone.flush().unwrap();
        self.note();
        let owner = (value == "one").then_some(OWNER);
        self.sessions[3].set_owner(owner).unwrap();
        self.note();
    }

    /// The states, each of all sessions there ever were.
    fn known_states(&self) -> Vec<State> {
        let later = |state: &State| self.ids[state.len()..].iter().map(|id| (*id, None));
        let whole = |state: &State| state.iter().cloned().chain(later(state)).collect();
        self.states.iter().map(whole).collect()
    }

    /// Remembers what there is now.
    fn note(&mut self) {
        let state = read(&self.db, &self.ids).unwrap();
        self.states.push(state);
    }
}
