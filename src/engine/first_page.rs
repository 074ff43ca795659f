//! A session's first page where the session itself is: most have no other.
//!
//! Owns: the way from a session in memory to its page without the table of
//! the page cache. The cache goes on to decide what stays in memory, so it
//! hears of some of the looks, and tells what it lets go of.

use crate::format::identity::{Generation, Location};
use crate::format::page::Page;
use crate::sync::Mutex;

/// The page cache hears of the first look and of each one after so many.
const UNHEARD: u8 = 8;

/// Under the place and whose keys: what belongs to another is not found.
pub(super) type Place = (Location, Generation);

#[derive(Debug)]
struct Kept {
    place: Place,
    page: Page,
    looks: u8,
}

/// The image of a session's base, if it is in memory. INVARIANT: of no other
/// base. It comes under the session's lock, and goes with the base.
///
/// Its own lock is a leaf.
#[derive(Debug, Default)]
pub(crate) struct FirstPage(Mutex<Option<Kept>>);

/// A page that was found, and whether the cache should hear of it.
pub(super) struct Seen {
    pub(super) page: Page,
    pub(super) place: Place,
    pub(super) is_to_be_told: bool,
}

impl FirstPage {
    /// The page, if it has the keys of this generation.
    pub(super) fn get(&self, generation: Generation) -> Option<Seen> {
        let mut kept = self.0.lock();
        let kept = kept.as_mut().filter(|kept| kept.place.1 == generation)?;
        let is_to_be_told = kept.looks == 0;
        kept.looks = kept.looks.saturating_add(1) % UNHEARD;
        Some(Seen {
            page: kept.page.clone(),
            place: kept.place,
            is_to_be_told,
        })
    }

    /// Whether the page of a place is here.
    pub(super) fn is_kept(&self, place: Place) -> bool {
        self.0
            .lock()
            .as_ref()
            .is_some_and(|kept| kept.place == place)
    }

    /// Keeps the page of a place, which the cache takes in right after: who
    /// keeps it first is told whenever the cache lets go of it.
    pub(super) fn keep(&self, place: Place, page: Page) {
        let new = Kept {
            place,
            page,
            looks: 0,
        };
        let old = self.0.lock().replace(new);
        drop(old);
    }

    /// Lets go of the page of a place.
    pub(super) fn forget(&self, place: Place) {
        let old = self.0.lock().take_if(|kept| kept.place == place);
        drop(old);
    }
}

#[cfg(test)]
mod tests;
