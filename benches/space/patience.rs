//! Waiting for the background, and looking at the space meanwhile.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::Database;

use crate::Outcome;
use crate::directory::Taken;

/// How often the space is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Who has changed nothing for so long has come to rest: within four seconds
/// after the last write the background begins all that it does.
const STILL: Duration = Duration::from_millis(5500);

/// What a wait came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    /// The space at its end.
    pub(crate) taken: Taken,
    /// When the space was first what it had to be, in seconds.
    pub(crate) reached: Option<f64>,
    /// When it last changed, in seconds.
    pub(crate) changed: f64,
}

impl Rest {
    pub(crate) fn note(&self) -> String {
        format!("{}; last change after {:.1} s", self.taken, self.changed)
    }
}

/// Waits for as long as it takes until nothing changes any more, and at most
/// for so long.
pub(crate) fn rest(
    database: &Database,
    place: &Path,
    at_most: Duration,
    is_enough: impl Fn(Taken) -> bool,
) -> Outcome<Rest> {
    let start = Instant::now();
    let look = || -> Outcome<_> {
        let stats = database.stats();
        let waiting = (stats.memtable_bytes, stats.journal_live_bytes);
        Ok((Taken::of(place)?, waiting))
    };
    let mut seen = look()?;
    let mut changed = Duration::ZERO;
    let mut reached = None;
    loop {
        let now = start.elapsed();
        let sight = look()?;
        if sight != seen {
            seen = sight;
            changed = now;
        }
        let (taken, (memtable, _)) = seen;
        if reached.is_none() && is_enough(taken) {
            reached = Some(now.as_secs_f64());
        }
        let is_still = memtable == 0 && now.saturating_sub(changed) >= STILL;
        if is_still || now >= at_most {
            return Ok(Rest {
                taken,
                reached,
                changed: changed.as_secs_f64(),
            });
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Does something, and tells the most space that was taken meanwhile.
pub(crate) fn peak<T>(place: &Path, something: impl FnOnce() -> Outcome<T>) -> Outcome<(Taken, T)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looker = scope.spawn(|| -> Outcome<Taken> {
            let mut highest = Taken::of(place)?;
            while !over.load(Ordering::Relaxed) {
                let taken = Taken::of(place)?;
                if taken.all() > highest.all() {
                    highest = taken;
                }
                thread::sleep(LOOK_EVERY);
            }
            Ok(highest)
        });
        let done = something();
        over.store(true, Ordering::Relaxed);
        let highest = looker.join().map_err(|_| "the looker panicked")??;
        Ok((highest, done?))
    })
}
