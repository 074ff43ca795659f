//! Opening after a clean close, until the first value has been read.

use std::time::Instant;

use fastrand::Rng;

use super::names::OPEN;
use crate::Outcome;
use crate::engine::Setup;
use crate::field::Field;
use crate::population::{VALUE, fill, key};
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::samples::micros;
use crate::turns::Turns;

const QUICK: &str = "clean open of 100,000 sessions";
const CACHE_BYTES: u64 = 64 << 20;

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    let sessions = run.length().choose(100_000, 1_000_000, 1_000_000);
    let name = run.length().choose(QUICK, OPEN, OPEN);
    if !run.wants(name) {
        return Ok(());
    }
    let mut field = Field::open(run, "open", |place| Setup::new(place, CACHE_BYTES))?;
    field.each(|member| {
        let (engine, ids) = member.parts()?;
        *ids = fill(engine, sessions, 1)?;
        member.close()
    })?;
    let mut random = Rng::new();
    let mut turns = Turns::default();
    for _ in 0..run.rounds() {
        field.each(|member| {
            let id = *random.choice(&member.ids).ok_or("there is no session")?;
            let mut length = 0;
            let start = Instant::now();
            member.open()?;
            let engine = member.engine()?;
            engine.get(&id, &key(0), &mut |value| length = value.len())?;
            let taken = micros(start.elapsed()) / 1e3;
            if length != VALUE {
                return Err("a value is missing".into());
            }
            member.close()?;
            turns.push(member.kind.name, taken);
            Ok(())
        })?;
    }
    let heading = Heading::new(name, "ms", Better::Lower);
    run.report.add_all(&[heading], &turns);
    field.remove()
}
