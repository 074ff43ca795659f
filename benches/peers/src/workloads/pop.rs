//! Durable pops by one caller, key by key through sessions of ten keys that
//! were made for it.

use std::time::{Duration, Instant};

use super::names::POP;
use super::shared::KEYS;
use crate::Outcome;
use crate::engine::Engine;
use crate::field::Field;
use crate::numbers::float;
use crate::population::{VALUE, fill, key};
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::turns::in_turns;

pub(super) const NAMES: &[&str] = &[POP];

/// Sessions made at once, whose making is not timed.
const STOCK: usize = 100;

pub(super) fn measure(run: &mut Run, field: &mut Field) -> Outcome<()> {
    if !run.wants(POP) {
        return Ok(());
    }
    let turns = in_turns(run, field, None, |member, slice| {
        Ok(vec![pops(member.engine()?, slice)?])
    })?;
    let heading = Heading::durable(POP, "pops/s", Better::Higher);
    run.report.add_all(&[heading], &turns);
    Ok(())
}

fn pops(engine: &dyn Engine, slice: Duration) -> Outcome<f64> {
    let mut popped = 0;
    let mut taken = Duration::ZERO;
    let mut stock = Vec::new();
    while taken < slice {
        if stock.is_empty() {
            for id in fill(engine, STOCK, KEYS)? {
                stock.extend((0..KEYS).map(|number| (id, key(number))));
            }
        }
        let (id, key) = stock.pop().ok_or("there is no key")?;
        let start = Instant::now();
        let value = engine.pop(&id, &key)?;
        taken += start.elapsed();
        if value.is_none_or(|value| value.len() != VALUE) {
            return Err("a value is missing".into());
        }
        popped += 1;
    }
    Ok(float(popped) / taken.as_secs_f64())
}
