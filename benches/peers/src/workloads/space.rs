//! Space on disk, of everything that an engine keeps there: after sessions were
//! written over and replaced some times, and when all of them are flushed.
//!
//! Nobody is asked to compact anything. What an engine does by itself it has a
//! while to do, until nothing changes any more.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::names::{CHURNED, EMPTIED};
use crate::directory::Taken;
use crate::engine::{Engine, Id, Setup};
use crate::field::Field;
use crate::population::{PAIR, entries, fill};
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::samples::Rounds;
use crate::{Outcome, mebibytes};

const LOADED: &str = "disk after loading / raw bytes";
const KEYS: usize = 100;
/// So many times the data are written in a churn.
const CHURN: usize = 3;
const CACHE_BYTES: u64 = 64 << 20;

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Who has changed nothing for so long has come to rest.
const STILL: Duration = Duration::from_millis(5500);

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    if !run.wants_any([LOADED, CHURNED, EMPTIED]) {
        return Ok(());
    }
    let sessions = run.length().choose(2000, 10_000, 10_000);
    let patience = Duration::from_secs(run.length().choose(10, 120, 120));
    let raw = mebibytes((sessions * KEYS) as u64 * PAIR);
    let mut field = Field::open(run, "space", |place| {
        Setup::new(place, CACHE_BYTES).deferred()
    })?;
    field.each(|member| {
        let (engine, ids) = member.parts()?;
        *ids = fill(engine, sessions, KEYS)?;
        Ok(())
    })?;
    rest(&field, patience)?;
    add(run, &field, LOADED, "times", raw)?;
    field.each(|member| {
        let (engine, ids) = member.parts()?;
        churn(engine, ids)?;
        engine.sync()
    })?;
    rest(&field, patience)?;
    add(run, &field, CHURNED, "times", raw)?;
    field.each(|member| {
        let (engine, ids) = member.parts()?;
        for id in ids.drain(..) {
            engine.flush(&id)?.ok_or("a session is missing")?;
        }
        engine.sync()
    })?;
    rest(&field, patience)?;
    add(run, &field, EMPTIED, "MiB", 1.0)?;
    field.remove()
}

/// Half of what is written goes into sessions that are there, and half into new
/// ones that take the place of others.
fn churn(engine: &dyn Engine, ids: &mut [Id]) -> Outcome<()> {
    let mut random = Rng::with_seed(1);
    for turn in 0..ids.len() * CHURN {
        let place = random.usize(..ids.len());
        let id = ids.get_mut(place).ok_or("there is no session")?;
        let entries = entries(0..KEYS, &mut random);
        if turn % 2 == 0 {
            if !engine.request(id, &entries, &mut |_, _| {})? {
                return Err("a session is missing".into());
            }
        } else {
            engine.flush(id)?.ok_or("a session is missing")?;
            let made = engine.create(&[entries])?;
            *id = *made.first().ok_or("no session was made")?;
        }
    }
    Ok(())
}

/// Waits until all of them have come to rest, and at most for so long.
fn rest(field: &Field, at_most: Duration) -> Outcome<()> {
    let start = Instant::now();
    let mut seen = sight(field)?;
    let mut changed = start;
    while changed.elapsed() < STILL && start.elapsed() < at_most {
        thread::sleep(LOOK_EVERY);
        let sight = sight(field)?;
        if sight != seen {
            seen = sight;
            changed = Instant::now();
        }
    }
    Ok(())
}

fn sight(field: &Field) -> Outcome<Vec<u64>> {
    let taken = field.members.iter().map(|member| {
        let taken = Taken::of(&member.setup.directory)?;
        Ok(taken.all())
    });
    taken.collect()
}

fn add(run: &mut Run, field: &Field, name: &str, unit: &'static str, divisor: f64) -> Outcome<()> {
    if !run.wants(name) {
        return Ok(());
    }
    let heading = Heading::new(name, unit, Better::Lower);
    for (member, bytes) in field.members.iter().zip(sight(field)?) {
        let figure = Rounds(vec![mebibytes(bytes) / divisor]);
        run.report.add(&heading, member.kind.name, &figure);
    }
    Ok(())
}
