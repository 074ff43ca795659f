//! Lists of sessions.

use sessiondb::{Error, SessionInfo};

use super::answer::{Answer, Failure, answer};
use super::found::Info;
use super::operation::Owner;
use super::run::Run;
use super::state::Name;
use super::step::is_owner;

impl Run {
    /// Of an owner, or of all, in the order that is promised.
    pub(crate) fn list(&mut self, owner: Option<Owner>) {
        let listed: Result<Vec<SessionInfo>, Error> = match owner {
            Some(owner) => self.database().sessions_of(&owner.name()),
            None => self.database().sessions().collect(),
        };
        let is_possible = owner.is_none_or(|owner| is_owner(&owner.name()));
        let expected = if is_possible {
            Answer::Done
        } else {
            Failure::InvalidOwner.into()
        };
        let mut found = Vec::new();
        let told = answer(listed, |list| {
            found = list.iter().map(Info::from).collect();
            Answer::Done
        });
        if !self.agrees(&("list", owner), &expected, &told) || !is_possible {
            return;
        }
        let names = self.listed(owner);
        let in_order = match owner {
            Some(_) => found.is_sorted_by(|one, next| one.last_seen >= next.last_seen),
            None => found.is_sorted_by_key(|info| info.digest.to_bytes()),
        };
        assert!(in_order, "{}: out of order: {found:?}", self.label);
        let mut expected: Vec<Info> = names.iter().filter_map(|name| self.info(*name)).collect();
        expected.sort_by_key(|info| info.digest.to_bytes());
        found.sort_by_key(|info| info.digest.to_bytes());
        assert_eq!(found, expected, "{}: the list of {owner:?}", self.label);
        for name in names {
            self.history.settle_name(name);
        }
    }

    fn listed(&self, owner: Option<Owner>) -> Vec<Name> {
        let moment = self.moment();
        let state = self.history.now();
        match owner {
            Some(owner) => state.living_members(&owner.name(), &moment),
            None => state.all_living(&moment).map(|(name, _)| name).collect(),
        }
    }

    /// What has to be told of a session.
    pub(crate) fn info(&self, name: Name) -> Option<Info> {
        let moment = self.moment();
        let session = self.history.now().living(name, &moment)?;
        Some(Info::of(session, &self.ids[name.0], &moment.terms))
    }
}
