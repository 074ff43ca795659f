//! What a run knows between two operations, and what of it holds for a disk
//! whose power goes off on the way from one to the other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use sessiondb::SessionId;

use super::config::Config;
use super::draw::SLOTS;
use super::history::History;
use super::place::Place;
use super::run::Run;
use super::state::Name;
use super::tally::Tally;
use super::time::{Time, Watch};

#[derive(Debug, Clone)]
pub(crate) struct Standing {
    config: Config,
    shown: Time,
    now: Time,
    ids: Vec<SessionId>,
    history: History,
    stamp: u64,
    births: u64,
    spent: BTreeSet<Vec<u8>>,
    buried: BTreeSet<Name>,
    /// Whether any of what is over may have been removed.
    removes: bool,
}

impl Run {
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            config: self.config.clone(),
            shown: self.watch.shown(),
            now: self.now(),
            ids: self.ids.clone(),
            history: self.history.clone(),
            stamp: self.stamp,
            births: self.births,
            spent: self.spent.clone(),
            buried: self.buried.clone(),
            removes: false,
        }
    }
}

impl Standing {
    /// Of a disk whose power goes off in the middle of an operation: what was
    /// promised before, and every state that the operation leads through.
    pub(crate) fn on_the_way_to(&self, after: &Self) -> Self {
        Self {
            ids: after.ids.clone(),
            history: self.history.on_the_way_to(&after.history),
            stamp: after.stamp,
            births: after.births,
            // A dead ID may have been chosen again.
            buried: &self.buried & &after.buried,
            ..self.clone()
        }
    }

    /// The same of an operation that removes what is over, a part at a time.
    pub(crate) fn while_removing(&self, after: &Self) -> Self {
        Self {
            ids: after.ids.clone(),
            stamp: after.stamp,
            births: after.births,
            removes: true,
            ..self.clone()
        }
    }

    /// Whether more is promised after something that has changed nothing.
    pub(crate) fn only_promises_more(&self, after: &Self) -> bool {
        self.history.position() == after.history.position() && self.promises_less(after)
    }

    pub(crate) fn promises_less(&self, after: &Self) -> bool {
        self.history.promised() < after.history.promised()
    }

    /// The same once this change was acknowledged.
    pub(crate) fn settled(mut self, position: u64) -> Self {
        self.history.settle(position);
        self
    }

    /// A run that goes on from here in another place, not opened yet.
    pub(crate) fn resume(&self, label: String, place: Place) -> Run {
        let mut run = Run {
            label,
            config: self.config.clone(),
            place,
            watch: Arc::new(Watch::showing(self.shown).asked(self.now)),
            database: None,
            handles: (0..SLOTS).map(|_| None).collect(),
            ids: self.ids.clone(),
            history: self.history.clone(),
            stamp: self.stamp,
            births: self.births,
            armed: None,
            limit: u64::MAX,
            is_failing: false,
            spent: self.spent.clone(),
            buried: self.buried.clone(),
            unverified: false,
            last_pages: 0,
            tally: Tally::default(),
            recent: VecDeque::new(),
        };
        if self.removes {
            run.doubt_removals();
        }
        run
    }
}
