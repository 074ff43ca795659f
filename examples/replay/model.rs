//! What the sessions have to hold, in plain maps.

use std::collections::{BTreeMap, HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sessiondb::SessionId;

use super::log::Visitor;
use super::visit::{Answer, FLASH, LAST, LAST_PAGES, TOKEN, counter, farewell};

/// The silence after which a visitor is logged out.
const SILENCE: SignedDuration = SignedDuration::from_mins(30);

/// All visitors, and the IDs that must not come back.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) visitors: HashMap<Visitor, Known>,
    pub(crate) flushed: Vec<SessionId>,
}

/// A visitor's cookie, and what the session behind it holds.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) id: SessionId,
    /// The latest time of a request. Servers log a request when it ends, so a
    /// log goes backwards a little.
    last_seen: Timestamp,
    views: BTreeMap<String, u64>,
    last: VecDeque<String>,
}

impl Known {
    pub(crate) fn new(id: SessionId, at: Timestamp) -> Self {
        Self {
            id,
            last_seen: at,
            views: BTreeMap::new(),
            last: VecDeque::new(),
        }
    }

    /// Whether the visitor has been away for long enough to be logged out.
    pub(crate) fn was_silent(&self, at: Timestamp) -> bool {
        at.duration_since(self.last_seen) > SILENCE
    }

    /// A request, and what it has to be told.
    pub(crate) fn visit(&mut self, page: &str, at: Timestamp) -> Answer {
        let before = self.last.front();
        let answer = Answer {
            flash: before.map(|page| farewell(page)),
            token_deleted: before.is_some(),
        };
        self.last_seen = self.last_seen.max(at);
        *self.views.entry(page.to_owned()).or_default() += 1;
        self.last.push_front(page.to_owned());
        self.last.truncate(LAST_PAGES);
        answer
    }

    /// The keys and values that the session has to hold, no more and no fewer.
    pub(crate) fn expected(&self) -> BTreeMap<String, Value> {
        let views = self.views.iter();
        let mut expected: BTreeMap<String, Value> = views
            .map(|(page, views)| (counter(page), json!(views)))
            .collect();
        if let Some(page) = self.last.front() {
            expected.insert(LAST.to_owned(), json!(self.last));
            expected.insert(FLASH.to_owned(), json!(farewell(page)));
            expected.insert(TOKEN.to_owned(), json!(page));
        }
        expected
    }
}
