//! The power goes off at every single disk operation of something.

use std::fmt::Debug;

use sessiondb::{Crash, IndexFate, SimulatedDisk};

use crate::model::{
    Accident, Action, Blow, Config, Durabilities, Kind, Operation, Place, Recipe, Run, Tally,
};
use crate::random::number;

/// More operations than anything here takes.
const PLENTY: u64 = 2000;

/// How a disk may come out of a crash. All of them when more rounds are asked
/// for; otherwise some, other ones for each operation.
pub(crate) fn futures(after: u64) -> Vec<Blow> {
    let crashes = [
        Crash::KeepNothing,
        Crash::Random(after),
        Crash::Prefix(after),
        Crash::KeepAll,
        Crash::Random(after + PLENTY),
        Crash::Prefix(after + PLENTY),
    ];
    let fates = [IndexFate::Kept, IndexFate::Lost, IndexFate::Kept];
    let blows = crashes
        .iter()
        .flat_map(|crash| fates.iter().take(2).map(|fate| Blow::new(*crash, *fate)));
    if number("SESSIONDB_ROUNDS").is_some() {
        return blows.collect();
    }
    let place = usize::try_from(after).unwrap_or(0);
    let crash = crashes[place % crashes.len()];
    vec![Blow::new(crash, fates[place % fates.len()])]
}

/// Prepares a run, lets the power go off after 0, 1, 2... disk operations of
/// `work`, until it is done before that. Returns how many it takes.
pub(crate) fn at_every_operation(
    topic: &str,
    config: &Config,
    prepare: impl Fn(&mut Run),
    work: &[Operation],
) -> (u64, Tally) {
    at_every_operation_into(topic, config, prepare, work, futures)
}

/// The same with futures of the caller's.
pub(crate) fn at_every_operation_into(
    topic: &str,
    config: &Config,
    prepare: impl Fn(&mut Run),
    work: &[Operation],
    futures: impl Fn(u64) -> Vec<Blow>,
) -> (u64, Tally) {
    let mut total = Tally::default();
    for after in 0..PLENTY {
        let mut interrupted = false;
        for blow in futures(after) {
            let label = format!("{topic}, power off after {after}, {blow:?}");
            let mut run = Run::simulated(label, after, config.clone());
            prepare(&mut run);
            run.arm(after, blow.into());
            for operation in work {
                run.apply(operation);
            }
            let tally = run.finish();
            interrupted |= tally.interrupted > 0;
            total += tally;
        }
        if !interrupted {
            return (after, total);
        }
    }
    panic!("{topic}: never done");
}

/// The same for the creation of a database and its first writes.
pub(crate) fn at_every_operation_of_creation(work: &[Operation]) -> u64 {
    for after in 0..PLENTY {
        let mut interrupted = false;
        for blow in futures(after) {
            let label = format!("creation, power off after {after}, {blow:?}");
            let disk = SimulatedDisk::new(after).expect("a temporary directory for the index");
            disk.power_off_after(after);
            let accident = Accident::from(blow);
            let place = Place::Simulated(disk);
            let mut run = Run::new(label, place, Config::default(), Some(accident));
            for operation in work {
                run.apply(operation);
            }
            interrupted |= run.finish().interrupted > 0;
        }
        if !interrupted {
            return after;
        }
    }
    panic!("creation: never done");
}

pub(crate) fn text(size: usize) -> Recipe {
    Recipe {
        kind: Kind::Text,
        size,
    }
}

pub(crate) fn set(slot: usize, key: impl Debug, size: usize) -> Operation {
    Operation::Act {
        slot,
        action: Action::Set(format!("{key:?}"), text(size)),
    }
}

/// So many keys of 300 bytes at once.
pub(crate) fn fill(slot: usize, keys: usize) -> Operation {
    Operation::Transaction {
        slot,
        actions: (0..keys)
            .map(|key| Action::Set(format!("key {key:03}"), text(300)))
            .collect(),
        fails: false,
    }
}

pub(crate) fn remove_prefix(slot: usize, prefix: &str) -> Operation {
    Operation::Act {
        slot,
        action: Action::RemovePrefix(prefix.to_owned()),
    }
}

pub(crate) fn both(durabilities: Durabilities) -> Config {
    Config {
        durabilities,
        memtable_bytes: 4 << 20,
        ..Config::default()
    }
}
