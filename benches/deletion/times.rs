//! How long the calls take, on both stores in turns.

use std::fs;

use crate::Outcome;
use crate::bare_sled::BareSled;
use crate::operation::Operation;
use crate::ours::Ours;
use crate::plan;
use crate::report::{Report, Target};
use crate::samples::{Rounds, Samples};
use crate::scene::Scene;
use crate::store::Store;
use crate::table::{Table, Time, some_keys};
use crate::workplace::Workplace;

/// A flush of so many keys is so many times as fast.
const HEADLINE: (usize, f64) = (1_000_000, 300.0);

/// An operation on both stores.
struct Pair {
    operation: Operation,
    ours: Times,
    /// None where another operation stands for it.
    bare: Option<Times>,
}

/// Figures of all rounds of an operation on one store.
#[derive(Default)]
struct Times {
    p50: Rounds,
    p99: Rounds,
    greatest: Rounds,
    /// In a round.
    samples: usize,
}

pub(crate) fn measure(
    workplace: &Workplace,
    report: &mut Report,
    table: &mut Table,
) -> Outcome<()> {
    let wants = |operation: &Operation| report.wants(operation.name());
    let wanted: Vec<_> = Operation::ALL.into_iter().filter(wants).collect();
    // What stands for it on bare sled is measured along.
    let operations: Vec<_> = Operation::ALL
        .into_iter()
        .filter(|operation| {
            let stands = |wanted: &Operation| wanted.on_bare_sled() == *operation;
            wanted.contains(operation) || wanted.iter().any(stands)
        })
        .collect();
    if operations.is_empty() {
        return Ok(());
    }
    for keys in plan::sizes(workplace.length) {
        let mut pairs: Vec<_> = operations.iter().copied().map(Pair::new).collect();
        for number in 1..=plan::rounds(workplace.length) {
            round(workplace, keys, &mut pairs)?;
            // A run takes minutes: whoever waits sees that it gets on.
            eprintln!("{}, round {number}", some_keys(keys));
        }
        for pair in &pairs {
            table.add_time(pair.operation, keys, Ours::NAME, pair.ours.time());
            if let Some(bare) = &pair.bare {
                table.add_time(pair.operation, keys, BareSled::NAME, bare.time());
            }
        }
        let rows = (keys == plan::largest(workplace.length)).then_some(&mut *report);
        compare(rows, table, keys, &pairs);
    }
    Ok(())
}

fn round(workplace: &Workplace, keys: usize, pairs: &mut [Pair]) -> Outcome<()> {
    let samples = plan::samples(keys);
    let all: Vec<_> = pairs.iter().map(|pair| pair.operation).collect();
    let with_bare = pairs.iter().filter(|pair| pair.bare.is_some());
    let on_bare: Vec<_> = with_bare.map(|pair| pair.operation).collect();
    let (our_place, bare_place) = (workplace.place("ours"), workplace.place("bare"));
    let mut ours = Scene::<Ours>::new(&our_place, keys, &all, samples)?;
    let mut bare = Scene::<BareSled>::new(&bare_place, keys, &on_bare, samples)?;
    let mut taken: Vec<_> = pairs
        .iter()
        .map(|_| (Samples::default(), Samples::default()))
        .collect();
    for turn in 0..samples.by_key.max(samples.whole) {
        for (pair, (of_ours, of_bare)) in pairs.iter().zip(&mut taken) {
            if turn < samples.of(pair.operation) {
                of_ours.push(ours.run(pair.operation)?.time);
                if pair.bare.is_some() {
                    of_bare.push(bare.run(pair.operation)?.time);
                }
            }
        }
    }
    ours.leave()?;
    bare.leave()?;
    fs::remove_dir_all(our_place)?;
    fs::remove_dir_all(bare_place)?;
    for (pair, (ours, bare)) in pairs.iter_mut().zip(taken) {
        let count = samples.of(pair.operation);
        pair.ours.add(&ours, count);
        if let Some(times) = &mut pair.bare {
            times.add(&bare, count);
        }
    }
    Ok(())
}

impl Pair {
    fn new(operation: Operation) -> Self {
        let is_itself = operation.on_bare_sled() == operation;
        Self {
            operation,
            ours: Times::default(),
            bare: is_itself.then(Times::default),
        }
    }
}

impl Times {
    fn add(&mut self, samples: &Samples, count: usize) {
        self.p50.0.push(samples.p50());
        self.p99.0.push(samples.p99());
        self.greatest.0.push(samples.per_mille(1000));
        self.samples = count;
    }

    fn time(&self) -> Time {
        Time {
            p50: self.p50.median(),
            p99: plan::is_enough_for_p99(self.samples).then(|| self.p99.median()),
            greatest: self.greatest.greatest(),
            samples: self.samples * self.p50.0.len(),
        }
    }
}

/// How many times as fast each is, round by round: into the table and, where
/// there is to be a row, into the report.
fn compare(mut report: Option<&mut Report>, table: &mut Table, keys: usize, pairs: &[Pair]) {
    for pair in pairs {
        let operation = pair.operation.on_bare_sled();
        let same = pairs.iter().find(|pair| pair.operation == operation);
        let Some(bare) = same.and_then(|pair| pair.bare.as_ref()) else {
            continue;
        };
        let rounds = bare.p50.0.iter().zip(&pair.ours.p50.0);
        let gain = Rounds(rounds.map(|(bare, ours)| bare / ours).collect());
        table.add_gain(pair.operation, keys, gain.median());
        if let Some(report) = &mut report {
            let (headline, least) = HEADLINE;
            let target = match pair.operation {
                Operation::Flush if keys == headline => Target::AtLeast(least),
                _ => Target::None,
            };
            let name = pair.operation.name();
            let name = format!("{name}, {}: bare sled / sessiondb", some_keys(keys));
            report.add(name, gain.median(), "times", target, gain.spread());
        }
    }
}
