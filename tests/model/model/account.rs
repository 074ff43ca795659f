//! Whether a state accounts for what a database shows.
//!
//! At an opening the clock may be behind that of the opening before, and the
//! timeouts may be longer. What was over is seen again then, unless it was
//! removed meanwhile: a session by a purge, a key by any checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::found::{Found, Info, Seen};
use super::session::{Held, Session};
use super::state::{Moment, Name, State};
use super::time::Time;

/// Sessions that may be on disk although the state does not say so: their
/// time is over, and nobody can tell whether they were removed.
pub(crate) type Doubtful = BTreeMap<Name, Vec<Arc<Session>>>;

/// From where a database is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewpoint<'v> {
    pub(crate) moment: Moment,
    /// The latest time of any earlier opening.
    pub(crate) before: Time,
    /// Whether this is the first look after an opening.
    pub(crate) is_opening: bool,
    /// All up to this position is in the segments.
    pub(crate) checkpointed: u64,
    pub(crate) doubtful: &'v Doubtful,
}

impl Viewpoint<'_> {
    /// Whether a value may be missing that was over in an earlier opening.
    fn may_have_lost(&self, held: &Held) -> bool {
        self.is_opening && held.is_over(self.before)
    }

    /// Whether an ID has to be known as dead; `None` when it may or may not.
    pub(crate) fn retires(&self, state: &State, name: Name) -> Option<bool> {
        let now = self.moment.now;
        let retired = state.retired.get(&name);
        if let Some(session) = state.sessions.get(&name) {
            if self.moment.sees(session) {
                // Its ID may have been that of another one long ago.
                return retired.is_none().then_some(false);
            }
            let terms = &self.moment.terms;
            let died = terms.expires_at(session).unwrap_or(now);
            return (now < died.plus(terms.period())).then_some(true);
        }
        if self.doubtful.contains_key(&name) {
            return None;
        }
        let Some(retired) = retired else {
            return Some(false);
        };
        if now.max(self.before) < retired.at_least {
            Some(true)
        } else if now >= retired.at_most && retired.position <= self.checkpointed {
            Some(false)
        } else {
            None
        }
    }
}

impl State {
    /// The state as it must be if the database shows this; what differs when
    /// it cannot be this one.
    pub(crate) fn account_for(
        &self,
        found: &Found,
        view: &Viewpoint<'_>,
    ) -> Result<Self, Vec<String>> {
        let mut state = self.clone();
        let mut lines = Vec::new();
        for (name, session) in self.all_living(&view.moment) {
            match found.sessions.get(&name) {
                None => lines.push(format!("{name:?} is missing")),
                Some(seen) => match matching(session, seen, view) {
                    Ok(session) => {
                        state.sessions.insert(name, Arc::new(session));
                    }
                    Err(different) => {
                        lines.extend(different.iter().map(|line| format!("{name:?} {line}")));
                    }
                },
            }
        }
        for (name, seen) in &found.sessions {
            if self.living(*name, &view.moment).is_some() {
                continue;
            }
            let versions = view.doubtful.get(name).into_iter().flatten();
            let mut versions = versions.filter(|version| view.moment.sees(version));
            let version = versions.find_map(|version| matching(version, seen, view).ok());
            match version {
                Some(session) => {
                    state.sessions.insert(*name, Arc::new(session));
                }
                None => lines.push(format!("{name:?} should not be there")),
            }
        }
        let names = self.retired.keys().chain(self.sessions.keys());
        for name in names.chain(&found.retired) {
            let told = found.retired.contains(name);
            if view.retires(&state, *name).is_some_and(|has| has != told) {
                lines.push(format!("{name:?}: is retired: {told}"));
            }
        }
        if lines.is_empty() {
            return Ok(state);
        }
        lines.truncate(12);
        Err(lines)
    }
}

/// The session as it must be if it is seen so.
fn matching(session: &Session, seen: &Seen, view: &Viewpoint<'_>) -> Result<Session, Vec<String>> {
    let now = view.moment.now;
    let mut lines = Vec::new();
    let expected = Info {
        digest: seen.info.digest,
        created: session.created,
        last_seen: session.last_seen,
        expires_at: view.moment.terms.expires_at(session),
        owner: session.owner.as_deref().map(str::to_owned),
    };
    if expected != seen.info || session.lease != seen.lease {
        let (wanted, found) = (&session.lease, &seen.lease);
        lines.push(format!(
            "{wanted:?} {expected:?}, found {found:?} {:?}",
            seen.info
        ));
    }
    let mut after = session.clone();
    for (key, held) in session.keys.iter().filter(|(_, held)| !held.is_over(now)) {
        match seen.keys.get(key) {
            Some(found) if *found == held.value => {}
            _ if view.may_have_lost(held) => {
                after.keys.remove(key);
            }
            found => lines.push(format!("{key:?}: {held:?}, found {found:?}")),
        }
    }
    for (key, found) in &seen.keys {
        if after.keys.get(key).is_some_and(|held| !held.is_over(now)) {
            continue;
        }
        let faded = |(faded, held): &&(String, Held)| {
            faded == key && held.value == *found && view.may_have_lost(held) && !held.is_over(now)
        };
        match session.faded.iter().find(faded) {
            Some((key, held)) => {
                after.keys.insert(key.clone(), held.clone());
            }
            None => lines.push(format!("{key:?}: nothing, found {found:?}")),
        }
    }
    if lines.is_empty() {
        Ok(after)
    } else {
        Err(lines)
    }
}
