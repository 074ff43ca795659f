//! Crash states, counted: the power goes off at every operation of the disk
//! that random operations lead to, in several ways at each, and what is left is
//! opened and compared with the model.
//!
//! `SESSIONDB_CRASH_STATES=n` goes on until there were so many different ones,
//! and a hundred in each step; `SESSIONDB_SEED=n` does the round of that seed
//! again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::random::number;

mod camera;
mod census;
mod index;
mod round;
mod script;
mod steps;

use census::Census;
use round::round;

/// Different states, and those of each step, when nobody asks for more.
const STATES: u64 = 2_000;
const OF_EACH_STEP: u64 = 1;
/// Of each step when somebody does.
const OF_EACH_STEP_IN_FULL: u64 = 100;
/// A round leaves some hundred states. After so many times as many rounds as
/// that takes, what is missing does not come any more.
const PATIENCE: u64 = 5;
const OF_A_ROUND: u64 = 400;

#[test]
fn every_state_that_a_crash_leaves_at_any_step_is_one_that_it_may_leave() {
    let census = Census::default();
    let begun = Instant::now();
    if let Some(seed) = number("SESSIONDB_SEED") {
        round(seed, &census);
        println!("{census}");
        return;
    }
    let asked = number("SESSIONDB_CRASH_STATES");
    let least = asked.map_or(OF_EACH_STEP, |_| OF_EACH_STEP_IN_FULL);
    let wanted = asked.unwrap_or(STATES);
    let most_rounds = PATIENCE * (wanted / OF_A_ROUND + least);
    let has_failed = AtomicBool::new(false);
    let seeds = AtomicU64::new(1);
    let is_done = || {
        let is_enough = census.states() >= wanted && census.fewest().1 >= least;
        let is_hopeless = seeds.load(Ordering::Relaxed) > most_rounds;
        is_enough || is_hopeless || has_failed.load(Ordering::Relaxed)
    };
    // An opening waits for threads of its own more than it computes.
    let workers = 2 * thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let _alarm = Alarm(&has_failed);
                while !is_done() {
                    let seed = seeds.fetch_add(1, Ordering::Relaxed);
                    round(seed, &census);
                    if asked.is_some() {
                        println!("round {seed}: {} states so far", census.states());
                    }
                }
            });
        }
    });
    let rounds = seeds.load(Ordering::Relaxed) - 1;
    println!("{rounds} rounds in {:?}", begun.elapsed());
    println!("{census}");
    assert!(census.states() >= wanted, "too few states");
    let (step, states) = census.fewest();
    assert!(states >= least, "{step}: only {states} states");
}

/// The others stop when one has found something.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
