//! Pages in memory. What lies at a place never changes, so what is cached
//! under a location is right for ever; a stale page is one that nobody asks for.

use foldhash::fast::RandomState;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, Weighter};

use super::first_page::Place;
use crate::format::page::Page;
use crate::session_id::SessionDigest;

#[derive(Debug, Clone)]
struct Cached {
    page: Page,
    /// The session that keeps it as its first.
    of: Option<SessionDigest>,
}

#[derive(Debug, Clone)]
struct PageWeight;

impl Weighter<Place, Cached> for PageWeight {
    fn weight(&self, _: &Place, cached: &Cached) -> u64 {
        cached.page.memory() as u64
    }
}

/// What the cache let go of, to be freed after its lock is.
#[derive(Debug, Default)]
struct Evicted(Vec<(Place, Cached)>);

#[derive(Debug, Clone)]
struct Evictions;

impl Lifecycle<Place, Cached> for Evictions {
    type RequestState = Evicted;

    fn on_evict(&self, evicted: &mut Evicted, place: Place, cached: Cached) {
        evicted.0.push((place, cached));
    }
}

/// A cache of pages, limited in bytes.
#[derive(Debug)]
pub(crate) struct PageCache(Cache<Place, Cached, PageWeight, RandomState, Evictions>);

impl PageCache {
    /// A cache of about `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 4096)
            .unwrap_or(usize::MAX)
            .clamp(64, 1 << 20);
        let hasher = RandomState::default();
        Self(Cache::with(items, bytes, PageWeight, hasher, Evictions))
    }

    /// The page at a place.
    pub(super) fn get(&self, place: Place) -> Option<Page> {
        Some(self.0.get(&place)?.page)
    }

    /// The same by who will not ask for it again.
    pub(super) fn peek(&self, place: Place) -> Option<Page> {
        Some(self.0.peek(&place)?.page)
    }

    /// Lets go of a page whose place nobody asks for any more.
    pub(super) fn forget(&self, place: Place) {
        self.0.remove(&place);
    }

    /// Keeps a page; `of` is the session that keeps it as its first one. Tells
    /// which first pages had to go for it: they are to be forgotten there, too.
    pub(super) fn insert(
        &self,
        place: Place,
        page: Page,
        of: Option<SessionDigest>,
    ) -> impl Iterator<Item = (SessionDigest, Place)> {
        let mut evicted = Evicted::default();
        self.0
            .insert_with_lifecycle(place, Cached { page, of }, &mut evicted);
        let evicted = evicted.0.into_iter();
        evicted.filter_map(|(place, cached)| Some((cached.of?, place)))
    }

    /// Bytes in the cache.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
