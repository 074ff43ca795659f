//! A watch against hanging.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Runs a test, and fails when it has not come to its end by then.
pub(crate) fn within(limit: Duration, work: impl FnOnce() + Send + 'static) {
    let (done, finished) = channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        work();
    });
    // The sender is dropped at the end of the work, also by a panic.
    let is_late = finished.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
    assert!(!is_late, "still running after {limit:?}");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
