//! Which engines this thread is inside a closure of: using one of them there
//! would wait for itself.

use std::cell::RefCell;

use super::Engine;
use crate::sync::thread_local;

thread_local! {
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn name(engine: &Engine) -> usize {
    std::ptr::from_ref(engine).addr()
}

/// Whether this thread runs a closure of `engine`.
pub(super) fn is_inside(engine: &Engine) -> bool {
    INSIDE.with(|inside| inside.borrow().contains(&name(engine)))
}

/// Held while a closure runs; also when it panics.
#[derive(Debug)]
pub(crate) struct Inside(usize);

impl Inside {
    /// The thread enters a closure of `engine`.
    pub(crate) fn enter(engine: &Engine) -> Self {
        let name = name(engine);
        INSIDE.with(|inside| inside.borrow_mut().push(name));
        Self(name)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|inside| {
            let mut inside = inside.borrow_mut();
            if let Some(place) = inside.iter().rposition(|name| *name == self.0) {
                inside.remove(place);
            }
        });
    }
}
