//! Durable writes of a key of any session: by one writer, by some and by many,
//! and a thousand at once; beside a bare write of as much.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::names::{BARE_WRITE, IN_FLIGHT, SET_1, SET_8, SET_64};
use super::shared::KEYS;
use crate::Outcome;
use crate::engine::{Engine, Id};
use crate::field::Field;
use crate::floor::Floor;
use crate::numbers::float;
use crate::population::{key, value};
use crate::report::{Better, Heading, MACHINE};
use crate::run::Run;
use crate::turns::{in_turns, rate, until};

pub(super) const NAMES: &[&str] = &[BARE_WRITE, SET_1, SET_8, SET_64, IN_FLIGHT];
const UNIT: &str = "writes/s";
const AT_ONCE: usize = 1000;
/// About what has to be written for one key.
const BARE_BYTES: usize = 200;

pub(super) fn measure(run: &mut Run, field: &mut Field) -> Outcome<()> {
    for (writers, name) in [(1, SET_1), (8, SET_8), (64, SET_64)] {
        let is_bare_here = writers == 1 && run.wants(BARE_WRITE);
        if run.wants(name) || is_bare_here {
            measure_writers(run, field, writers, name, is_bare_here)?;
        }
    }
    if run.wants(IN_FLIGHT) {
        let turns = in_turns(run, field, None, |member, slice| {
            let mut random = Rng::new();
            let entry = (key(0), value(&mut random));
            let start = Instant::now();
            let written =
                member
                    .engine()?
                    .set_at_once(&member.ids, AT_ONCE, &entry, start + slice)?;
            Ok(vec![float(written) / start.elapsed().as_secs_f64()])
        })?;
        let heading = Heading::durable(IN_FLIGHT, UNIT, Better::Higher);
        run.report.add_all(&[heading], &turns);
    }
    Ok(())
}

fn measure_writers(
    run: &mut Run,
    field: &mut Field,
    writers: usize,
    name: &str,
    is_bare_here: bool,
) -> Outcome<()> {
    let mut floor = Floor::new(&run.workplace.place("floor"), BARE_BYTES)?;
    let mut bare = |slice: Duration| -> Outcome<f64> {
        let (start, mut written) = (Instant::now(), 0);
        while start.elapsed() < slice {
            floor.write()?;
            written += 1;
        }
        Ok(float(written) / start.elapsed().as_secs_f64())
    };
    let yardstick = is_bare_here.then_some(&mut bare as crate::turns::Yardstick);
    let turns = in_turns(run, field, yardstick, |member, slice| {
        let engine = member.engine()?;
        let rate = rate(writers, slice, |_, over| {
            let mut random = Rng::new();
            until(over, || set(engine, &member.ids, &mut random))
        })?;
        Ok(vec![rate])
    })?;
    if is_bare_here {
        let heading = Heading::durable(BARE_WRITE, UNIT, Better::Higher);
        run.report.add(&heading, MACHINE, &turns.yardstick);
    }
    if run.wants(name) {
        let heading = Heading::durable(name, UNIT, Better::Higher);
        run.report.add_all(&[heading], &turns);
    }
    Ok(())
}

/// Sets any key of any session.
pub(super) fn set(engine: &dyn Engine, ids: &[Id], random: &mut Rng) -> Outcome<()> {
    let id = random.choice(ids).ok_or("there is no session")?;
    if !engine.set(id, &key(random.usize(..KEYS)), &value(random))? {
        return Err("a session is missing".into());
    }
    Ok(())
}
