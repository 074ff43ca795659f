//! Rounds of random operations, each from a seed of its own.
//!
//! `SESSIONDB_SEED=n` does the round of that seed again; `SESSIONDB_ROUNDS=n`
//! does so many.

use std::time::Instant;

use crate::model::{Config, Operation, Run, Tally};

/// Operations of a round.
const OPERATIONS: usize = 120;
const ROUNDS: u64 = 16;
const FIRST_SEED: u64 = 1;

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How many rounds a test does that does so many by itself.
pub(crate) fn rounds(default: u64) -> u64 {
    let default = if number("SESSIONDB_SEED").is_some() {
        1
    } else {
        default
    };
    number("SESSIONDB_ROUNDS").unwrap_or(default)
}

/// One round, in which the disk crashes.
fn round(seed: u64) -> Tally {
    let mut random = fastrand::Rng::with_seed(seed);
    let config = Config::draw(&mut random);
    let label = format!("SESSIONDB_SEED={seed}");
    let mut run = Run::simulated(label, seed, config);
    for _ in 0..OPERATIONS {
        run.apply(&Operation::draw(&mut random));
    }
    run.finish()
}

#[test]
fn random_operations_and_crashes_leave_what_the_model_holds() {
    let first = number("SESSIONDB_SEED").unwrap_or(FIRST_SEED);
    let rounds = rounds(ROUNDS);
    let begun = Instant::now();
    let mut total = Tally::default();
    for seed in first..first + rounds {
        total += round(seed);
    }
    println!(
        "{rounds} rounds from seed {first} in {:?}: {total:?}",
        begun.elapsed()
    );
    // One round alone need not meet everything.
    if rounds < ROUNDS {
        return;
    }
    assert!(total.crashes > 40, "too few crashes: {total:?}");
    assert!(
        total.interrupted > 10,
        "too few interrupted operations: {total:?}"
    );
    assert!(
        total.openings_cut > 3,
        "too few interrupted openings: {total:?}"
    );
    assert!(
        total.crashes_that_took > 3,
        "no crash took anything: {total:?}"
    );
    assert!(
        total.pages > 3 && total.pages_gone > 0,
        "no splits or joins: {total:?}"
    );
    assert!(
        total.segment_files > 3,
        "the segments never rolled: {total:?}"
    );
    assert!(
        total.journal_files > 8,
        "the journal never rolled: {total:?}"
    );
}
