//! All that a database holds, and what its operations make of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::session::Session;
use super::terms::Terms;
use super::time::Time;

/// A session ID, by when it was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(pub(crate) usize);

/// All sessions that were not removed, among them those whose time is over.
pub(crate) type Sessions = BTreeMap<Name, Arc<Session>>;

/// How long the ID of a session that was removed is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retired {
    pub(crate) at_least: Time,
    /// Once a checkpoint has written it.
    pub(crate) at_most: Time,
    /// The position of the change that removed the session.
    pub(crate) position: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) sessions: Sessions,
    pub(crate) retired: BTreeMap<Name, Retired>,
}

/// When something is done, and under which terms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Time,
    pub(crate) terms: Terms,
    /// The position of the change that it makes.
    pub(crate) position: u64,
}

impl Moment {
    pub(crate) fn sees(&self, session: &Session) -> bool {
        !self.terms.is_over(session, self.now)
    }
}

impl State {
    /// The session, if its time is not over.
    pub(crate) fn living(&self, name: Name, moment: &Moment) -> Option<&Arc<Session>> {
        self.sessions
            .get(&name)
            .filter(|session| moment.sees(session))
    }

    /// All sessions whose time is not over.
    pub(crate) fn all_living(
        &self,
        moment: &Moment,
    ) -> impl Iterator<Item = (Name, &Arc<Session>)> {
        let sessions = self.sessions.iter().map(|(name, session)| (*name, session));
        let moment = *moment;
        sessions.filter(move |(_, session)| moment.sees(session))
    }

    /// The others.
    pub(crate) fn all_over(&self, moment: &Moment) -> impl Iterator<Item = (Name, &Arc<Session>)> {
        let sessions = self.sessions.iter().map(|(name, session)| (*name, session));
        let moment = *moment;
        sessions.filter(move |(_, session)| !moment.sees(session))
    }

    /// The sessions of an owner, also those whose time is over.
    pub(crate) fn members(&self, owner: &str) -> Vec<Name> {
        let sessions = self.sessions.iter();
        let members = sessions.filter(|(_, session)| session.owner.as_deref() == Some(owner));
        members.map(|(name, _)| *name).collect()
    }

    /// The living ones.
    pub(crate) fn living_members(&self, owner: &str, moment: &Moment) -> Vec<Name> {
        let mut members = self.members(owner);
        members.retain(|name| self.living(*name, moment).is_some());
        members
    }

    /// Removes a session, and remembers its ID.
    pub(crate) fn end(&mut self, name: Name, moment: &Moment) {
        let Some(session) = self.sessions.remove(&name) else {
            return;
        };
        let terms = &moment.terms;
        // One whose time was over has been dead since then.
        let died = terms.expires_at(&session).unwrap_or(moment.now);
        let retired = Retired {
            at_least: died.min(moment.now).plus(terms.period()),
            at_most: self.at_most(name, moment),
            position: moment.position,
        };
        self.retired.insert(name, retired);
    }

    /// Until when an ID that dies now is remembered at most: the clock may have
    /// gone back since it was that of another session, which died later.
    fn at_most(&self, name: Name, moment: &Moment) -> Time {
        let end = moment.now.plus(moment.terms.longest_period());
        let before = self.retired.get(&name);
        before.map_or(end, |before| end.max(before.at_most))
    }

    /// Removes a session if there is one, of which nobody knows whether it was
    /// removed before.
    pub(crate) fn may_end(&mut self, name: Name, moment: &Moment) {
        if self.sessions.contains_key(&name) {
            return;
        }
        let ended = Retired {
            at_least: Time::default(),
            at_most: self.at_most(name, moment),
            position: moment.position,
        };
        self.retired.insert(name, ended);
    }

    pub(crate) fn end_all(&mut self, names: &[Name], moment: &Moment) {
        for name in names {
            self.end(*name, moment);
        }
    }

    /// The sessions that an owner has too many, besides the one that has just
    /// come: more than one choice where several were seen last at the same
    /// time.
    pub(crate) fn too_many(&self, owner: &str, newest: Name, moment: &Moment) -> Vec<Vec<Name>> {
        let mut others = self.living_members(owner, moment);
        others.retain(|name| *name != newest);
        let kept = moment.terms.cap.map(|cap| cap.saturating_sub(1));
        let excess = kept.map_or(0, |kept| others.len().saturating_sub(kept));
        if excess == 0 {
            return vec![Vec::new()];
        }
        let seen = |name: &Name| self.sessions[name].last_seen;
        others.sort_by_key(seen);
        let edge = seen(&others[excess - 1]);
        let certain = others.iter().filter(|name| seen(name) < edge);
        let certain: Vec<Name> = certain.copied().collect();
        let tied: Vec<Name> = others
            .into_iter()
            .filter(|name| seen(name) == edge)
            .collect();
        let choices = choices(&tied, excess - certain.len());
        let with_certain = |choice: Vec<Name>| [certain.clone(), choice].concat();
        choices.into_iter().map(with_certain).collect()
    }
}

/// All ways to choose so many.
fn choices(from: &[Name], count: usize) -> Vec<Vec<Name>> {
    let Some((first, rest)) = from.split_first().filter(|_| count > 0) else {
        return if count == 0 {
            vec![Vec::new()]
        } else {
            Vec::new()
        };
    };
    let with_first = choices(rest, count - 1).into_iter().map(|mut choice| {
        choice.push(*first);
        choice
    });
    with_first.chain(choices(rest, count)).collect()
}
