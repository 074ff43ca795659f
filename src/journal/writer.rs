//! Appending frames, going on in the next file, and the journal's threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::commit::Commit;
use super::files::JournalOptions;
use super::poison::Poison;
use super::reader::Recovered;
use super::reservation::{Reservation, only_removals};
use super::reserve::{Purpose, Reserve};
use super::salvage::Salvage;
use super::start::{self, encode_header};
use super::tail::{Chunk, Leaving, Position, Slot, Tail};
use super::{allocator, commit};
use crate::error::{Error, Result};
use crate::format::effect::Payload;
use crate::format::header::{Declaration, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::format::identity::Sequence;
use crate::format::journal_frame::{self, HEAD_BYTES, Place, frame_bytes};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};

const HEADER: u64 = JOURNAL_HEADER_BYTES as u64;

/// What the journal's threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: JournalOptions,
    pub(super) tail: Mutex<Tail>,
    /// The allocator has work.
    pub(super) allocate: Condvar,
    /// The allocator has done some.
    pub(super) allocated: Condvar,
    pub(super) commit: Commit,
    pub(super) poison: Poison,
    pub(super) filling: allocator::Filling,
}

/// The journal, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    /// The longest frame that a file holds.
    pub(super) fn max_frame(&self) -> u64 {
        self.options.longest_segment_bytes.saturating_sub(HEADER)
    }

    /// Goes on in the next file; its header is written with its first frames.
    pub(super) fn rotate(&self, tail: &mut Tail) -> Result<()> {
        let Some(next) = tail.next.take() else {
            return Err(Error::Poisoned {
                cause: "the journal's reserved space is missing".into(),
            });
        };
        let header = JournalHeader {
            database: self.options.database,
            number: next.number,
            first: tail.position.sequence.next(),
            synced_through: self.commit.synced(),
            previous: Some((tail.current.number, tail.current.offset)),
            declaration: tail.declaration,
        };
        let bytes = encode_header(&header, &self.options.path(next.number))?;
        tail.full
            .push_back((tail.current.number, tail.position.sequence));
        tail.pending.push_back(Chunk {
            number: next.number,
            file: Arc::clone(&next.file),
            offset: 0,
            bytes,
        });
        tail.current = next;
        if !tail.spares.is_empty() {
            // It only has to be put behind this one: nobody is to wait for that.
            tail.wanted = tail.wanted.max(1);
        }
        self.allocate.notify_one();
        Ok(())
    }

    /// From now on everybody is refused, and nobody waits.
    fn stop_writing(&self, cause: &Error) {
        self.poison.set(cause);
        // Who is between its look at the poison and its sleep holds the lock.
        drop(self.tail.lock());
        self.allocated.notify_all();
        self.commit.wake_all();
    }
}

impl Journal {
    /// Goes on behind what was recovered, in a new file whose header says
    /// where the frames before it end (8).
    pub(crate) fn start(options: JournalOptions, recovered: Recovered) -> Result<Arc<Self>> {
        let current = start::first_slot(&options, &recovered)?;
        let highest = current.number;
        // With the new header on disk what was cut can go.
        for stale in recovered.stale {
            options.remove(stale)?;
        }
        options.sync_directory()?;
        let reserve = match options.make_reserve() {
            Err(Error::StorageFull { .. }) => Reserve::Missing,
            made => made.map(|()| Reserve::Ready)?,
        };
        let current = Slot {
            is_reserve: current.is_reserve && reserve != Reserve::Ready,
            ..current
        };
        let shared = Arc::new(Shared {
            tail: Mutex::new(Tail {
                current,
                next: None,
                reserved: 0,
                wanted: 0,
                wanted_by_removals: 0,
                reserve,
                failure: None,
                reserve_failure: None,
                is_full: false,
                position: Position {
                    sequence: recovered.last,
                    bytes: recovered.live_bytes,
                },
                declared_bytes: 0,
                declaration: recovered.declaration,
                pending: VecDeque::new(),
                pending_bytes: 0,
                pending_frames: 0,
                full: recovered.files.into(),
                spares: Vec::new(),
                leaving: Leaving::No,
                highest,
                stopped: false,
            }),
            options,
            allocate: Condvar::new(),
            allocated: Condvar::new(),
            commit: Commit::new(recovered.last),
            poison: Poison::default(),
            filling: allocator::Filling::default(),
        });
        let threads = vec![
            spawn("sessiondb-allocate", &shared, allocator::run)?,
            spawn("sessiondb-commit", &shared, commit::run)?,
        ];
        Ok(Arc::new(Self {
            shared,
            threads: Mutex::new(threads),
        }))
    }

    /// The longest payload that a frame can carry.
    pub(crate) fn max_payload(&self) -> u64 {
        self.shared
            .max_frame()
            .saturating_sub(2 * HEAD_BYTES as u64)
    }

