//! A million keys, as fast as an engine takes them: four threads, thousands of
//! keys in a commit, and one sync in the end.

use std::time::Instant;

use super::names::LOAD;
use super::shared::{KEYS, SESSIONS};
use crate::Outcome;
use crate::engine::Setup;
use crate::field::Field;
use crate::numbers::float;
use crate::population::fill;
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::turns::Turns;

pub(super) const NAMES: &[&str] = &[LOAD];

/// What was loaded last is there for the workloads that follow.
pub(super) fn measure(run: &mut Run, cache_bytes: u64) -> Outcome<Field> {
    let rounds = if run.wants(LOAD) {
        run.length().choose(1, 3, 5)
    } else {
        1
    };
    let mut turns = Turns::default();
    let mut loaded: Option<Field> = None;
    for _ in 0..rounds {
        if let Some(earlier) = loaded.take() {
            earlier.remove()?;
        }
        let mut field = Field::open(run, "shared", |place| Setup::new(place, cache_bytes))?;
        field.each(|member| {
            let start = Instant::now();
            let (engine, ids) = member.parts()?;
            *ids = fill(engine, SESSIONS, KEYS)?;
            let rate = float((SESSIONS * KEYS) as u64) / start.elapsed().as_secs_f64();
            turns.push(member.kind.name, rate);
            Ok(())
        })?;
        loaded = Some(field);
    }
    if run.wants(LOAD) {
        let heading = Heading::new(LOAD, "keys/s", Better::Higher);
        run.report.add_all(&[heading], &turns);
    }
    Ok(loaded.ok_or("nothing was loaded")?)
}
