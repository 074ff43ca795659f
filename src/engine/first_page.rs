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

/// A page, if there is one. Its lock is a leaf.
#[derive(Debug, Default)]
pub(crate) struct FirstPage(Mutex<Option<Kept>>);

/// A page that was found, and whether the cache should hear of it.
pub(super) struct Seen {
    pub(super) page: Page,
    pub(super) is_to_be_told: bool,
}

impl FirstPage {
    /// The page of a place.
    pub(super) fn get(&self, place: Place) -> Option<Seen> {
        let mut kept = self.0.lock();
        let kept = kept.as_mut().filter(|kept| kept.place == place)?;
        let is_to_be_told = kept.looks == 0;
        kept.looks = kept.looks.saturating_add(1) % UNHEARD;
        Some(Seen {
            page: kept.page.clone(),
            is_to_be_told,
        })
    }

    /// The same by who will not ask for it again.
    pub(super) fn peek(&self, place: Place) -> Option<Page> {
        let kept = self.0.lock();
        let kept = kept.as_ref().filter(|kept| kept.place == place)?;
        Some(kept.page.clone())
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
