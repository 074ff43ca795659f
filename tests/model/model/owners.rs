//! Logging out from outside: a session, or all of an owner.

use std::sync::Arc;

use super::answer::{Answer, Failure, answer};
use super::found::Info;
use super::operation::{Owner, Whose};
use super::run::Run;
use super::session::Session;
use super::state::Name;
use super::step::is_owner;

impl Run {
    pub(crate) fn revoke(&mut self, whose: Whose, by_digest: bool, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let (id, name) = self.whose(whose);
        let moment = self.moment();
        let living = name.filter(|name| self.history.now().living(*name, &moment).is_some());
        let view = self.view(immediate);
        let result = if by_digest {
            view.revoke(id.digest())
        } else {
            view.revoke(id)
        };
        let told = answer(result, Answer::Flag);
        let agreed = self.agrees(&("revoke", name), &Answer::Flag(living.is_some()), &told);
        match (living, name) {
            (Some(living), _) => self.log_out(vec![living], &[], agreed && immediate),
            (None, Some(name)) if agreed && immediate => self.history.settle_name(name),
            (None, _) => {}
        }
        self.tally.life.revoked += u64::from(agreed && living.is_some());
    }

    pub(crate) fn revoke_owner(&mut self, owner: Owner, except: Option<Whose>, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let view = self.view(immediate);
        let except = except.map(|whose| self.whose(whose));
        let result = match &except {
            Some((id, _)) => view.revoke_owner_except(&owner.name(), id),
            None => view.revoke_owner(&owner.name()),
        };
        // What is over of the owner's goes too, though it does not count.
        let (moment, state) = (self.moment(), self.history.now());
        let mut doomed = state.members(&owner.name());
        doomed.retain(|name| except.is_none_or(|(_, except)| except != Some(*name)));
        let is_owned = |session: &Arc<Session>| session.owner.as_deref() == Some(&*owner.name());
        let doubtful = self.history.doubtful.iter();
        let doubtful = doubtful.filter(|(_, versions)| versions.iter().any(is_owned));
        let doubtful: Vec<Name> = doubtful.map(|(name, _)| *name).collect();
        let living = doomed
            .iter()
            .filter(|name| state.living(**name, &moment).is_some());
        let count = living.count();
        let expected = if is_owner(&owner.name()) {
            Answer::Count(count)
        } else {
            Failure::InvalidOwner.into()
        };
        let told = answer(result, |count| {
            Answer::Count(usize::try_from(count).unwrap_or(usize::MAX))
        });
        let agreed = self.agrees(&("revoke", owner, except), &expected, &told);
        if !doomed.is_empty() || !doubtful.is_empty() {
            self.log_out(doomed, &doubtful, agreed && immediate);
        }
        if agreed {
            self.tally.life.revoked += count as u64;
            self.tally.life.owners_revoked += u64::from(count > 1);
        }
    }

    /// All of these are gone in one frame.
    fn log_out(&mut self, names: Vec<Name>, doubtful: &[Name], is_settled: bool) {
        let moment = self.moment();
        let mut state = self.history.now().clone();
        state.end_all(&names, &moment);
        for name in doubtful {
            state.may_end(*name, &moment);
        }
        self.push(state, &names);
        if is_settled {
            self.history.settle_all();
            self.buried.extend(names);
        }
    }

    pub(crate) fn is_retired(&mut self, whose: Whose, by_digest: bool) {
        let (id, name) = self.whose(whose);
        let moment = self.moment();
        let view = self.database();
        let told = if by_digest {
            view.is_retired(id.digest())
        } else {
            view.is_retired(id)
        };
        let expected = name.map_or(Some(false), |name| self.history.retires(name, moment));
        let told = answer(told, Answer::Flag);
        let wanted = match (expected, &told) {
            (Some(expected), _) => Answer::Flag(expected),
            (None, Answer::Flag(told)) => Answer::Flag(*told),
            (None, _) => Answer::Done,
        };
        if !self.agrees(&("is retired", name), &wanted, &told) {
            return;
        }
        self.tally.life.retired += u64::from(expected == Some(true));
        if let Some(name) = name {
            let was_there = self.history.now().retired.contains_key(&name);
            self.tally.life.forgotten += u64::from(was_there && expected == Some(false));
            self.history.settle_name(name);
        }
    }

    pub(crate) fn inspect(&mut self, whose: Whose) {
        let (id, name) = self.whose(whose);
        let digest = id.digest();
        match self.database().inspect(&digest) {
            Ok(found) => {
                let found = found.as_ref().map(Info::from);
                let expected = name.and_then(|name| self.info(name));
                assert_eq!(found, expected, "{}: inspect {name:?}", self.label);
                if let Some(name) = name {
                    self.history.settle_name(name);
                }
            }
            Err(error) => self.expect_power_off("inspect", &error),
        }
    }
}
