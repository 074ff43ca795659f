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
use crate::turns::in_turns;

const SESSIONS: usize = 10_000;
const CACHE_BYTES: u64 = 64 << 20;

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    if !run.wants_any([BACKGROUND, NO_BACKGROUND]) {
        return Ok(());
    }
    let mut quiet = Field::open(run, "quiet", |place| Setup {
        background: false,
        ..Setup::new(place, CACHE_BYTES)
    })?;
    let mut busy = Field::open(run, "busy", |place| Setup::new(place, CACHE_BYTES))?;
    let can_be_quiet: Vec<_> = quiet.members.iter().map(|quiet| quiet.kind.name).collect();
    let (mut kept, others) = std::mem::take(&mut busy.members)
        .into_iter()
        .partition::<Vec<_>, _>(|busy| can_be_quiet.contains(&busy.kind.name));
    for mut other in others {
        other.close()?;
    }
    busy.members.append(&mut kept);
    // Both take turns with each other, too: a busy one and the same quiet.
    for (name, field) in [(BACKGROUND, &mut busy), (NO_BACKGROUND, &mut quiet)] {
        field.each(|member| {
            let (engine, ids) = member.parts()?;
            *ids = fill(engine, SESSIONS, KEYS)?;
            Ok(())
        })?;
        let turns = in_turns(run, field, None, |member, slice| {
            let (taken, _) = mix(member, slice)?;
            Ok(vec![micros(taken.per_myriad(9900))])
        })?;
        let heading = Heading::durable(name, "us", Better::Lower);
        run.report.add_all(&[heading], &turns);
    }
    quiet.remove()?;
    busy.remove()
}
