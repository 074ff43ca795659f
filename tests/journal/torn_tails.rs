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

#[test]
fn nothing_that_was_cut_revives_across_crashes_in_a_row() {
    without_hanging(|| {
        let mut shortened = 0;
        for seed in seeds(25) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut disk = disk(seed);
            let mut history: Option<History> = None;
            let mut synced = 0;
            for crash in 0..4 {
                let context = format!("seed {seed}, crash {crash}");
                let database = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
                let database = database.with_durability(NEVER);
                let mut writer = match history.take() {
                    None => Writer::new(&database),
                    Some(mut known) => {
                        let place = known.place(&database, &context);
                        assert!(place >= synced, "{context}: {place} of {synced} synced");
                        shortened += usize::from(place < known.len());
                        known.truncate(place);
                        Writer::resume(&database, known)
                    }
                };
                // Frames in the new file before the next tear, or none: then
                // its header alone keeps the cut tail away.
                let settled = random.usize(..4);
                for _ in 0..settled {
                    writer.step(0).unwrap();
                }
                database.commit().unwrap();
                if random.u8(..5) == 0 {
                    database.checkpoint().unwrap();
                }
                synced = writer.history.len();
                tear(&disk, &database, &mut writer, 1 + random.usize(..20));
                let how = match random.u8(..4) {
                    0 => Crash::KeepAll,
                    1 => Crash::Prefix(random.u64(..)),
                    _ => Crash::Random(random.u64(..)),
                };
                let survivor = disk.crash(how, IndexFate::Kept).unwrap();
                drop(database);
                history = Some(writer.history);
                disk = survivor;
            }
        }
        assert!(shortened > 10, "only {shortened} tails were torn");
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