    /// Appends a frame; touches memory only.
    pub(crate) fn append(&self, reservation: &mut Reservation, payload: &[u8]) -> Result<Sequence> {
        let needed = frame_bytes(payload.len()) as u64;
        if needed > reservation.bytes {
            return Err(Error::TooLarge {
                what: "a transaction",
                size: needed,
                limit: reservation.bytes,
            });
        }
        self.check()?;
        let mut tail = self.shared.tail.lock();
        if tail.stopped {
            return Err(Error::Closed);
        }
        // The reserve may have come up since the space was set aside.
        if reservation.purpose == Purpose::Put && tail.meets_reserve(needed) {
            return Err(only_removals());
        }
        if tail.current.free() < needed {
            self.shared.rotate(&mut tail)?;
        }
        let sequence = tail.position.sequence.next();
        let place = Place {
            database: self.shared.options.database,
            number: tail.current.number,
            offset: tail.current.offset,
        };
        let synced = self.shared.commit.synced();
        let path = || self.shared.options.path(place.number);
        let mut chunk = if tail.continues() {
            tail.pending.pop_back()
        } else {
            None
        }
        .unwrap_or_else(|| Chunk {
            number: place.number,
            file: Arc::clone(&tail.current.file),
            offset: place.offset,
            bytes: Vec::with_capacity(1024),
        });
        let start = journal_frame::begin(&mut chunk.bytes);
        chunk.bytes.extend_from_slice(payload);
        let finished = journal_frame::finish(&mut chunk.bytes, start, place, sequence, synced);
        if finished.is_err() {
            chunk.bytes.truncate(start);
        }
        tail.pending.push_back(chunk);
        finished.map_err(|malformed| Error::corrupted(&path(), place.offset, malformed))?;
        tail.current.offset = tail.current.offset.saturating_add(needed);
        tail.position.sequence = sequence;
        tail.position.bytes = tail.position.bytes.saturating_add(needed);
        tail.pending_bytes = tail.pending_bytes.saturating_add(payload.len());
        tail.pending_frames = tail.pending_frames.saturating_add(1);
        tail.reserved = tail.reserved.saturating_sub(needed);
        reservation.bytes = reservation.bytes.saturating_sub(needed);
        if tail.wanted > 0 {
            self.shared.allocated.notify_all();
        }
        Ok(sequence)
    }

    /// The last frame that was appended.
    pub(crate) fn position(&self) -> Position {
        self.shared.tail.lock().position
    }

    /// Bytes of all files, those included that wait to be used.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.shared.options.disk_bytes()
    }

    /// The files, to be read.
    pub(crate) fn salvage(&self) -> Result<Salvage> {
        Salvage::open(self.shared.options.clone())
    }

    /// Bytes of the frames that no checkpoint covers: what an open would replay.
    pub(crate) fn live_bytes(&self) -> u64 {
        let tail = self.shared.tail.lock();
        tail.position.bytes.saturating_sub(tail.declared_bytes)
    }

    /// Declares a committed batch, durably, and then recycles the files that
    /// it made unnecessary (9).
    pub(crate) fn declare(
        &self,
        batch: crate::format::identity::Batch,
        at: Position,
    ) -> Result<()> {
        let _step = tracing::debug_span!("recycling").entered();
        let declaration = Declaration {
            batch,
            through: at.sequence,
        };
        let mut payload = Vec::new();
        Payload::Checkpointed(declaration)
            .encode_into(&mut payload)
            .map_err(|malformed| Error::corrupted(self.shared.options.disk.root(), 0, malformed))?;
        // It lets files be used again: it may have what is kept for removals.
        let needed = frame_bytes(payload.len()) as u64;
        let mut reservation = self.reserve(needed, Purpose::Removal)?;
        let sequence = self.append(&mut reservation, &payload)?;
        self.wait(sequence)?;
        let mut tail = self.shared.tail.lock();
        tail.declaration = declaration;
        tail.declared_bytes = at.bytes;
        let mut unnecessary = Vec::new();
        while let Some((number, last)) = tail.full.front().copied() {
            if last > at.sequence {
                break;
            }
            tail.full.pop_front();
            unnecessary.push(number);
        }
        drop(tail);
        allocator::recycle(&self.shared, &unnecessary)
    }

    /// Stops all writing.
    pub(crate) fn poison(&self, cause: &Error) {
        self.shared.stop_writing(cause);
    }

    /// An error once poisoned.
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.poison.check()
    }

    /// The last frame that is on disk, with all before it.
    pub(crate) fn synced(&self) -> Sequence {
        self.shared.commit.synced()
    }

    /// Waits until a frame is on disk; the first to wait does the work for
    /// all.
    pub(crate) fn wait(&self, through: Sequence) -> Result<()> {
        commit::wait(&self.shared, through)
    }

    /// The same for a future.
    pub(crate) fn poll_synced(
        &self,
        through: Sequence,
        waker: &std::task::Waker,
    ) -> std::task::Poll<Result<()>> {
        commit::poll(&self.shared, through, waker)
    }

    /// Makes sure that a sync begins within `delay`.
    pub(crate) fn sync_within(&self, delay: Duration) {
        self.shared.commit.sync_within(delay);
    }

    /// Brings everything to disk and ends the threads.
    pub(crate) fn close(&self) -> Result<()> {
        let outcome = loop {
            let last = self.position().sequence;
            let outcome = self.wait(last);
            let mut tail = self.shared.tail.lock();
            // A frame may have come in meanwhile. Its writer must not be left
            // to bring it to a disk that is somebody else's by then.
            if outcome.is_err() || tail.position.sequence == last {
                tail.stopped = true;
                break outcome;
            }
        };
        self.stop();
        outcome
    }

    fn stop(&self) {
        self.shared.tail.lock().stopped = true;
        self.shared.allocate.notify_all();
        self.shared.allocated.notify_all();
        self.shared.commit.stop();
        for thread in self.threads.lock().drain(..) {
            let _ = thread.join();
        }
    }
}

/// The threads end also when an open fails after the journal was started.
impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A panic of one of the threads must not disappear silently: nobody would do
/// what others wait for.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop_writing(&Error::Poisoned {
                cause: "a thread of the journal panicked".into(),
            });
        }
    }
}

fn spawn(name: &str, shared: &Arc<Shared>, body: fn(&Shared)) -> Result<JoinHandle<()>> {
    let alarm = Alarm(Arc::clone(shared));
    thread::Builder::new()
        .name(name.into())
        .spawn(move || body(&alarm.0))
        .map_err(|error| Error::io("start a thread for", shared.options.disk.root(), error))
}
