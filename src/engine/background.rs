//! The thread that does what nobody should wait for: checkpoints when enough
//! has changed or when nothing happens, the purge, the sweep, erasure and
//! compaction.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tracing::dispatcher::{get_default, with_default};

use super::Engine;
use super::compaction::Worth;
use super::purge::PurgeCursor;
use super::upkeep::Upkeep;
use crate::error::{Error, Result};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};

/// How long the thread waits when a step failed for want of space.
const RETRY: Duration = Duration::from_millis(500);
/// How long expired sessions wait for the purge, about, once the second in
/// which they expired is over.
const BETWEEN_PURGES: Duration = Duration::from_secs(1);
/// How long it looks for nothing, where there is nothing to do, at least.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
/// How long nobody has to have written for compaction to be thorough.
const REST: Duration = Duration::from_secs(4);
/// Steps of each kind of work between two checkpoints that follow each other
/// closely.
const STEPS_TO_KEEP_UP: usize = 16;
/// The same of compaction, where there is too much garbage: they free as much
/// as a checkpoint writes, also where most of what they look at lives. And of a
/// copy of the index: as long as it takes, all is written twice.
const COPIES_TO_KEEP_UP: usize = 48;
/// How long an index that has grown waits until that is noticed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Wishes {
    woken: bool,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Signal {
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

/// The work that can wait, and where it is.
#[derive(Debug)]
struct Chores {
    purge: PurgeCursor,
    next_purge: Instant,
    next_look: Instant,
    /// The position of the journal at the last step of compaction.
    seen: u64,
}

impl Chores {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            purge: PurgeCursor::default(),
            next_purge: now + BETWEEN_PURGES,
            next_look: now + BETWEEN_LOOKS,
            seen: 0,
        }
    }

    /// Does a step of the first thing that is due; how long to pause then, or
    /// `None` when nothing is.
    fn step(
        &mut self,
        engine: &Engine,
        position: u64,
        quiet: Duration,
    ) -> Result<Option<Duration>> {
        let upkeep = engine.options.upkeep;
        if !engine.ballast.has_room() {
            return Self::make_room(engine, upkeep);
        }
        if upkeep.purges && self.purge(engine)? || upkeep.sweeps && engine.sweep_slice() {
            return Ok(Some(Duration::ZERO));
        }
        let start = Instant::now();
        if engine.wants_erasure() && Self::erase(engine)? {
            return Ok(Some(self.pause(upkeep, position, start)));
        }
        let worth = if quiet >= REST {
            Worth::AT_REST
        } else {
            Worth::BY_ITSELF
        };
        let more = upkeep.compacts && Self::compact(engine, worth)?
            || upkeep.renews_index && self.renew(engine, quiet)?;
        // After all that writes to it.
        let more = more || quiet >= REST && engine.shrink_journal()?;
        let pause = self.pause(upkeep, position, start);
        Ok(more.then_some(pause))
    }

    /// On a full disk everything waits but what gives space back: for that the
    /// ballast is let go of.
    fn make_room(engine: &Engine, upkeep: Upkeep) -> Result<Option<Duration>> {
        let goes_on = upkeep.compacts && Self::compact(engine, Worth::FOR_ROOM)?
            || upkeep.sweeps && engine.sweep_urgently().is_some();
        Ok(goes_on.then_some(Duration::ZERO))
    }

    /// How long to leave the machine to those who write, after a step.
    fn pause(&mut self, upkeep: Upkeep, position: u64, start: Instant) -> Duration {
        let is_busy = std::mem::replace(&mut self.seen, position) != position;
        if is_busy {
            upkeep.pause(start.elapsed())
        } else {
            Duration::ZERO
        }
    }

    /// Between two checkpoints that follow each other closely: writers who
    /// leave the background no time must not fill the disk with garbage.
    fn keep_up(&mut self, engine: &Engine) -> Result<()> {
        let upkeep = engine.options.upkeep;
        if upkeep.purges && engine.ballast.has_room() {
            self.purge(engine)?;
        }
        for _ in 0..STEPS_TO_KEEP_UP {
            let has_room = engine.ballast.has_room();
            if !has_room || !engine.wants_erasure() || !Self::erase(engine)? {
                break;
            }
        }
        // What nobody has swept does not count as garbage.
        for _ in 0..STEPS_TO_KEEP_UP {
            engine.give_way();
            if !upkeep.sweeps || !engine.sweep_slice() {
                break;
            }
        }
        for _ in 0..COPIES_TO_KEEP_UP {
            let is_wanted = upkeep.compacts && engine.is_bloated();
            if !is_wanted || !Self::compact(engine, Worth::BY_ITSELF)? {
                break;
            }
        }
        for _ in 0..COPIES_TO_KEEP_UP {
            engine.give_way();
            let is_wanted = upkeep.renews_index && engine.ballast.has_room();
            if !is_wanted || !self.renew(engine, Duration::ZERO)? {
                break;
            }
        }
        Ok(())
    }

    /// Where the disk is full it waits, and compaction may make room for it.
    fn erase(engine: &Engine) -> Result<bool> {
        match engine.erase_step() {
            Err(Error::StorageFull { .. }) => Ok(false),
            erased => erased,
        }
    }

    /// Where the disk is full it waits.
    fn compact(engine: &Engine, worth: Worth) -> Result<bool> {
        match engine.compact_step(worth) {
            Err(Error::StorageFull { .. }) => Ok(false),
            compacted => Ok(compacted?.more),
        }
    }

    fn purge(&mut self, engine: &Engine) -> Result<bool> {
        if Instant::now() < self.next_purge {
            return Ok(false);
        }
        let purged = engine.purge_step(&mut self.purge);
        let more = purged.as_ref().is_ok_and(|purged| purged.more);
        if !more {
            self.next_purge = Instant::now() + BETWEEN_PURGES;
        }
        purged.map(|purged| purged.more)
    }

    fn renew(&mut self, engine: &Engine, quiet: Duration) -> Result<bool> {
        if !engine.is_renewing() {
            let now = Instant::now();
            if now < self.next_look {
                return Ok(false);
            }
            self.next_look = now + BETWEEN_LOOKS;
            let is_worth_it = || quiet >= REST && engine.wants_renewal_at_rest();
            if !engine.wants_renewal() && !is_worth_it() {
                return Ok(false);
            }
        }
        engine.renew_step()
    }
}

