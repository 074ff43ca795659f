//! Lookups of single keys, uniformly over all sessions. Each sees whether the
//! session lives, and looks at the value.
//!
//! Hot: everything fits into the cache, and was read once before. The other
//! row has a cache of a tenth of the data; what misses it comes from the
//! system's cache, or for a data set larger than memory from the disk.

use std::collections::HashMap;
use std::sync::RwLock;
use std::time::Duration;

use fastrand::Rng;

use super::names::{COLD, GET_1, GET_2, MAP_1, MAP_2};
use super::shared::KEYS;
use crate::Outcome;
use crate::engine::{Engine, Id};
use crate::field::{Field, Member};
use crate::population::{VALUE, key, value};
use crate::report::{Better, Heading, MACHINE};
use crate::run::Run;
use crate::turns::{in_turns, rate, until};

pub(super) const NAMES: &[&str] = &[GET_1, GET_2, MAP_1, MAP_2, COLD];
const UNIT: &str = "gets/s";

/// The same data where nothing has to be durable, or ordered, or expire.
type Map = RwLock<HashMap<(Id, String), Vec<u8>>>;

pub(super) fn measure_hot(run: &mut Run, field: &mut Field) -> Outcome<()> {
    if !run.wants_any([GET_1, GET_2, MAP_1, MAP_2]) {
        return Ok(());
    }
    field.each(|member| {
        for id in &member.ids {
            if !member.engine()?.load(id, &mut |_, _| {})? {
                return Err("a session is missing".into());
            }
        }
        Ok(())
    })?;
    let ids = field
        .members
        .first()
        .ok_or("there is no engine")?
        .ids
        .clone();
    let map = map_of(&ids);
    for (threads, name, map_name) in [(1, GET_1, MAP_1), (2, GET_2, MAP_2)] {
        if !run.wants_any([name, map_name]) {
            continue;
        }
        let mut yardstick = |slice: Duration| look_up(&map, &ids, threads, slice);
        let turns = in_turns(run, field, Some(&mut yardstick), |member, slice| {
            Ok(vec![gets(member, threads, slice)?])
        })?;
        if run.wants(map_name) {
            let heading = Heading::new(map_name, UNIT, Better::Higher);
            run.report.add(&heading, MACHINE, &turns.yardstick);
        }
        if run.wants(name) {
            let heading = Heading::new(name, UNIT, Better::Higher);
            run.report.add_all(&[heading], &turns);
        }
    }
    Ok(())
}

pub(super) fn measure_cold(run: &mut Run, field: &mut Field) -> Outcome<()> {
    let turns = in_turns(run, field, None, |member, slice| {
        Ok(vec![gets(member, 1, slice)?])
    })?;
    let heading = Heading::new(COLD, UNIT, Better::Higher);
    run.report.add_all(&[heading], &turns);
    Ok(())
}

fn gets(member: &Member, threads: usize, slice: Duration) -> Outcome<f64> {
    let engine = member.engine()?;
    rate(threads, slice, |_, over| {
        let mut random = Rng::new();
        until(over, || get(engine, &member.ids, &mut random))
    })
}

/// Gets any key of any session.
pub(super) fn get(engine: &dyn Engine, ids: &[Id], random: &mut Rng) -> Outcome<()> {
    let id = random.choice(ids).ok_or("there is no session")?;
    let mut length = 0;
    let found = engine.get(id, &key(random.usize(..KEYS)), &mut |value| {
        length = std::hint::black_box(value).len();
    })?;
    if !found || length != VALUE {
        return Err("a value is missing".into());
    }
    Ok(())
}

fn map_of(ids: &[Id]) -> Map {
    let mut random = Rng::new();
    let mut map = HashMap::with_capacity(ids.len() * KEYS);
    for id in ids {
        for number in 0..KEYS {
            map.insert((*id, key(number)), value(&mut random));
        }
    }
    RwLock::new(map)
}

fn look_up(map: &Map, ids: &[Id], threads: usize, slice: Duration) -> Outcome<f64> {
    rate(threads, slice, |_, over| {
        let mut random = Rng::new();
        until(over, || {
            let id = random.choice(ids).ok_or("there is no session")?;
            let place = (*id, key(random.usize(..KEYS)));
            let map = map.read().map_err(|_| "a thread panicked")?;
            let value = map.get(&place).ok_or("a value is missing")?;
            std::hint::black_box(value.as_slice());
            Ok(())
        })
    })
}
