//! A watch against openings that hang.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::tracer::tell;

/// Longer than any opening takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Does something. Where that has not come to its end by then, the whole
/// process ends with what `late` says: a thread that hangs cannot be ended.
pub(crate) fn watched<T>(
    limit: Duration,
    late: impl FnOnce() -> String + Send,
    work: impl FnOnce() -> T,
) -> T {
    let (done, finished) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            // The sender is dropped at the end of the work, also by a panic.
            if finished.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                tell(&format!("still opening after {limit:?}: {}", late()));
                std::process::abort();
            }
        });
        let _done = done;
        work()
    })
}

/// The variable that makes a process of this test hang.
const HANGS: &str = "SESSIONDB_POWER_LOSS_HANGS";

#[test]
fn an_opening_that_hangs_ends_the_process_and_says_which_it_was() {
    if std::env::var(HANGS).is_ok() {
        let late = || "seed 7, moment 3".to_owned();
        watched(Duration::ZERO, late, || {
            loop {
                thread::park();
            }
        });
    }
    let program = std::env::current_exe().expect("this program");
    let mut child = std::process::Command::new(program);
    let name = "alarm::an_opening_that_hangs_ends_the_process_and_says_which_it_was";
    child.args(["--exact", name, "--nocapture"]).env(HANGS, "1");
    let output = child.output().expect("a process");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("still opening after 0ns: seed 7, moment 3"),
        "{said}"
    );
}

#[test]
fn what_comes_to_its_end_is_let_be() {
    let late = || -> String { unreachable!("it has come to its end") };
    assert_eq!(watched(PATIENCE, late, || 1), 1);
    let panicked = std::panic::catch_unwind(|| watched(PATIENCE, late, || panic!("by itself")));
    assert!(panicked.is_err());
}
