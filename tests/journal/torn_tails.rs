//! What was not synced may survive a power cut in any part. What comes back
//! is a prefix, and what was cut away never comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use sessiondb::{Crash, Database, Durability, IndexFate, SimulatedDisk};

use crate::history::{History, Writer};
use crate::support::{disk, open, without_hanging};

const NEVER: Durability = Durability::Deferred {
    sync_within: Duration::from_secs(3600),
};

/// Transactions of which all are on their way to the disk and none is synced.
/// Returns how many were synced before.
fn tear(disk: &SimulatedDisk, database: &Database, writer: &mut Writer, count: usize) {
    for _ in 0..count {
        writer.step(0).unwrap();
    }
    // The write gets through, the sync does not.
    disk.power_off_after(1);
    database.commit().unwrap_err();
}

fn seeds(everyday: u64) -> std::ops::Range<u64> {
    let rounds = std::env::var("SESSIONDB_ROUNDS").ok();
    0..rounds
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(everyday)
}

/// Opens what a crash left; the place where it stands.
fn reopen(survivor: &SimulatedDisk, history: &History, context: &str) -> (Database, usize) {
    let database = open(survivor).unwrap_or_else(|error| panic!("{context}: {error}"));
    let place = history.place(&database, context);
    (database, place)
}

#[test]
fn a_torn_tail_is_a_prefix_that_holds_all_that_was_synced() {
    without_hanging(|| {
        let disk = disk(4);
        let database = open(&disk).unwrap().with_durability(NEVER);
        let mut writer = Writer::new(&database);
        for _ in 0..5 {
            writer.step(0).unwrap();
        }
        database.commit().unwrap();
        tear(&disk, &database, &mut writer, 40);
        let mut places = BTreeSet::new();
        let torn = seeds(60).flat_map(|seed| [Crash::Random(seed), Crash::Prefix(seed)]);
        for how in [Crash::KeepNothing, Crash::KeepAll].into_iter().chain(torn) {
            let context = format!("{how:?}");
            let survivor = disk.crash(how, IndexFate::Lost).unwrap();
            let (again, place) = reopen(&survivor, &writer.history, &context);
            match how {
                Crash::KeepNothing => assert_eq!(place, 5),
                Crash::KeepAll => assert_eq!(place, 45),
                _ => assert!((5..=45).contains(&place), "{context}: {place}"),
            }
            places.insert(place);
            survivor.power_off();
            drop(again);
        }
        // It was torn in many places, or this has tested little.
        assert!(places.len() > 6, "{places:?}");
    });
}

/// One power cut after another.
struct Crashes {
    seed: u64,
    random: fastrand::Rng,
    disk: SimulatedDisk,
    history: Option<History>,
    /// So many transactions were synced.
    synced: usize,
    /// How often a tail was cut.
    shortened: usize,
    /// How often the power went during an opening.
    interrupted: usize,
}

impl Crashes {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            random: fastrand::Rng::with_seed(seed),
            disk: disk(seed),
            history: None,
            synced: 0,
            shortened: 0,
            interrupted: 0,
        }
    }

    fn crash(&mut self) {
        let how = match self.random.u8(..4) {
            0 => Crash::KeepAll,
            1 => Crash::Prefix(self.random.u64(..)),
            _ => Crash::Random(self.random.u64(..)),
        };
        self.disk = self.disk.crash(how, IndexFate::Kept).unwrap();
    }

    /// Opens; the power may go meanwhile, again and again.
    fn open(&mut self, context: &str) -> Database {
        while self.history.is_some() && self.random.bool() {
            self.disk.power_off_after(self.random.u64(1..16));
            let opened = open(&self.disk);
            self.interrupted += usize::from(opened.is_err());
            self.crash();
        }
        let database = open(&self.disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        database.with_durability(NEVER)
    }

    fn writer(&mut self, database: &Database, context: &str) -> Writer {
        let Some(mut known) = self.history.take() else {
            return Writer::new(database);
        };
        let place = known.place(database, context);
        let synced = self.synced;
        assert!(place >= synced, "{context}: {place} of {synced} synced");
        self.shortened += usize::from(place < known.len());
        known.truncate(place);
        Writer::resume(database, known)
    }

    fn round(&mut self, number: usize) {
        let context = format!("seed {}, crash {number}", self.seed);
        let database = self.open(&context);
        let mut writer = self.writer(&database, &context);
        // Frames in the new file before the next tear, or none: then its
        // header alone keeps the cut tail away.
        writer.steps(self.random.usize(..4));
        database.commit().unwrap();
        if self.random.u8(..5) == 0 {
            database.checkpoint().unwrap();
        }
        self.synced = writer.history.len();
        // Some tails reach over several files.
        let padding = if self.random.bool() { 0 } else { 20_000 };
        for _ in 0..self.random.usize(1..=20) {
            writer.step(padding).unwrap();
        }
        self.disk.power_off_after(self.random.u64(1..6));
        if database.commit().is_ok() {
            self.synced = writer.history.len();
        }
        self.crash();
        drop(database);
        self.history = Some(writer.history);
    }
}

#[test]
fn nothing_that_was_cut_revives_across_crashes_in_a_row() {
    without_hanging(|| {
        let (mut shortened, mut interrupted) = (0, 0);
        for seed in seeds(25) {
            let mut crashes = Crashes::new(seed);
            for number in 0..4 {
                crashes.round(number);
            }
            shortened += crashes.shortened;
            interrupted += crashes.interrupted;
        }
        assert!(shortened > 10, "only {shortened} tails were torn");
        assert!(interrupted > 10, "only {interrupted} openings");
    });
}

#[test]
fn what_an_opening_showed_survives_the_next_power_cut() {
    without_hanging(|| {
        for seed in seeds(30) {
            let first = disk(seed);
            let database = open(&first).unwrap().with_durability(NEVER);
            let mut writer = Writer::new(&database);
            tear(&first, &database, &mut writer, 30);
            let second = first.crash(Crash::Random(seed), IndexFate::Lost).unwrap();
            drop(database);
            let context = format!("seed {seed}");
            let (again, place) = reopen(&second, &writer.history, &context);
            let third = second.crash(Crash::KeepNothing, IndexFate::Lost).unwrap();
            drop(again);
            let (last, found) = reopen(&third, &writer.history, &context);
            assert_eq!(found, place, "{context}");
            third.power_off();
            drop(last);
        }
    });
}
