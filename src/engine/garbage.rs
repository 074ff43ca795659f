//! Freeing what a flush let go of, away from the caller.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::delta::Delta;

/// Below this a caller frees it itself: cheaper than handing it over.
const SMALL_BYTES: usize = 4096;

/// The thread that frees.
#[derive(Debug)]
pub(crate) struct Garbage {
    sender: Mutex<Option<Sender<Delta>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Garbage {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = channel::<Delta>();
        let thread = std::thread::Builder::new()
            .name("sessiondb-free".into())
            .spawn(move || receiver.into_iter().for_each(drop))?;
        Ok(Self {
            sender: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Frees a delta soon.
    pub(crate) fn discard(&self, delta: Delta) {
        if delta.bytes() < SMALL_BYTES {
            return;
        }
        if let Some(sender) = &*self.sender.lock() {
            // Without a receiver the value comes back in the error and is
            // freed here.
            drop(sender.send(delta));
        }
    }

    /// Waits until everything is freed.
    pub(crate) fn stop(&self) {
        drop(self.sender.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}
