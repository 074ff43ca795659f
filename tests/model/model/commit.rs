//! What a transaction makes of the sessions: of its own, and of those that it
//! ends.

use std::sync::Arc;

use super::answer::{Answer, Failure};
use super::draft::Draft;
use super::handle::{Handle, Life};
use super::run::Run;
use super::session::Session;
use super::state::{Moment, Name, State};

/// What becomes of a session's ID with a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    Stays,
    /// The session has this one now.
    Cycles(Name),
    /// The session is a new one, instead of the old one.
    Replaces(Name),
}

/// A state that may be there after a change, and the IDs that are dead in it.
type Choice = (State, Vec<Name>);

/// What a change has done besides.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Whether there was one.
    pub(crate) wrote: bool,
    /// The IDs that are dead by it.
    pub(crate) dead: Vec<Name>,
}

impl Draft {
    /// Its session if it were written now.
    fn newborn(&self, birth: u64) -> Session {
        Session {
            keys: self.keys.clone(),
            faded: Vec::new(),
            created: self.now,
            last_seen: self.now,
            lease: self.lease,
            owner: self.owner.clone(),
            birth,
        }
    }

    /// Whether its session, never written until now, is over at once.
    pub(crate) fn is_over(&self, moment: &Moment) -> bool {
        !moment.sees(&self.newborn(0))
    }
}

impl Run {
    /// A transaction of a handle is done, or will be after a crash.
    pub(crate) fn conclude(
        &mut self,
        handle: &mut Handle,
        draft: &Draft,
        renewed: Renewed,
    ) -> Changed {
        let moment = self.moment();
        let before = match renewed {
            Renewed::Replaces(_) => None,
            _ => self.living(handle, &moment).cloned(),
        };
        match (before, renewed) {
            (Some(session), _) => self.conclude_living(handle, &session, draft, renewed),
            (None, Renewed::Replaces(name)) => {
                let mut state = self.history.now().clone();
                let mut dead = Vec::new();
                if self.kept(handle).is_some() {
                    state.end(handle.name, &moment);
                    dead.push(handle.name);
                }
                handle.name = name;
                self.conclude_unborn(handle, draft, state, dead)
            }
            (None, _) => {
                if let Renewed::Cycles(name) = renewed {
                    handle.name = name;
                }
                let state = self.history.now().clone();
                self.conclude_unborn(handle, draft, state, Vec::new())
            }
        }
    }

    fn conclude_living(
        &mut self,
        handle: &mut Handle,
        before: &Session,
        draft: &Draft,
        renewed: Renewed,
    ) -> Changed {
        let moment = self.moment();
        let old = handle.name;
        if let Renewed::Cycles(name) = renewed {
            handle.name = name;
        }
        let is_other = draft.owner != before.owner || draft.lease != before.lease;
        if !draft.has_written() && !is_other && handle.name == old {
            return Changed::default();
        }
        let mut after = Session {
            last_seen: before.last_seen.max(moment.now),
            created: before.created,
            ..draft.newborn(before.birth)
        };
        after.fade(before, moment.now);
        let mut state = self.history.now().clone();
        let mut dead = Vec::new();
        if !moment.sees(&after) {
            state.end(old, &moment);
            dead.push(old);
            self.tally.life.ended_by_expiry += 1;
            return self.change(handle, vec![(state, dead)]);
        }
        if handle.name != old {
            state.end(old, &moment);
            dead.push(old);
        }
        let joins = after.owner.clone().filter(|_| after.owner != before.owner);
        state.sessions.insert(handle.name, Arc::new(after));
        let choices = self.evict(state, dead, joins.as_deref(), handle.name);
        self.change(handle, choices)
    }

    /// `state` is without what the new session replaces, which is `dead`.
    fn conclude_unborn(
        &mut self,
        handle: &mut Handle,
        draft: &Draft,
        mut state: State,
        dead: Vec<Name>,
    ) -> Changed {
        let is_over = draft.is_over(&self.moment());
        if is_over || !draft.has_written() {
            handle.life = if is_over {
                self.tally.life.ended_by_expiry += 1;
                Life::Spent
            } else {
                Life::Unborn {
                    owner: draft.owner.clone(),
                    lease: draft.lease,
                }
            };
            if dead.is_empty() {
                return Changed::default();
            }
            return self.change(handle, vec![(state, dead)]);
        }
        self.births += 1;
        let session = draft.newborn(self.births);
        handle.life = Life::Bound {
            birth: session.birth,
        };
        let owner = session.owner.clone();
        state.sessions.insert(handle.name, Arc::new(session));
        let choices = self.evict(state, dead, owner.as_deref(), handle.name);
        self.change(handle, choices)
    }

    /// A session has joined an owner: the states without those that are too
    /// many then.
    fn evict(
        &mut self,
        state: State,
        dead: Vec<Name>,
        owner: Option<&str>,
        newest: Name,
    ) -> Vec<Choice> {
        let Some(owner) = owner else {
            return vec![(state, dead)];
        };
        let moment = self.moment();
        let choices = state.too_many(owner, newest, &moment);
        self.tally.life.evicted += choices.first().map_or(0, |choice| choice.len() as u64);
        let without = choices.into_iter().map(|choice| {
            let mut state = state.clone();
            state.end_all(&choice, &moment);
            (state, [dead.clone(), choice].concat())
        });
        without.collect()
    }

    /// One of these states is there now, or will be after a crash. Of several
    /// the database says itself which one it is.
    fn change(&mut self, handle: &mut Handle, mut choices: Vec<Choice>) -> Changed {
        if choices.len() > 1 {
            let is_shown = |(_, dead): &Choice| self.may_be_dead(dead);
            if choices.iter().any(is_shown) {
                choices.retain(|(_, dead)| self.may_be_dead(dead));
            } else {
                // With the power off the change may have failed in memory, and
                // any of them may be on disk.
                assert!(self.place.is_off(), "{}: nobody was evicted", self.label);
            }
        }
        let mut changed = Changed {
            wrote: true,
            ..Changed::default()
        };
        for (state, dead) in choices {
            let touched = [&dead[..], &[handle.name]].concat();
            self.push(state, &touched);
            changed.dead = dead;
        }
        handle.written = self.history.position();
        changed
    }

    /// Whether the database shows none of these sessions; also true when the
    /// power is off and it shows nothing at all.
    fn may_be_dead(&self, names: &[Name]) -> bool {
        let view = self
            .database()
            .with_durability(self.config.durability(false));
        let shows = |name: &Name| matches!(view.inspect(&self.ids[name.0].digest()), Ok(Some(_)));
        !names.iter().any(shows)
    }

    /// What an immediate handle has answered is on disk, and so is what the
    /// answer depends on.
    pub(crate) fn acknowledge(&mut self, handle: &Handle, changed: Changed, answer: &Answer) {
        let independent = [
            Failure::InvalidKey.into(),
            Failure::InvalidOwner.into(),
            Failure::TooLarge.into(),
        ];
        if !handle.immediate {
            return;
        }
        if changed.wrote {
            self.history.settle_all();
            self.buried.extend(changed.dead);
        } else if matches!(handle.life, Life::Bound { .. }) && !independent.contains(answer) {
            self.history.settle_name(handle.name);
        }
    }
}
