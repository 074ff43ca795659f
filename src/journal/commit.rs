//! Group commit: concurrent committers share one sync.
//!
//! The first to wait leads: it writes and syncs all that is pending. The
//! others park, each on its own, and are woken when their frame is on disk;
//! one whose frame came too late leads next.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::tail::Chunk;
use super::writer::Shared;
use crate::error::{Error, Result};
use crate::format::identity::Sequence;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::thread::{self, Thread};
use crate::sync::{Condvar, Mutex};

#[derive(Debug)]
struct Waiter {
    through: Sequence,
    thread: Thread,
    woken: AtomicBool,
}

impl Waiter {
    fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[derive(Debug, Default)]
struct Queue {
    leading: bool,
    waiters: Vec<Arc<Waiter>>,
}

#[derive(Debug, Default)]
struct Requests {
    wakers: Vec<(Sequence, Waker)>,
    deadline: Option<Instant>,
    stopped: bool,
}

/// Who waits for what.
#[derive(Debug)]
pub(super) struct Commit {
    synced: AtomicU64,
    queue: Mutex<Queue>,
    requests: Mutex<Requests>,
    requested: Condvar,
    /// Frames in the last group: how many are worth waiting a moment for.
    last_group: AtomicUsize,
}

impl Commit {
    pub(super) fn new(synced: Sequence) -> Self {
        Self {
            synced: AtomicU64::new(synced.0),
            queue: Mutex::default(),
            requests: Mutex::default(),
            requested: Condvar::new(),
            last_group: AtomicUsize::new(0),
        }
    }

    pub(super) fn synced(&self) -> Sequence {
        Sequence(self.synced.load(Ordering::Acquire))
    }

    pub(super) fn sync_within(&self, delay: Duration) {
        let deadline = Instant::now().checked_add(delay);
        let mut requests = self.requests.lock();
        let sooner = match (requests.deadline, deadline) {
            (None, Some(_)) => true,
            (Some(old), Some(new)) => new < old,
            (_, None) => false,
        };
        if sooner {
            requests.deadline = deadline;
            self.requested.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        self.requests.lock().stopped = true;
        self.requested.notify_all();
    }

    /// Everybody looks again: something is over.
    pub(super) fn wake_all(&self) {
        for waiter in self.queue.lock().waiters.drain(..) {
            waiter.wake();
        }
        for (_, waker) in self.requests.lock().wakers.drain(..) {
            waker.wake();
        }
    }
}

/// Waits until a frame is on disk.
pub(super) fn wait(shared: &Shared, through: Sequence) -> Result<()> {
    let commit = &shared.commit;
    loop {
        if commit.synced() >= through {
            return Ok(());
        }
        let mut queue = commit.queue.lock();
        if commit.synced() >= through {
            return Ok(());
        }
        // Under the lock: a leader that fails poisons before it makes way, and
        // its successor must not sync what that has lost.
        shared.poison.check()?;
        if !queue.leading {
            queue.leading = true;
            drop(queue);
            lead(shared);
            continue;
        }
        let waiter = Arc::new(Waiter {
            through,
            thread: thread::current(),
            woken: AtomicBool::new(false),
        });
        queue.waiters.push(Arc::clone(&waiter));
        drop(queue);
        while !waiter.woken.load(Ordering::Acquire) {
            thread::park();
        }
    }
}

/// Makes way when the leader did not get to its end.
struct Abdication<'s>(&'s Shared);

impl Drop for Abdication<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let cause = "a thread panicked while it wrote the journal".into();
            abdicate(self.0, &Error::Poisoned { cause });
        }
    }
}

fn abdicate(shared: &Shared, cause: &Error) {
    shared.poison.set(cause);
    shared.commit.queue.lock().leading = false;
    shared.commit.wake_all();
    shared.allocated.notify_all();
}

/// Syncs once, wakes those it served, and hands over to one that it did not.
fn lead(shared: &Shared) {
    let commit = &shared.commit;
    let _abdication = Abdication(shared);
    gather(shared);
    if let Err(error) = sync_pending(shared) {
        abdicate(shared, &error);
        return;
    }
    let synced = commit.synced();
    let mut queue = commit.queue.lock();
    queue.leading = false;
    let (served, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut queue.waiters)
        .into_iter()
        .partition(|waiter| waiter.through <= synced);
    queue.waiters = rest;
    let successor = queue.waiters.pop();
    drop(queue);
    if let Some(successor) = successor {
        successor.wake();
    }
    for waiter in served {
        waiter.wake();
    }
    wake_futures(commit);
}

