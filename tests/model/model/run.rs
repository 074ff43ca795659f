//! A database and its model, side by side.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use sessiondb::{Database, Fault, SessionId};

use super::answer::{Answer, Failure};
use super::config::Config;
use super::draw::SLOTS;
use super::handle::Handle;
use super::history::History;
use super::operation::{Accident, Operation};
use super::place::Place;
use super::state::{Moment, Name, State};
use super::tally::Tally;
use super::time::{Time, Watch};

/// How trouble begins that no failing disk explains.
const DAMAGE: &str = "Corrupted";
/// Operations that a failure shows.
const RECENT: usize = 40;
/// What the clock shows at first: 2001-09-09, in seconds.
const BEGINNING: u64 = 1_000_000_000;

/// A run. Everything that differs from the model is a panic.
#[derive(Debug)]
pub(crate) struct Run {
    /// How to do it again.
    pub(crate) label: String,
    pub(crate) config: Config,
    pub(crate) place: Place,
    pub(crate) watch: Arc<Watch>,
    pub(crate) database: Option<Database>,
    pub(crate) handles: Vec<Option<Handle>>,
    pub(crate) ids: Vec<SessionId>,
    pub(crate) history: History,
    pub(crate) stamp: u64,
    /// Sessions that were born.
    pub(crate) births: u64,
    /// What becomes of the disk when its power goes off.
    pub(crate) armed: Option<Accident>,
    /// Disk operations that the power is on for.
    pub(crate) limit: u64,
    /// Whether an operation of the disk is to fail, or has failed.
    pub(crate) is_failing: bool,
    /// Values that an immediate pop handed out: nobody may get them again.
    pub(crate) spent: BTreeSet<Vec<u8>>,
    /// IDs that died by an acknowledged immediate operation.
    pub(crate) buried: BTreeSet<Name>,
    /// Whether a verification is still to come since the last opening.
    pub(crate) unverified: bool,
    pub(crate) last_pages: u64,
    pub(crate) tally: Tally,
    pub(super) recent: VecDeque<String>,
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
            watch: Arc::new(Watch::showing(Time(BEGINNING * 1_000_000_000))),
            database: None,
            handles: (0..SLOTS).map(|_| None).collect(),
            ids: Vec::new(),
            history: History::new(),
            stamp: 0,
            births: 0,
            armed,
            limit: u64::MAX,
            is_failing: false,
            spent: BTreeSet::new(),
            buried: BTreeSet::new(),
            unverified: false,
            last_pages: 0,
            tally: Tally::default(),
            recent: VecDeque::new(),
        };
        match run.open_database() {
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

    /// Opens the database with a clock that goes on from what the last one
    /// shows.
    pub(crate) fn open_database(&mut self) -> Result<Database, sessiondb::Error> {
        let before = self.history.before.max(self.now());
        let shown = self.watch.shown();
        self.tally.life.set_back += u64::from(shown < before);
        self.history.before = before;
        self.watch = Arc::new(Watch::showing(shown));
        self.place.open(&self.config, &self.watch)
    }

    /// What time it is for the database.
    pub(crate) fn now(&self) -> Time {
        self.watch.database_now()
    }

    /// When the next change is made, and under which terms.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            terms: self.config.terms,
            position: self.history.position() + 1,
        }
    }

    /// Applies one operation to both sides.
    pub(crate) fn apply(&mut self, operation: &Operation) {
        self.announce(operation);
        self.perform(operation);
        self.rise();
    }

    /// What comes before every operation.
    pub(crate) fn announce(&mut self, operation: &Operation) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(format!("{operation:?}"));
        self.tally.operations += 1;
        self.make_room();
    }

    fn perform(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { slot, deferred } => self.create(*slot, *deferred),
            Operation::Open {
                slot,
                whose,
                deferred,
            } => self.open(*slot, *whose, *deferred),
            Operation::Choose {
                slot,
                whose,
                wish,
                deferred,
            } => self.choose(*slot, *whose, *wish, *deferred),
            Operation::Act { slot, action } => self.act(*slot, action),
            Operation::ActAgain {
                slot,
                which,
                action,
            } => {
                let action = self.about_a_limited_key(*slot, *which, action);
                self.act(*slot, &action);
            }
            Operation::Transaction {
                slot,
                actions,
                fails,
            } => self.transact(*slot, actions, *fails),
            Operation::End { slot, ending } => self.end(*slot, *ending),
            Operation::EndWith {
                slot,
                renewal,
                actions,
                fails,
            } => self.end_with(*slot, *renewal, actions, *fails),
            Operation::Touch { slot } => self.touch(*slot),
            Operation::Ask { slot } => self.ask(*slot),
            Operation::Revoke {
                whose,
                by_digest,
                deferred,
            } => self.revoke(*whose, *by_digest, *deferred),
            Operation::RevokeOwner {
                owner,
                except,
                deferred,
            } => self.revoke_owner(*owner, *except, *deferred),
            Operation::List { owner } => self.list(*owner),
            Operation::Inspect { whose } => self.inspect(*whose),
            Operation::IsRetired { whose, by_digest } => self.is_retired(*whose, *by_digest),
            Operation::Purge => self.purge(),
            Operation::Clock(turn) => self.set_clock(*turn),
            Operation::Commit { slot } => self.commit(*slot),
            Operation::Checkpoint => self.checkpoint(),
            Operation::Compact => self.compact(),
            Operation::Erase => self.erase(),
            Operation::Verify => self.verify(),
            Operation::Reopen { cleanly, terms } => self.reopen(*cleanly, *terms),
            Operation::Crash(accident) if self.place.disk().is_some() => self.fall(accident),
            Operation::PowerOff { after, then } if self.place.disk().is_some() => {
                self.arm(*after, then.clone());
            }
            Operation::Crash(_) | Operation::PowerOff { .. } => self.reopen(false, None),
        }
    }

    /// From the operation after so many disk operations on the power is off.
    pub(crate) fn arm(&mut self, after: u64, then: Accident) {
        self.disarm();
        // Perhaps it is off already, by the accident before this one.
        if let Some(disk) = self.place.disk().filter(|disk| !disk.is_off()) {
            self.limit = disk.operations() + after;
            disk.power_off_after(after);
            self.armed = Some(then);
        }
    }

    /// The power stays on, unless the last operation that it was on for has
    /// been met: by a thread of the journal's perhaps, just now.
    pub(crate) fn disarm(&mut self) {
        if let Some(disk) = self.place.disk() {
            disk.power_off_after(u64::MAX);
            if disk.operations() >= self.limit {
                disk.power_off();
            }
        }
        self.limit = u64::MAX;
    }

    /// An operation of the disk is to fail. The power goes off as soon as
    /// somebody is told of it, and perhaps never.
    pub(crate) fn plant(&mut self, fault: Fault, then: Accident) {
        self.disarm();
        if let Some(disk) = self.place.disk().filter(|disk| !disk.is_off()) {
            disk.inject(fault);
            self.is_failing = true;
            self.armed = Some(then);
        }
    }

    /// An operation that has not failed by now does not fail any more. After
    /// one that has, of which nothing has told yet, the power goes off.
    pub(crate) fn relent(&mut self) {
        if let Some(disk) = self.place.disk().filter(|_| self.is_failing) {
            if disk.faults() == 0 {
                self.tally.failures_unnoticed += 1;
                disk.power_off();
            }
            disk.clear_faults();
            self.is_failing = false;
            self.rise();
        }
    }

    /// Nothing can be expected of a database that has met a fault, but that
    /// all is there once it is opened again.
    pub(super) fn is_off(&self) -> bool {
        if let Some(disk) = self
            .place
            .disk()
            .filter(|disk| self.is_failing && disk.faults() == 0)
        {
            disk.power_off();
        }
        self.place.is_off()
    }

    /// The last words of every run.
    pub(crate) fn finish(mut self) -> Tally {
        self.disarm();
        self.rise();
        self.check_all("at the end");
        self.verify();
        self.reopen(true, None);
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
            self.tally.failures += u64::from(self.is_failing);
            self.is_failing = false;
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
    pub(crate) fn push(&mut self, state: State, touched: &[Name]) {
        self.tally.changes += 1;
        self.history.push(state, touched);
    }

    /// Whether this is what had to come. False when it is trouble with a disk
    /// whose power is off.
    pub(crate) fn agrees(&self, what: &dyn Debug, expected: &Answer, actual: &Answer) -> bool {
        if expected == actual {
            return true;
        }
        if let Answer::Failure(Failure::Trouble(trouble)) = actual
            && !trouble.starts_with(DAMAGE)
            && self.is_off()
        {
            return false;
        }
        panic!("{}: {what:?} gave {actual:?}, not {expected:?}", self.label);
    }

    pub(crate) fn expect_power_off(&self, what: &str, error: &sessiondb::Error) {
        // A disk that does not answer is no damage.
        let is_damage = matches!(error, sessiondb::Error::Corrupted { .. });
        let is_expected = !is_damage && self.is_off();
        assert!(is_expected, "{}: {what} failed: {error:?}", self.label);
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
