//! An operation of the disk fails, in any way, and the power goes off as soon
//! as somebody is told. What was acknowledged before is there, and what failed
//! wholly or not at all.
//!
//! `SESSIONDB_SEED=n` does the round of that seed again; `SESSIONDB_ROUNDS=n`
//! does so many.

use std::io::ErrorKind;

use sessiondb::{Fault, FaultEffect, Operation as Asked};

use crate::model::{Accident, Config, Operation, Run, Tally};
use crate::random::all_rounds;

/// Failures that a round tries, and the operations that each has time for.
const FAILURES: usize = 20;
const OPERATIONS: usize = 20;
/// Between one and the next.
const AT_PEACE: usize = 4;
const ROUNDS: u64 = 45;

/// What may fail: writes and syncs more often than the rest.
const ASKED: [Asked; 14] = [
    Asked::Write,
    Asked::Write,
    Asked::SyncData,
    Asked::SyncData,
    Asked::SyncData,
    Asked::SyncAll,
    Asked::SyncAll,
    Asked::SyncDirectory,
    Asked::Create,
    Asked::Open,
    Asked::Read,
    Asked::Rename,
    Asked::Remove,
    Asked::SetLength,
];

fn fault(random: &mut fastrand::Rng) -> Fault {
    let operation = ASKED[random.usize(..ASKED.len())];
    let effect = match operation {
        Asked::Write if random.bool() => FaultEffect::ShortWrite,
        Asked::SyncData | Asked::SyncAll => match random.u32(..4) {
            0 => FaultEffect::Refuse,
            1 => FaultEffect::LosePages,
            _ => FaultEffect::LoseSomePages(random.u64(..)),
        },
        _ => FaultEffect::Refuse,
    };
    Fault {
        operation,
        path_contains: String::new(),
        after: random.u64(..6),
        times: 1,
        kind: [ErrorKind::Other, ErrorKind::StorageFull][usize::from(random.u32(..4) == 0)],
        effect,
    }
}

/// Without crashes: they come after a failure.
fn draw(random: &mut fastrand::Rng) -> Operation {
    loop {
        match Operation::draw(random) {
            Operation::Crash(_) | Operation::PowerOff { .. } => {}
            operation => return operation,
        }
    }
}

fn round(seed: u64) -> Tally {
    let mut random = fastrand::Rng::with_seed(seed);
    let config = Config::draw(&mut random);
    let label = format!("failing, SESSIONDB_SEED={seed}");
    let mut run = Run::simulated(label, seed, config);
    for _ in 0..FAILURES {
        for _ in 0..random.usize(..AT_PEACE) {
            run.apply(&draw(&mut random));
        }
        run.plant(fault(&mut random), Accident::draw(&mut random));
        for _ in 0..random.usize(..OPERATIONS) {
            run.apply(&draw(&mut random));
        }
        run.relent();
    }
    run.finish()
}

#[test]
fn after_a_failure_and_a_power_cut_all_that_was_acknowledged_is_there() {
    let Some(total) = all_rounds(ROUNDS, round) else {
        return;
    };
    assert!(total.failures > 200, "hardly anything failed: {total:?}");
    assert!(
        total.crashes_that_took > 3,
        "no crash took anything: {total:?}"
    );
}
