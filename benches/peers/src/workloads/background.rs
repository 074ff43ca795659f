//! What background work costs in the foreground: the mixed work with all of it
//! and with none, of those engines that can be told to leave it.

use super::mixed::mix;
use super::names::{BACKGROUND, NO_BACKGROUND};
use super::shared::KEYS;
use crate::Outcome;
use crate::engine::Setup;
use crate::field::Field;
use crate::population::fill;
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::samples::micros;
use crate::turns::{Turns, in_turns};

const SESSIONS: usize = 10_000;
const CACHE_BYTES: u64 = 64 << 20;

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    if !run.wants_any([BACKGROUND, NO_BACKGROUND]) {
        return Ok(());
    }
    let quiet = Field::open(run, "quiet", |place| Setup {
        background: false,
        ..Setup::new(place, CACHE_BYTES)
    })?;
    let names: Vec<_> = quiet.members.iter().map(|quiet| quiet.kind.name).collect();
    let mut field = Field::open(run, "busy", |place| Setup::new(place, CACHE_BYTES))?;
    field.retain(|busy| names.contains(&busy.kind.name))?;
    field.join(quiet);
    field.each(|member| {
        let (engine, ids) = member.parts()?;
        *ids = fill(engine, SESSIONS, KEYS)?;
        Ok(())
    })?;
    let mut busy = in_turns(run, &mut field, None, |member, slice| {
        let (taken, _) = mix(member, slice)?;
        Ok(vec![micros(taken.per_myriad(9900))])
    })?;
    let quiet = Turns {
        engines: busy.engines.split_off(names.len()),
        ..Turns::default()
    };
    for (name, turns) in [(BACKGROUND, &busy), (NO_BACKGROUND, &quiet)] {
        let heading = Heading::durable(name, "us", Better::Lower);
        run.report.add_all(&[heading], turns);
    }
    field.remove()
}
