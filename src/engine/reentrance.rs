//! Which engines this thread is inside a closure of: using one of them there
//! would wait for itself.

use std::cell::RefCell;

use super::Engine;

thread_local! {
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn name(engine: &Engine) -> usize {
    std::ptr::from_ref(engine).addr()
}

/// Whether this thread runs a closure of `engine`.
pub(super) fn is_inside(engine: &Engine) -> bool {
    INSIDE.with_borrow(|inside| inside.contains(&name(engine)))
}

/// Held while a closure runs; also when it panics.
#[derive(Debug)]
pub(crate) struct Inside(usize);

impl Inside {
    /// The thread enters a closure of `engine`.
    pub(crate) fn enter(engine: &Engine) -> Self {
        let name = name(engine);
        INSIDE.with_borrow_mut(|inside| inside.push(name));
        Self(name)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| {
            if let Some(place) = inside.iter().rposition(|name| *name == self.0) {
                inside.remove(place);
            }
        });
    }
}
