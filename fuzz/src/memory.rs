//! A limit of what is allocated: beyond it the process aborts, which the fuzzer
//! takes for a crash and keeps the input of.

use std::alloc::System;
use std::panic;
use std::sync::Once;

use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Runs something that may allocate so many bytes, beside what is allocated
/// already and by all threads together.
pub fn limited<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    lift_for_panics();
    let limit = MEMORY.allocated().saturating_add(bytes);
    let is_set = MEMORY.set_limit(limit);
    assert!(is_set.is_ok(), "more is allocated than {limit} bytes");
    let result = work();
    // Whatever else the fuzzer does is no concern of ours.
    let is_lifted = MEMORY.set_limit(usize::MAX);
    assert!(is_lifted.is_ok());
    result
}

/// What a panic prints takes more memory than the limit leaves.
fn lift_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let _ = MEMORY.set_limit(usize::MAX);
            print(panic);
        }));
    });
}
