//! As much of an executor as it takes to keep many futures in flight on one
//! thread: one slot per future, and a list of slots that were woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::Outcome;

/// The slots that were woken, and the thread that looks after them.
struct Ready {
    thread: Thread,
    woken: Mutex<Vec<usize>>,
}

impl Ready {
    fn push(&self, slot: usize) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(slot);
        let first = woken.len() == 1;
        drop(woken);
        if first {
            self.thread.unpark();
        }
    }

    /// Swaps the woken slots for an empty list; waits while there are none.
    fn take(&self, slots: &mut Vec<usize>) {
        slots.clear();
        loop {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *woken, slots);
            drop(woken);
            if !slots.is_empty() {
                return;
            }
            thread::park();
        }
    }
}

struct SlotWaker {
    ready: Arc<Ready>,
    slot: usize,
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.slot);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.slot);
    }
}

/// Keeps `count` futures in flight, each replaced by what `next` makes as soon
/// as it is ready, until `next` makes no more; returns how many were ready.
pub(crate) fn keep_in_flight<F>(
    count: usize,
    mut next: impl FnMut(usize) -> Outcome<Option<F>>,
) -> Outcome<u64>
where
    F: Future<Output = sessiondb::Result<()>> + Unpin,
{
    let ready = Arc::new(Ready {
        thread: thread::current(),
        woken: Mutex::new((0..count).collect()),
    });
    let waker = |slot| {
        Waker::from(Arc::new(SlotWaker {
            ready: Arc::clone(&ready),
            slot,
        }))
    };
    let mut slots: Vec<(Waker, Option<F>)> = (0..count).map(|slot| (waker(slot), None)).collect();
    let mut in_flight = 0_usize;
    let mut finished = 0_u64;
    let mut woken = Vec::new();
    loop {
        ready.take(&mut woken);
        for slot in &woken {
            let (waker, future) = slots.get_mut(*slot).ok_or("an unknown slot was woken")?;
            let mut context = Context::from_waker(waker);
            loop {
                if let Some(waiting) = future {
                    match Pin::new(waiting).poll(&mut context) {
                        Poll::Pending => break,
                        Poll::Ready(outcome) => outcome?,
                    }
                    finished += 1;
                    in_flight -= 1;
                }
                *future = next(*slot)?;
                if future.is_none() {
                    break;
                }
                in_flight += 1;
            }
        }
        if in_flight == 0 {
            return Ok(finished);
        }
    }
}
