//! Logouts: what a durable flush of a session takes, by how many keys it has.
//! Of small sessions many are flushed in a round, of large ones one.

use std::time::Instant;

use super::names::{FLUSH_MANY, FLUSH_ONE};
use crate::Outcome;
use crate::engine::{Engine, Setup};
use crate::field::Field;
use crate::population::fill;
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::samples::Samples;
use crate::turns::Turns;

/// How many keys, how many sessions a round, and whether a quick run has it:
/// who removes key by key takes minutes for a million.
const SIZES: [(&str, usize, usize, bool); 7] = [
    (FLUSH_ONE, 1, 50, true),
    ("durable flush of 10 keys", 10, 50, false),
    ("durable flush of 100 keys", 100, 50, false),
    ("durable flush of 1,000 keys", 1000, 20, true),
    ("durable flush of 10,000 keys", 10_000, 5, false),
    ("durable flush of 100,000 keys", 100_000, 1, true),
    (FLUSH_MANY, 1_000_000, 1, false),
];
const CACHE_BYTES: u64 = 64 << 20;

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    for (name, keys, sessions, is_quick) in SIZES {
        if run.wants(name) && run.length().choose(is_quick, true, true) {
            measure_one(run, name, keys, sessions)?;
        }
    }
    Ok(())
}

fn measure_one(run: &mut Run, name: &str, keys: usize, sessions: usize) -> Outcome<()> {
    let rounds = if sessions == 1 {
        run.length().choose(1, 3, 5)
    } else {
        run.rounds()
    };
    let mut turns = Turns::default();
    let mut field = Field::open(run, "flush", |place| Setup::new(place, CACHE_BYTES))?;
    for _ in 0..rounds {
        field.each(|member| {
            let time = flush(member.engine()?, keys, sessions)?;
            turns.push(member.kind.name, time);
            Ok(())
        })?;
    }
    let heading = Heading::durable(name, "us", Better::Lower);
    run.report.add_all(&[heading], &turns);
    field.remove()
}

/// The median of some flushes in microseconds.
fn flush(engine: &dyn Engine, keys: usize, sessions: usize) -> Outcome<f64> {
    let mut taken = Samples::default();
    for id in fill(engine, sessions, keys)? {
        let start = Instant::now();
        let flushed = engine.flush(&id)?;
        taken.push(start.elapsed());
        if flushed.is_none() || engine.load(&id, &mut |_, _| {})? {
            return Err("a session was not flushed".into());
        }
    }
    Ok(taken.p50())
}