/// The thread's handle.
#[derive(Debug, Default)]
pub(crate) struct Background {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Background {
    /// There is work.
    pub(crate) fn wake(&self) {
        let mut wishes = self.signal.wishes.lock();
        if !wishes.woken {
            wishes.woken = true;
            self.signal.changed.notify_one();
        }
    }

    /// Opens an engine in the thread that then works for it. An open takes
    /// tens of megabytes that are free soon after, and most allocators keep
    /// what is free for the thread that took it: of a caller's nobody would
    /// make use any more.
    pub(super) fn start(
        root: &Path,
        open: impl FnOnce() -> Result<Arc<Engine>> + Send + 'static,
    ) -> Result<Arc<Engine>> {
        let (tell, told) = channel();
        // Who listens in the caller's thread hears of the open.
        let listener = get_default(Clone::clone);
        let thread = thread::Builder::new()
            .name("sessiondb-background".into())
            .spawn(move || {
                let opened = with_default(&listener, open);
                let begun = opened.as_ref().ok().map(|engine| {
                    let signal = Arc::clone(&engine.background.signal);
                    (signal, Arc::downgrade(engine))
                });
                // It is waited for.
                let _ = tell.send(opened);
                if let Some((signal, engine)) = begun {
                    run(&signal, &engine);
                }
            })
            .map_err(|error| Error::io("start a thread for", root, error))?;
        let Ok(opened) = told.recv() else {
            // The open has panicked, which is the caller's to know.
            return thread
                .join()
                .map_or_else(|panic| resume_unwind(panic), |()| Err(Error::Closed));
        };
        let engine = opened?;
        *engine.background.thread.lock() = Some(thread);
        Ok(engine)
    }

    /// Ends the thread, after the step it is in.
    pub(super) fn stop(&self) {
        self.signal.wishes.lock().stopped = true;
        self.signal.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

fn run(signal: &Signal, engine: &Weak<Engine>) {
    // A panic here must not disappear silently.
    struct Alarm<'a>(&'a Weak<Engine>);
    impl Drop for Alarm<'_> {
        fn drop(&mut self) {
            if std::thread::panicking()
                && let Some(engine) = self.0.upgrade()
            {
                engine.journal.poison(&Error::Poisoned {
                    cause: "the background thread panicked".into(),
                });
            }
        }
    }
    let _alarm = Alarm(engine);
    let mut pause = Duration::ZERO;
    let mut quiet_since = Instant::now();
    let mut seen = 0;
    let mut chores = Chores::new();
    loop {
        if !rest(signal, pause) {
            return;
        }
        let Some(engine) = engine.upgrade() else {
            return;
        };
        engine.regain_unless_busy();
        let position = engine.journal.live_bytes();
        if position != seen {
            seen = position;
            quiet_since = Instant::now();
        }
        let idle_after = engine.options.idle_checkpoint_after;
        let idle = engine.is_changed() && quiet_since.elapsed() >= idle_after;
        // One that found no space is tried again also when nobody can write
        // any more, or nobody does.
        let outcome = if engine.wants_checkpoint() || idle || engine.is_stuck() {
            match engine.checkpoint() {
                Ok(()) => chores.keep_up(&engine).map(|()| Some(Duration::ZERO)),
                // What is garbage may be in the way.
                Err(error @ Error::StorageFull { .. }) if engine.options.upkeep.compacts => {
                    match engine.compact_step(Worth::FOR_ROOM) {
                        Ok(compacted) if compacted.more => Ok(Some(Duration::ZERO)),
                        _ if engine.sweep_urgently().is_some() => Ok(Some(Duration::ZERO)),
                        _ => Err(error),
                    }
                }
                Err(error) => Err(error),
            }
        } else {
            chores.step(&engine, position, quiet_since.elapsed())
        };
        pause = match outcome {
            Ok(pause) => pause.unwrap_or_else(|| idle_after.max(LEAST_PAUSE) / 2),
            Err(error) => {
                tracing::warn!(%error, "the background could not do its work");
                // Once poisoned there is nothing left to do.
                if engine.journal.check().is_err() {
                    return;
                }
                RETRY
            }
        };
    }
}

/// Waits for a wish or for `pause`; false when it is over.
fn rest(signal: &Signal, pause: Duration) -> bool {
    let mut wishes = signal.wishes.lock();
    if !wishes.stopped && !wishes.woken && !pause.is_zero() {
        signal.changed.wait_for(&mut wishes, pause);
    }
    wishes.woken = false;
    !wishes.stopped
}

#[cfg(test)]
mod tests;
