//! Whole sessions, of ten keys and of a hundred, with all their values.

use fastrand::Rng;

use super::names::SMALL;
use super::shared::KEYS;
use crate::Outcome;
use crate::engine::{Engine, Id};
use crate::field::Field;
use crate::population::{VALUE, fill};
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::turns::{in_turns, rate, until};

const LARGE: &str = "load of a session of 100 keys";
pub(super) const NAMES: &[&str] = &[SMALL, LARGE];

const LARGE_SESSIONS: usize = 1000;
const LARGE_KEYS: usize = 100;

/// The sessions that are loaded, by engine.
type Loaded = Vec<(&'static str, Vec<Id>)>;

pub(super) fn measure(run: &mut Run, field: &mut Field) -> Outcome<()> {
    if run.wants(SMALL) {
        let members = field.members.iter();
        let small = members.map(|member| (member.kind.name, member.ids.clone()));
        measure_one(run, field, SMALL, KEYS, &small.collect())?;
    }
    if run.wants(LARGE) {
        let mut large = Loaded::new();
        field.each(|member| {
            let ids = fill(member.engine()?, LARGE_SESSIONS, LARGE_KEYS)?;
            large.push((member.kind.name, ids));
            Ok(())
        })?;
        measure_one(run, field, LARGE, LARGE_KEYS, &large)?;
    }
    Ok(())
}

fn measure_one(
    run: &mut Run,
    field: &mut Field,
    name: &str,
    keys: usize,
    loaded: &Loaded,
) -> Outcome<()> {
    let turns = in_turns(run, field, None, |member, slice| {
        let engine = member.engine()?;
        let of_member = loaded.iter().find(|(name, _)| *name == member.kind.name);
        let (_, ids) = of_member.ok_or("there is no session")?;
        let rate = rate(1, slice, |_, over| {
            let mut random = Rng::new();
            until(over, || load(engine, ids, keys, &mut random))
        })?;
        Ok(vec![rate])
    })?;
    let heading = Heading::new(name, "loads/s", Better::Higher);
    run.report.add_all(&[heading], &turns);
    Ok(())
}

/// Loads any session.
pub(super) fn load(engine: &dyn Engine, ids: &[Id], keys: usize, random: &mut Rng) -> Outcome<()> {
    let id = random.choice(ids).ok_or("there is no session")?;
    let mut bytes = 0;
    let found = engine.load(id, &mut |key, value| {
        std::hint::black_box(key);
        bytes += std::hint::black_box(value).len();
    })?;
    if !found || bytes != keys * VALUE {
        return Err("something of a session is missing".into());
    }
    Ok(())
}