/// Gives those who were in the last group a moment to join this one.
fn gather(shared: &Shared) {
    let last = shared.commit.last_group.load(Ordering::Relaxed);
    if last <= 1 {
        return;
    }
    for _ in 0..last.min(16) {
        if shared.tail.lock().pending_frames >= last {
            break;
        }
        thread::yield_now();
    }
}

fn sync_pending(shared: &Shared) -> Result<()> {
    let (chunks, through, frames) = {
        let mut tail = shared.tail.lock();
        tail.pending_bytes = 0;
        let frames = std::mem::take(&mut tail.pending_frames);
        let chunks = std::mem::take(&mut tail.pending);
        (chunks, tail.position.sequence, frames)
    };
    shared.commit.last_group.store(frames, Ordering::Relaxed);
    let mut chunks = chunks.into_iter().peekable();
    while let Some(chunk) = chunks.next() {
        write(shared, &chunk)?;
        let last_of_file = chunks.peek().is_none_or(|next| next.number != chunk.number);
        if last_of_file {
            let path = || shared.options.path(chunk.number);
            chunk
                .file
                .sync_data()
                .map_err(|error| Error::failed_sync(&path(), error))?;
            shared.filling.wait(chunk.number);
            shared.poison.check()?;
        }
    }
    shared.commit.synced.fetch_max(through.0, Ordering::AcqRel);
    Ok(())
}

fn write(shared: &Shared, chunk: &Chunk) -> Result<()> {
    let written = chunk.file.write_all_at(&chunk.bytes, chunk.offset);
    written.map_err(|error| {
        let path = shared.options.path(chunk.number);
        // Space was allocated, so a full disk here is a failure like others.
        Error::Io {
            doing: "write",
            path,
            source: error,
        }
    })
}

fn wake_futures(commit: &Commit) {
    let synced = commit.synced();
    let mut requests = commit.requests.lock();
    if requests.wakers.is_empty() {
        return;
    }
    let (served, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut requests.wakers)
        .into_iter()
        .partition(|(through, _)| *through <= synced);
    requests.wakers = rest;
    drop(requests);
    for (_, waker) in served {
        waker.wake();
    }
}

/// Asks for a frame on behalf of a future.
pub(super) fn poll(shared: &Shared, through: Sequence, waker: &Waker) -> Poll<Result<()>> {
    let commit = &shared.commit;
    if commit.synced() >= through {
        return Poll::Ready(Ok(()));
    }
    if let Err(error) = shared.poison.check() {
        return Poll::Ready(Err(error));
    }
    let mut requests = commit.requests.lock();
    requests.wakers.push((through, waker.clone()));
    if requests.wakers.len() == 1 {
        commit.requested.notify_one();
    }
    drop(requests);
    // It may have been synced, or have failed, before the waker was known.
    if commit.synced() >= through {
        return Poll::Ready(Ok(()));
    }
    match shared.poison.check() {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// The committer's thread: leads for futures, and for writes that nobody
/// waits for.
pub(super) fn run(shared: &Shared) {
    let commit = &shared.commit;
    loop {
        {
            let mut requests = commit.requests.lock();
            loop {
                if requests.stopped {
                    return;
                }
                if !requests.wakers.is_empty() {
                    break;
                }
                match requests.deadline {
                    Some(deadline) if deadline <= Instant::now() => break,
                    Some(deadline) => {
                        commit.requested.wait_until(&mut requests, deadline);
                    }
                    None => commit.requested.wait(&mut requests),
                }
            }
            requests.deadline = None;
        }
        let through = shared.tail.lock().position.sequence;
        if wait(shared, through).is_err() {
            commit.wake_all();
            let mut requests = commit.requests.lock();
            if !requests.stopped && requests.wakers.is_empty() {
                commit.requested.wait(&mut requests);
            }
        } else {
            wake_futures(commit);
        }
    }
}
