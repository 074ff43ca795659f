//! Rounds of random operations, each from a seed of its own.
//!
//! `SESSIONDB_SEED=n` does the round of that seed again; `SESSIONDB_ROUNDS=n`
//! does so many.

use std::time::Instant;

use crate::model::{Config, Operation, Run, Tally};

/// Operations of a round.
const OPERATIONS: usize = 200;
const ROUNDS: u64 = 24;
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

/// Does the rounds of a test, and tells of them. `None` where they are fewer
/// than those it does by itself, which need not meet everything.
pub(crate) fn all_rounds(default: u64, round: impl Fn(u64) -> Tally) -> Option<Tally> {
    let first = number("SESSIONDB_SEED").unwrap_or(FIRST_SEED);
    let rounds = rounds(default);
    let begun = Instant::now();
    let mut total = Tally::default();
    for seed in first..first + rounds {
        total += round(seed);
    }
    println!(
        "{rounds} rounds from seed {first} in {:?}: {total:?}",
        begun.elapsed()
    );
    (rounds >= default).then_some(total)
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
    let Some(total) = all_rounds(ROUNDS, round) else {
        return;
    };
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
        total.files_emptied > 10,
        "too little was compacted: {total:?}"
    );
    assert!(total.erasures > 20, "too little was erased: {total:?}");
    assert!(total.renewals > 10, "too few renewals: {total:?}");
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
    check_life(&total);
}

/// That sessions, keys and IDs have really come to an end, in each way.
fn check_life(total: &Tally) {
    let life = total.life;
    assert!(life.sessions_over > 10, "no session expired: {life:?}");
    assert!(life.keys_over > 0, "no key expired: {life:?}");
    assert!(life.purged > 20, "no session was purged: {life:?}");
    assert!(life.ended_by_expiry > 2, "no expiry was past: {life:?}");
    assert!(life.set_back > 5, "the clock was never behind: {life:?}");
    assert!(life.seen_again > 10, "nothing was seen again: {life:?}");
    assert!(life.evicted > 1, "no owner had too many: {life:?}");
    assert!(life.revoked > 20, "no session was revoked: {life:?}");
    assert!(life.owners_revoked > 0, "no owner was revoked: {life:?}");
    assert!(
        life.touched > 0 && life.untouched > 10,
        "no touches: {life:?}"
    );
    assert!(life.ended_with_writes > 20, "no logins: {life:?}");
    assert!(
        life.chosen > 5 && life.refused > 10,
        "no IDs were chosen: {life:?}"
    );
    assert!(
        life.retired > 100 && life.forgotten > 50,
        "no IDs were retired: {life:?}"
    );
}
