//! Every state since the last one that has to survive a crash.
//!
//! The journal has one order for all sessions, so what a crash leaves is one
//! of these states in whole: never a session from one and a session from
//! another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::step::Keys;

/// A session ID, by when it was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) usize);

/// All sessions that exist.
pub(crate) type Sessions = BTreeMap<Name, Arc<Keys>>;

#[derive(Debug)]
struct Moment {
    position: u64,
    sessions: Sessions,
}

#[derive(Debug)]
pub(crate) struct History {
    /// The last moment that was durable; at first, of an empty database.
    durable: Moment,
    since: VecDeque<Moment>,
    /// When a name's session was changed last.
    touched: BTreeMap<Name, u64>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            durable: Moment {
                position: 0,
                sessions: Sessions::new(),
            },
            since: VecDeque::new(),
            touched: BTreeMap::new(),
        }
    }

    fn latest(&self) -> &Moment {
        self.since.back().unwrap_or(&self.durable)
    }

    pub(crate) fn now(&self) -> &Sessions {
        &self.latest().sessions
    }

    pub(crate) fn durable(&self) -> &Sessions {
        &self.durable.sessions
    }

    /// How many states a crash may leave besides the durable one.
    pub(crate) fn pending(&self) -> usize {
        self.since.len()
    }

    pub(crate) fn position(&self) -> u64 {
        self.latest().position
    }

    /// A change was made, or tried.
    pub(crate) fn push(&mut self, sessions: Sessions, touched: &[Name]) {
        let position = self.position() + 1;
        self.since.push_back(Moment { position, sessions });
        self.touched
            .extend(touched.iter().map(|name| (*name, position)));
    }

    /// All up to a position is on disk.
    pub(crate) fn settle(&mut self, position: u64) {
        while let Some(moment) = self.since.front() {
            if moment.position > position {
                break;
            }
            if let Some(moment) = self.since.pop_front() {
                self.durable = moment;
            }
        }
    }

    pub(crate) fn settle_all(&mut self) {
        self.settle(self.position());
    }

    /// What was seen of a session is on disk.
    pub(crate) fn settle_name(&mut self, name: Name) {
        self.settle(self.touched.get(&name).copied().unwrap_or(0));
    }

    /// Finds out which state a crash has left, and goes on from there. Says
    /// how many of the newest changes it took; `None` when it is none of them.
    pub(crate) fn recognise(&mut self, left: &Sessions) -> Option<usize> {
        let lost = self
            .since
            .iter()
            .rev()
            .chain([&self.durable])
            .position(|moment| moment.sessions == *left)?;
        self.durable = Moment {
            position: self.position(),
            sessions: left.clone(),
        };
        self.since.clear();
        self.touched.clear();
        Some(lost)
    }
}
