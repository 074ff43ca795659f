//! Pages in memory. What lies at a place never changes, so what is cached
//! under a location is right for ever; a stale page is one that nobody asks for.

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::format::identity::{Generation, Location};
use crate::format::page::Page;

/// Under the place and whose keys: a row that points to another session's page
/// does not find it.
type Place = (Location, Generation);

#[derive(Debug, Clone)]
struct PageWeight;

impl Weighter<Place, Page> for PageWeight {
    fn weight(&self, _: &Place, page: &Page) -> u64 {
        page.memory() as u64
    }
}

/// A cache of pages, limited in bytes.
#[derive(Debug)]
pub(crate) struct PageCache(Cache<Place, Page, PageWeight>);

impl PageCache {
    /// A cache of about `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 4096)
            .unwrap_or(usize::MAX)
            .clamp(64, 1 << 20);
        Self(Cache::with_weighter(items, bytes, PageWeight))
    }

    /// The page at a location.
    pub(crate) fn get(&self, location: Location, generation: Generation) -> Option<Page> {
        self.0.get(&(location, generation))
    }

    /// The same by who will not ask for it again.
    pub(crate) fn peek(&self, location: Location, generation: Generation) -> Option<Page> {
        self.0.peek(&(location, generation))
    }

    /// Lets go of a page whose place nobody asks for any more.
    pub(crate) fn forget(&self, location: Location, generation: Generation) {
        self.0.remove(&(location, generation));
    }

    /// Keeps a page.
    pub(crate) fn insert(&self, location: Location, generation: Generation, page: Page) {
        self.0.insert((location, generation), page);
    }

    /// Keeps a page under the place of its copy, too.
    pub(crate) fn copy(&self, from: Location, to: Location, generation: Generation) {
        if let Some(page) = self.peek(from, generation) {
            self.insert(to, generation, page);
        }
    }

    /// Bytes in the cache.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
