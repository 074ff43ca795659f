//! Places between two steps at which a test may hold a thread up.
//!
//! Two threads of which one runs at a time, from stop to stop, go through
//! their steps in the order that a test gives, without a clock. Nothing that
//! the other may need is locked at a stop.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

/// Tells of the stop and waits there.
type Wait = Box<dyn FnMut()>;

thread_local! {
    static WAIT: RefCell<Option<Wait>> = const { RefCell::new(None) };
}

/// A stop; nothing happens in a thread that nobody holds up.
pub(super) fn stop() {
    WAIT.with_borrow_mut(|wait| {
        if let Some(wait) = wait {
            wait();
        }
    });
}

/// A thread that goes on when it is told to.
pub(super) struct Actor {
    go: Sender<()>,
    stopped: Receiver<()>,
}

impl Actor {
    /// Does something in a thread of its own, which stops before it begins.
    pub(super) fn new<'s>(scope: &'s Scope<'s, '_>, act: impl FnOnce() + Send + 's) -> Self {
        let (go, may_go) = channel();
        let (stops, stopped) = channel();
        scope.spawn(move || {
            let _ = may_go.recv();
            let wait: Wait = Box::new(move || {
                // Once nobody waits for this thread any more it does not stop.
                if stops.send(()).is_ok() {
                    let _ = may_go.recv();
                }
            });
            WAIT.with_borrow_mut(|place| *place = Some(wait));
            act();
            WAIT.with_borrow_mut(|place| drop(place.take()));
        });
        Self { go, stopped }
    }

    /// Lets it run to its next stop, or to its end; whether it has stopped.
    pub(super) fn step(&self) -> bool {
        // At its end nobody is told.
        let _ = self.go.send(());
        self.stopped.recv().is_ok()
    }

    /// Lets it run to its end.
    pub(super) fn finish(self) {
        while self.step() {}
    }
}
