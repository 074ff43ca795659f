//! A database and its model, side by side.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use sessiondb::{Database, Session, SessionId};

use super::answer::{Answer, Failure};
use super::config::{Config, Tally};
use super::draw::SLOTS;
use super::history::{History, Name, Sessions};
use super::operation::{Accident, Operation};
use super::place::Place;
use super::step::Keys;

/// Operations that a failure shows.
const RECENT: usize = 40;

/// What a handle was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its session was never written.
    Unborn,
    /// Its session was there.
    Bound,
    /// It destroyed its session.
    Spent,
}

#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) session: Session,
    pub(crate) name: Name,
    pub(crate) life: Life,
    pub(crate) immediate: bool,
    /// Where in the history its last write is.
    pub(crate) written: u64,
}

/// A run. Everything that differs from the model is a panic.
#[derive(Debug)]
pub(crate) struct Run {
    /// How to do it again.
    pub(crate) label: String,
    pub(crate) config: Config,
    pub(crate) place: Place,
    pub(crate) database: Option<Database>,
    pub(crate) handles: Vec<Option<Handle>>,
    pub(crate) ids: Vec<SessionId>,
    pub(crate) history: History,
    pub(crate) stamp: u64,
    /// What becomes of the disk when its power goes off.
    pub(crate) armed: Option<Accident>,
    /// Values that an immediate pop handed out: nobody may get them again.
    pub(crate) spent: BTreeSet<Vec<u8>>,
    /// IDs that died by an acknowledged immediate operation.
    pub(crate) buried: BTreeSet<Name>,
    /// Whether a verification is still to come since the last opening.
    pub(crate) unverified: bool,
    pub(crate) last_pages: u64,
    pub(crate) tally: Tally,
    recent: VecDeque<String>,
}

impl Run {
    /// Opens the database. `armed` is what becomes of the disk when its power
    /// goes off meanwhile.
    pub(crate) fn new(
        label: String,
        place: Place,
        config: Config,
        armed: Option<Accident>,
    ) -> Self {
        let mut run = Self {
            label,
            config,
            place,
            database: None,
            handles: (0..SLOTS).map(|_| None).collect(),
            ids: Vec::new(),
            history: History::new(),
            stamp: 0,
            armed,
            spent: BTreeSet::new(),
            buried: BTreeSet::new(),
            unverified: false,
            last_pages: 0,
            tally: Tally::default(),
            recent: VecDeque::new(),
        };
        match run.place.open(&run.config) {
            Ok(database) => run.database = Some(database),
            Err(error) => run.expect_power_off("the first opening", &error),
        }
        run.rise();
        run
    }

    /// A run on an empty simulated disk.
    pub(crate) fn simulated(label: String, seed: u64, config: Config) -> Self {
        let disk =
            sessiondb::SimulatedDisk::new(seed).expect("a temporary directory for the index");
        Self::new(label, Place::Simulated(disk), config, None)
    }

    /// Applies one operation to both sides.
    pub(crate) fn apply(&mut self, operation: &Operation) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(format!("{operation:?}"));
        self.tally.operations += 1;
        self.make_room();
        match operation {
            Operation::Create { slot, deferred } => self.create(*slot, *deferred),
            Operation::Open {
                slot,
                whose,
                deferred,
            } => self.open(*slot, *whose, *deferred),
            Operation::Act { slot, action } => self.act(*slot, action),
            Operation::Transaction {
                slot,
                actions,
                fails,
            } => {
                self.transact(*slot, actions, *fails);
            }
            Operation::End { slot, ending } => self.end(*slot, *ending),
            Operation::Commit { slot } => self.commit(*slot),
            Operation::Checkpoint => self.checkpoint(),
            Operation::Verify => self.verify(),
            Operation::Reopen { cleanly } => self.reopen(*cleanly),
            Operation::Crash(accident) if self.place.disk().is_some() => self.fall(accident),
            Operation::PowerOff { after, then } if self.place.disk().is_some() => {
                self.arm(*after, then.clone());
            }
            Operation::Crash(_) | Operation::PowerOff { .. } => self.reopen(false),
        }
        self.rise();
    }

    /// From the operation after so many disk operations on the power is off.
    pub(crate) fn arm(&mut self, after: u64, then: Accident) {
        if let Some(disk) = self.place.disk() {
            disk.power_off_after(after);
            self.armed = Some(then);
        }
    }

    /// The last words of every run.
    pub(crate) fn finish(mut self) -> Tally {
        if let Some(disk) = self.place.disk() {
            disk.power_off_after(u64::MAX);
        }
        self.rise();
        self.check_all("at the end");
        self.verify();
        self.reopen(true);
        self.verify();
        self.tally
    }

    pub(crate) fn database(&self) -> Database {
        self.database.clone().expect("the database is open")
    }

    /// If the power has gone off, what was armed happens.
    fn rise(&mut self) {
        if self.place.is_off() {
            self.tally.interrupted += 1;
            let accident = self.armed.take().expect("an accident was armed");
            self.fall(&accident);
        }
    }

    /// Without a background somebody has to checkpoint before the memtable is
    /// full.
    fn make_room(&mut self) {
        let used = self.database().stats().memtable_bytes;
        if !self.config.background && used >= self.config.memtable_bytes as u64 / 2 {
            self.checkpoint();
            self.rise();
        }
    }

    pub(crate) fn keys_of(&self, name: Name) -> Option<&Arc<Keys>> {
        self.history.now().get(&name)
    }

    /// A new name for an ID.
    pub(crate) fn name(&mut self, id: SessionId) -> Name {
        assert!(
            !self.ids.contains(&id),
            "{}: an ID was given out twice",
            self.label
        );
        self.ids.push(id);
        Name(self.ids.len() - 1)
    }

    /// A change was made, or was under way when the power went.
    pub(crate) fn push(&mut self, sessions: Sessions, touched: &[Name]) {
        self.tally.changes += 1;
        self.history.push(sessions, touched);
    }

    /// Whether this is what had to come. False when it is trouble with a disk
    /// whose power is off.
    pub(crate) fn agrees(&self, what: &dyn Debug, expected: &Answer, actual: &Answer) -> bool {
        if expected == actual {
            return true;
        }
        if let Answer::Failure(Failure::Trouble(_)) = actual
            && self.place.is_off()
        {
            return false;
        }
        panic!("{}: {what:?} gave {actual:?}, not {expected:?}", self.label);
    }

    pub(crate) fn expect_power_off(&self, what: &str, error: &sessiondb::Error) {
        assert!(
            self.place.is_off(),
            "{}: {what} failed: {error:?}",
            self.label
        );
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}; {:?}; the last operations:", self.label, self.config);
            for operation in &self.recent {
                eprintln!("  {operation}");
            }
        }
    }
}
