//! The workloads that have one data set in common: 100,000 sessions of 10 keys
//! of 100 bytes. How fast that is loaded is the first of them.

use std::thread;
use std::time::Duration;

use super::names::COLD;
use super::{get, load, mixed, pop, request, set, whole};
use crate::Outcome;
use crate::field::{Field, Member};
use crate::population::PAIR;
use crate::run::Run;

pub(super) const SESSIONS: usize = 100_000;
pub(super) const KEYS: usize = 10;
/// More than the data take in any engine.
const CACHE_BYTES: u64 = 512 << 20;
/// So many times the cache are the data, where they are not to fit.
const TIMES: u64 = 10;

pub(super) fn measure(run: &mut Run) -> Outcome<()> {
    let names = [load::NAMES, get::NAMES, whole::NAMES, set::NAMES].concat();
    let more = [pop::NAMES, request::NAMES, mixed::NAMES].concat();
    if !run.wants_any(names.into_iter().chain(more)) {
        return Ok(());
    }
    let mut field = load::measure(run, CACHE_BYTES)?;
    // What loading left to the background is no part of what follows.
    thread::sleep(Duration::from_secs(run.length().choose(1, 10, 10)));
    get::measure_hot(run, &mut field)?;
    whole::measure(run, &mut field)?;
    set::measure(run, &mut field)?;
    pop::measure(run, &mut field)?;
    request::measure(run, &mut field)?;
    mixed::measure(run, &mut field)?;
    if run.wants(COLD) {
        let cache_bytes = (SESSIONS * KEYS) as u64 * PAIR / TIMES;
        reopen(&mut field, cache_bytes)?;
        get::measure_cold(run, &mut field)?;
    }
    field.remove()
}

/// Has all of them begin anew with a cache of another size.
fn reopen(field: &mut Field, cache_bytes: u64) -> Outcome<()> {
    field.each(|member: &mut Member| {
        member.close()?;
        member.setup.cache_bytes = cache_bytes;
        member.open()
    })
}
