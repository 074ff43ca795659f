//! The thread that does what nobody should wait for: checkpoints when enough
//! has changed or when nothing happens, the purge and the sweep.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Engine;
use super::compaction::Worth;
use super::purge::PurgeCursor;
use crate::error::{Error, Result};

/// How long the thread waits when a step failed for want of space.
const RETRY: Duration = Duration::from_millis(500);
/// How long expired sessions wait for the purge, about, once the second in
/// which they expired is over.
const BETWEEN_PURGES: Duration = Duration::from_secs(1);
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

/// When the purge goes on.
#[derive(Debug)]
struct Purge {
    cursor: PurgeCursor,
    next: Instant,
}

impl Purge {
    /// Does a step when it is time for one; whether the next one is due.
    fn step(&mut self, engine: &Engine) -> Result<bool> {
        // What finds no room waits, as the sweep does.
        if Instant::now() < self.next || engine.check_room().is_err() {
            return Ok(false);
        }
        let purged = engine.purge_step(&mut self.cursor);
        let more = purged.as_ref().is_ok_and(|purged| purged.more);
        if !more {
            self.next = Instant::now() + BETWEEN_PURGES;
        }
        purged.map(|purged| purged.more)
    }
}

/// Compaction and the renewal of the index, beside a foreground that comes
/// first.
#[derive(Debug)]
struct Compaction {
    /// The position of the journal before the last step.
    seen: u64,
    is_renewing: bool,
    next_look: Instant,
}

impl Compaction {
    fn new() -> Self {
        Self {
            seen: 0,
            is_renewing: false,
            next_look: Instant::now() + BETWEEN_LOOKS,
        }
    }

    /// Does a step when one is worth it; how long to pause then. Where
    /// somebody writes meanwhile, the pause is as long as the step took.
    fn step(&mut self, engine: &Engine, position: u64) -> Result<Option<Duration>> {
        if engine.check_room().is_err() {
            return Ok(None);
        }
        let start = Instant::now();
        let more = engine.compact_step(Worth::BY_ITSELF)?.more || self.renew(engine)?;
        let is_busy = std::mem::replace(&mut self.seen, position) != position;
        let pause = if is_busy {
            start.elapsed()
        } else {
            Duration::ZERO
        };
        Ok(more.then_some(pause))
    }

    fn renew(&mut self, engine: &Engine) -> Result<bool> {
        if !self.is_renewing {
            let now = Instant::now();
            if now < self.next_look {
                return Ok(false);
            }
            self.next_look = now + BETWEEN_LOOKS;
            self.is_renewing = engine.wants_renewal();
        }
        if self.is_renewing {
            self.is_renewing = false;
            self.is_renewing = engine.renew_step()?;
        }
        Ok(self.is_renewing)
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

    /// Starts the thread.
    pub(super) fn start(&self, engine: &Arc<Engine>) -> Result<()> {
        let signal = Arc::clone(&self.signal);
        let engine_of_thread = Arc::downgrade(engine);
        let thread = std::thread::Builder::new()
            .name("sessiondb-background".into())
            .spawn(move || run(&signal, &engine_of_thread))
            .map_err(|error| Error::io("start a thread for", engine.disk.root(), error))?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Ends the thread, after the step it is in.
    pub(super) fn stop(&self) {
        self.signal.wishes.lock().stopped = true;
        self.signal.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
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
    let mut compaction = Compaction::new();
    let mut purge = Purge {
        cursor: PurgeCursor::default(),
        next: Instant::now() + BETWEEN_PURGES,
    };
    loop {
        if !rest(signal, pause) {
            return;
        }
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let position = engine.journal.live_bytes();
        if position != seen {
            seen = position;
            quiet_since = Instant::now();
        }
        let idle_after = engine.options.idle_checkpoint_after;
        let idle = engine.is_changed() && quiet_since.elapsed() >= idle_after;
        let mut wait = idle_after.max(Duration::from_millis(20)) / 2;
        // One that found no space is tried again also when nobody can write
        // any more, or nobody does.
        if engine.wants_checkpoint() || idle || engine.is_stuck() {
            match engine.checkpoint() {
                Ok(()) => wait = Duration::ZERO,
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint failed");
                    // Once poisoned there is nothing left to do.
                    if engine.journal.check().is_err() {
                        return;
                    }
                    wait = RETRY;
                }
            }
        } else {
            match purge.step(&engine) {
                Ok(more) if more || engine.sweep_slice() => wait = Duration::ZERO,
                Ok(_) => match compaction.step(&engine, position) {
                    Ok(Some(pause)) => wait = pause,
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a compaction failed");
                        if engine.journal.check().is_err() {
                            return;
                        }
                        wait = RETRY;
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "expired sessions could not be purged");
                    if engine.journal.check().is_err() {
                        return;
                    }
                    wait = RETRY;
                }
            }
        }
        pause = wait;
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
