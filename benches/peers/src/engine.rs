//! What a session's work is, whoever does it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// A session's ID. Every engine draws its own, from 128 bits.
pub(crate) type Id = [u8; 16];

/// A key of a session and its value.
pub(crate) type Entry = (String, Vec<u8>);

/// When a write is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// As soon as the call has returned.
    Immediate,
    /// As soon as [`Engine::sync`] has returned: the fastest that the engine
    /// has without losing the order of things.
    Deferred,
}

/// How an engine is opened.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The engine's own; created when absent.
    pub(crate) directory: PathBuf,
    /// For every cache that the engine itself has.
    pub(crate) cache_bytes: u64,
    pub(crate) durability: Durability,
    /// How long a session lives without being written to.
    pub(crate) idle_timeout: Duration,
    /// Whether what can wait for a quiet hour is done by itself.
    pub(crate) background: bool,
}

impl Setup {
    /// Durable, with two weeks for a session.
    pub(crate) fn new(directory: PathBuf, cache_bytes: u64) -> Self {
        Self {
            directory,
            cache_bytes,
            durability: Durability::Immediate,
            idle_timeout: Duration::from_secs(14 * 86_400),
            background: true,
        }
    }

    pub(crate) fn deferred(self) -> Self {
        Self {
            durability: Durability::Deferred,
            ..self
        }
    }
}

/// Sessions in an engine, for many threads.
///
/// Each operation is atomic, and durable as the [`Setup`] says. Each begins by
/// seeing whether the session lives: that it is known and has not expired. A
/// write renews it, where enough time has passed for that to be worth a write.
pub(crate) trait Engine: Send + Sync {
    /// Makes many sessions, in few commits. They are on disk after a
    /// [`sync`](Self::sync).
    fn create(&self, sessions: &[Vec<Entry>]) -> Outcome<Vec<Id>>;

    /// Whether there was a session to write to.
    fn set(&self, id: &Id, key: &str, value: &[u8]) -> Outcome<bool>;

    /// Shows a value where it lies; whether there was one.
    fn get(&self, id: &Id, key: &str, look: &mut dyn FnMut(&[u8])) -> Outcome<bool>;

    /// Removes a value; exactly one caller gets it.
    fn pop(&self, id: &Id, key: &str) -> Outcome<Option<Vec<u8>>>;

    /// Shows all of a session, in the order of its keys; whether it lives.
    fn load(&self, id: &Id, look: &mut dyn FnMut(&str, &[u8])) -> Outcome<bool>;

    /// A web request: the session is loaded, some keys are written and the
    /// session is touched, in one commit; whether it lives.
    fn request(
        &self,
        id: &Id,
        changes: &[Entry],
        look: &mut dyn FnMut(&str, &[u8]),
    ) -> Outcome<bool>;

    /// A logout: the session and all its keys are gone at once. The new ID,
    /// which nothing is written for yet; `None` where no session lives.
    fn flush(&self, id: &Id) -> Outcome<Option<Id>>;

    /// All that was written is on disk.
    fn sync(&self) -> Outcome<()>;

    fn close(self: Box<Self>) -> Outcome<()>;

    /// Durable writes, so many of them at once, until a time comes; how many
    /// there were. Who cannot wait without a thread has a thread for each.
    fn set_at_once(
        &self,
        ids: &[Id],
        in_flight: usize,
        entry: &Entry,
        end: Instant,
    ) -> Outcome<u64> {
        let written = AtomicU64::new(0);
        let (key, value) = entry;
        thread::scope(|scope| -> Outcome<()> {
            let threads = (0..in_flight).map(|place| {
                let written = &written;
                let write = move || -> Outcome<()> {
                    let mut turn = place;
                    while Instant::now() < end {
                        let id = ids.get(turn % ids.len()).ok_or("there is no session")?;
                        turn += in_flight;
                        if !self.set(id, key, value)? {
                            return Err("a session is missing".into());
                        }
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                };
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(scope, write)
            });
            for thread in threads.collect::<Result<Vec<_>, _>>()? {
                thread.join().map_err(|_| "a writer panicked")??;
            }
            Ok(())
        })?;
        Ok(written.into_inner())
    }

    /// The process that writes the files.
    fn process(&self) -> u32 {
        std::process::id()
    }

    /// Whether it writes nothing but whole blocks at the places of blocks.
    fn writes_whole_blocks(&self) -> bool {
        false
    }
}

/// Opens an engine; `None` where it cannot be what the setup asks for.
pub(crate) type Open = fn(&Setup) -> Outcome<Option<Box<dyn Engine>>>;

/// An engine that takes part.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Whether a write that is synced survives a power cut.
    pub(crate) is_durable: bool,
    pub(crate) try_open: Open,
    /// Why it cannot take part on this machine.
    pub(crate) hindrance: fn() -> Option<String>,
}

impl Kind {
    /// Opens it as an engine that has to be able to.
    pub(crate) fn open(&self, setup: &Setup) -> Outcome<Box<dyn Engine>> {
        std::fs::create_dir_all(&setup.directory)?;
        let opened = (self.try_open)(setup).map_err(|error| format!("{}: {error}", self.name))?;
        Ok(opened.ok_or_else(|| format!("{} cannot be opened like that", self.name))?)
    }
}
