//! The clock, and what is done because of it.

use std::time::Duration;

use sessiondb::Database;

use super::operation::{Edge, Turn};
use super::run::Run;
use super::state::Name;
use super::time::Time;

/// Of the things that end next, one of so many is chosen.
const NEXT: usize = 5;

impl Run {
    pub(crate) fn set_clock(&mut self, turn: Turn) {
        let shown = self.watch.shown();
        let time = match turn {
            Turn::Forward(span) => shown.plus(span),
            // Whoever looks at the clock while it is set would be at odds.
            Turn::Back(_) if self.config.background => shown,
            Turn::Back(span) => shown.minus(span),
            Turn::ToEnd(which, edge) => self.end_of_something(which, edge),
        };
        self.watch.set(time);
    }

    /// When one of the things that end next does.
    fn end_of_something(&self, which: usize, edge: Edge) -> Time {
        let moment = self.moment();
        let state = self.history.now();
        let mut ends: Vec<Time> = Vec::new();
        for (_, session) in state.all_living(&moment) {
            ends.extend(moment.terms.expires_at(session));
            ends.push(moment.terms.touches_from(session));
            ends.extend(session.keys.values().filter_map(|held| held.deadline));
        }
        let retired = state.retired.values();
        ends.extend(retired.flat_map(|retired| [retired.at_least, retired.at_most]));
        // Not the end of time: nothing would ever happen again.
        let soon = moment.now.plus(Duration::from_secs(40 * 86_400));
        ends.retain(|end| (moment.now..soon).contains(end) && *end > moment.now);
        ends.sort_unstable();
        ends.dedup();
        let nanosecond = Duration::from_nanos(1);
        match ends.get(which % ends.len().clamp(1, NEXT)) {
            Some(end) => match edge {
                Edge::Before => end.minus(nanosecond),
                Edge::At => *end,
                Edge::After => end.plus(nanosecond),
            },
            None => moment.now.plus(Duration::from_secs(1)),
        }
    }

    /// Removes what is over; how many that are is known, but for those of
    /// which nobody can tell whether they are still there.
    pub(crate) fn purge(&mut self) {
        self.remove_over(|db| db.purge_expired().map(Some));
    }

    /// The same, and nobody says how many that were.
    pub(crate) fn erase(&mut self) {
        self.remove_over(|db| db.erase().map(|()| None));
        if self.place.is_off() {
            return;
        }
        self.tally.erasures += 1;
        let age = self.database().stats().erasure_age;
        if !self.config.background {
            assert_eq!(age, None, "{}: erased, and it has an age", self.label);
        }
    }

    fn remove_over(&mut self, remove: impl FnOnce(&Database) -> sessiondb::Result<Option<u64>>) {
        let moment = self.moment();
        if self.config.background {
            self.history.doubt_all_over(&moment);
        }
        let outcome = remove(&self.database());
        match outcome {
            Ok(purged) => {
                let mut state = self.history.now().clone();
                let over: Vec<Name> = state.all_over(&moment).map(|(name, _)| name).collect();
                state.end_all(&over, &moment);
                let least = over.len() as u64;
                let most = least + self.history.doubtful.len() as u64;
                if let Some(purged) = purged {
                    assert!(
                        (least..=most).contains(&purged),
                        "{}: {purged} were purged, not {least} to {most}",
                        self.label
                    );
                    self.tally.life.purged += purged;
                }
                // Also what nobody knew of.
                for name in std::mem::take(&mut self.history.doubtful).into_keys() {
                    state.may_end(name, &moment);
                }
                self.push(state, &over);
                self.history.settle_checkpoint();
                self.buried.extend(over);
            }
            Err(error) => {
                self.expect_power_off("purge", &error);
                self.doubt_removals();
            }
        }
    }

    /// Any of what is over may have been removed: several at a time are.
    pub(crate) fn doubt_removals(&mut self) {
        let moment = self.moment();
        let mut state = self.history.now().clone();
        let over: Vec<Name> = state.all_over(&moment).map(|(name, _)| name).collect();
        state.end_all(&over, &moment);
        self.history.doubt_all_over(&moment);
        for name in self.history.doubtful.keys() {
            state.may_end(*name, &moment);
        }
        self.push(state, &over);
    }
}
