//! Web requests by eight threads: a session is loaded, two of its keys are
//! written and it is touched, in one durable commit.

use fastrand::Rng;

use super::names::REQUEST;
use super::shared::KEYS;
use crate::Outcome;
use crate::engine::{Engine, Id};
use crate::field::Field;
use crate::population::{VALUE, key, value};
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::turns::{in_turns, rate, until};

pub(super) const NAMES: &[&str] = &[REQUEST];
const THREADS: usize = 8;

pub(super) fn measure(run: &mut Run, field: &mut Field) -> Outcome<()> {
    if !run.wants(REQUEST) {
        return Ok(());
    }
    let turns = in_turns(run, field, None, |member, slice| {
        let engine = member.engine()?;
        let rate = rate(THREADS, slice, |_, over| {
            let mut random = Rng::new();
            until(over, || request(engine, &member.ids, &mut random))
        })?;
        Ok(vec![rate])
    })?;
    let heading = Heading::durable(REQUEST, "requests/s", Better::Higher);
    run.report.add_all(&[heading], &turns);
    Ok(())
}

/// A request of any session.
pub(super) fn request(engine: &dyn Engine, ids: &[Id], random: &mut Rng) -> Outcome<()> {
    let id = random.choice(ids).ok_or("there is no session")?;
    let first = random.usize(..KEYS);
    let second = (first + 1) % KEYS;
    let changes = [first, second].map(|number| (key(number), value(random)));
    let mut bytes = 0;
    let found = engine.request(id, &changes, &mut |_, value| {
        bytes += std::hint::black_box(value).len();
    })?;
    if !found || bytes != KEYS * VALUE {
        return Err("something of a session is missing".into());
    }
    Ok(())
}
