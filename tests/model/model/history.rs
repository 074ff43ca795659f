//! Every state since the last one that has to survive a crash.
//!
//! The journal has one order for all sessions, so what a crash leaves is one
//! of these states in whole: never a session from one and a session from
//! another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::account::{Doubtful, Viewpoint};
use super::found::Found;
use super::session::Session;
use super::state::{Moment, Name, State};
use super::time::Time;

#[derive(Debug, Clone)]
struct Entry {
    position: u64,
    state: State,
}

#[derive(Debug, Clone)]
pub(crate) struct History {
    /// The last state that was durable; at first, of an empty database.
    durable: Entry,
    since: VecDeque<Entry>,
    /// When a name's session was changed last.
    touched: BTreeMap<Name, u64>,
    /// All up to this position is in the segments.
    checkpointed: u64,
    /// The latest time of the openings before this one.
    pub(crate) before: Time,
    /// Sessions whose time is over and that may be on disk or not.
    pub(crate) doubtful: Doubtful,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            durable: Entry {
                position: 0,
                state: State::default(),
            },
            since: VecDeque::new(),
            touched: BTreeMap::new(),
            checkpointed: 0,
            before: Time::default(),
            doubtful: Doubtful::new(),
        }
    }

    /// Every state on the way from here to a later history.
    pub(crate) fn on_the_way_to(&self, later: &Self) -> Self {
        let mut way = self.clone();
        let position = self.position();
        let entries = [&later.durable].into_iter().chain(&later.since);
        let new = entries.filter(|entry| entry.position > position);
        way.since.extend(new.cloned());
        way.touched.extend(&later.touched);
        way
    }

    fn latest(&self) -> &Entry {
        self.since.back().unwrap_or(&self.durable)
    }

    pub(crate) fn now(&self) -> &State {
        &self.latest().state
    }

    /// How many states a crash may leave besides the durable one.
    pub(crate) fn pending(&self) -> usize {
        self.since.len()
    }

    pub(crate) fn position(&self) -> u64 {
        self.latest().position
    }

    /// The position of the last change that has to survive a crash.
    pub(crate) fn promised(&self) -> u64 {
        self.durable.position
    }

    /// A change was made, or tried.
    pub(crate) fn push(&mut self, state: State, touched: &[Name]) {
        let position = self.position() + 1;
        self.since.push_back(Entry { position, state });
        self.touched
            .extend(touched.iter().map(|name| (*name, position)));
    }

    /// All up to a position is on disk.
    pub(crate) fn settle(&mut self, position: u64) {
        while let Some(entry) = self.since.front() {
            if entry.position > position {
                break;
            }
            if let Some(entry) = self.since.pop_front() {
                self.durable = entry;
            }
        }
    }

    pub(crate) fn settle_all(&mut self) {
        self.settle(self.position());
    }

    /// All is in the segments.
    pub(crate) fn settle_checkpoint(&mut self) {
        self.settle_all();
        self.checkpointed = self.position();
    }

    /// What was seen of a session is on disk.
    pub(crate) fn settle_name(&mut self, name: Name) {
        self.settle(self.touched.get(&name).copied().unwrap_or(0));
    }

    pub(crate) fn view(&self, moment: Moment, is_opening: bool) -> Viewpoint<'_> {
        Viewpoint {
            moment,
            before: self.before,
            is_opening,
            checkpointed: self.checkpointed,
            doubtful: &self.doubtful,
        }
    }

    /// Whether an ID has to be known as dead.
    pub(crate) fn retires(&self, name: Name, moment: Moment) -> Option<bool> {
        self.view(moment, false).retires(self.now(), name)
    }

    /// What differs from the latest state.
    pub(crate) fn check(&self, found: &Found, moment: Moment) -> Vec<String> {
        let view = self.view(moment, false);
        let outcome = self.now().account_for(found, &view);
        outcome.err().unwrap_or_default()
    }

    /// Finds out which state an opening has found, and goes on from there.
    /// Says how many of the newest changes were lost; what differs from the
    /// last and from the durable state when it is none of them.
    pub(crate) fn recognise(
        &mut self,
        found: &Found,
        moment: Moment,
    ) -> Result<usize, [Vec<String>; 2]> {
        let view = self.view(moment, true);
        let candidates: Vec<&State> = self.states().collect();
        let mut matches = Vec::new();
        let mut differences = Vec::new();
        for (lost, candidate) in candidates.into_iter().enumerate() {
            match candidate.account_for(found, &view) {
                Ok(state) => matches.push((lost, state)),
                Err(lines) => differences.push(lines),
            }
        }
        let mut matches = matches.into_iter();
        let Some((lost, mut state)) = matches.next() else {
            let last = differences.first().cloned().unwrap_or_default();
            return Err([last, differences.pop().unwrap_or_default()]);
        };
        // What can be seen by now has been seen, or is not there.
        for versions in self.doubtful.values_mut() {
            versions.retain(|version| !moment.sees(version));
        }
        for (_, other) in matches {
            self.doubt(&mut state, &other, &moment);
        }
        self.doubtful.retain(|_, versions| !versions.is_empty());
        self.durable = Entry {
            position: self.position(),
            state,
        };
        self.since.clear();
        self.touched.clear();
        Ok(lost)
    }

    /// The states, the newest first.
    fn states(&self) -> impl Iterator<Item = &State> {
        let entries = self.since.iter().rev().chain([&self.durable]);
        entries.map(|entry| &entry.state)
    }

    /// Another state may be the one that is there just as well: they differ in
    /// what cannot be seen.
    fn doubt(&mut self, state: &mut State, other: &State, moment: &Moment) {
        let names: Vec<Name> = state
            .sessions
            .keys()
            .chain(other.sessions.keys())
            .copied()
            .collect();
        for name in names {
            let (chosen, other) = (state.sessions.get(&name), other.sessions.get(&name));
            if chosen == other {
                continue;
            }
            match (chosen.cloned(), other) {
                (Some(chosen), Some(other)) if moment.sees(&chosen) => {
                    let mut session = Session::clone(&chosen);
                    session.fade(other, moment.now);
                    state.sessions.insert(name, Arc::new(session));
                }
                (chosen, other) => {
                    let versions = self.doubtful.entry(name).or_default();
                    versions.extend(chosen.into_iter().chain(other.cloned()));
                    state.sessions.remove(&name);
                }
            }
        }
    }

    /// Nobody can tell any more whether what is over is still there.
    pub(crate) fn doubt_all_over(&mut self, moment: &Moment) {
        let entry = self.since.back_mut().unwrap_or(&mut self.durable);
        let over: Vec<(Name, Arc<Session>)> = entry
            .state
            .all_over(moment)
            .map(|(name, session)| (name, Arc::clone(session)))
            .collect();
        for (name, session) in over {
            entry.state.end(name, moment);
            self.doubtful.entry(name).or_default().push(session);
        }
    }
}
