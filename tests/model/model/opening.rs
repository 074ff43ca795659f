//! Handles of sessions that are there, and of such as are not yet.

use sessiondb::{Database, SessionId};

use super::answer::{Answer, Failure};
use super::handle::{Handle, Life};
use super::lease::{Lease, Wish};
use super::operation::Whose;
use super::run::Run;
use super::session::{Keys, Session};
use super::state::Name;

impl Run {
    /// The database as a handle sees it.
    pub(crate) fn view(&self, is_immediate: bool) -> Database {
        self.database()
            .with_durability(self.config.durability(is_immediate))
    }

    pub(crate) fn create(&mut self, slot: usize, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let session = self.view(immediate).create_session();
        let name = self.name(session.id());
        self.hold(
            slot,
            Handle {
                session,
                name,
                life: Life::unborn(),
                immediate,
                written: 0,
            },
        );
    }

    /// An ID, and its name if it was ever given out.
    pub(crate) fn whose(&self, whose: Whose) -> (SessionId, Option<Name>) {
        let moment = self.moment();
        let living: Vec<Name> = self
            .history
            .now()
            .all_living(&moment)
            .map(|(name, _)| name)
            .collect();
        let name = match whose {
            Whose::Living(number) => living.get(number % living.len().max(1)).copied(),
            Whose::Anybody(number) => (!self.ids.is_empty()).then(|| Name(number % self.ids.len())),
            Whose::Nobody(_) | Whose::Nonsense => None,
        };
        if let Some(name) = name {
            return (self.ids[name.0], Some(name));
        }
        let number = match whose {
            Whose::Nobody(number) => number,
            _ => 0,
        };
        let id = SessionId::from_bytes((u128::from(number) << 17).to_be_bytes());
        let name = self.ids.iter().position(|known| *known == id);
        (id, name.map(Name))
    }

    pub(crate) fn open(&mut self, slot: usize, whose: Whose, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let database = self.view(immediate);
        let (id, name) = self.whose(whose);
        let opened = match whose {
            Whose::Nonsense => database.open_token("no token at all"),
            Whose::Nobody(_) => database.open_session(&id),
            _ => database.open_token(&id.to_string()),
        };
        let moment = self.moment();
        let name = name.filter(|_| whose != Whose::Nonsense);
        let here = name.and_then(|name| self.history.now().living(name, &moment).cloned());
        let (told, session) = match opened {
            Ok(session) => (Answer::Flag(session.is_some()), session),
            Err(error) => (error.into(), None),
        };
        if !self.agrees(&("open", name), &Answer::Flag(here.is_some()), &told) {
            return;
        }
        let Some(name) = name else { return };
        if immediate {
            self.history.settle_name(name);
        }
        if here.is_none() && self.history.now().sessions.contains_key(&name) {
            self.tally.life.sessions_over += 1;
        }
        if let Some((session, here)) = session.zip(here) {
            self.hold(
                slot,
                Handle {
                    session,
                    name,
                    life: Life::Bound { birth: here.birth },
                    immediate,
                    written: 0,
                },
            );
        }
    }

    /// Whether a handle has an ID for a session that it has not written yet:
    /// nobody else may choose that.
    fn is_promised(&self, name: Name) -> bool {
        let mut handles = self.handles.iter().flatten();
        handles.any(|handle| handle.name == name && matches!(handle.life, Life::Unborn { .. }))
    }

    pub(crate) fn choose(&mut self, slot: usize, whose: Whose, wish: Wish, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let (id, name) = self.whose(whose);
        if name.is_some_and(|name| self.is_promised(name)) {
            return;
        }
        let moment = self.moment();
        let expiry = wish.at(moment.now);
        let created = self.view(immediate).create_session_with_id(id, expiry);
        let name = name.unwrap_or_else(|| self.name(id));
        self.births += 1;
        let new = Session {
            keys: Keys::new(),
            faded: Vec::new(),
            created: moment.now,
            last_seen: moment.now,
            lease: Lease::from(expiry),
            owner: None,
            birth: self.births,
        };
        let is_over = !moment.sees(&new);
        let (told, session) = match created {
            Ok(session) => (Answer::Done, Some(session)),
            Err(error) => (error.into(), None),
        };
        let (exists, gone) = (Failure::SessionExists.into(), Failure::SessionGone.into());
        let state = self.history.now();
        let expected = if state.living(name, &moment).is_some() {
            exists
        } else if is_over || state.sessions.contains_key(&name) {
            gone
        } else {
            match self.history.retires(name, moment) {
                Some(true) => gone,
                None if told == gone => gone,
                Some(false) | None => Answer::Done,
            }
        };
        let agreed = self.agrees(&("choose", name, expiry), &expected, &told);
        if expected != Answer::Done {
            self.tally.life.refused += u64::from(agreed);
            if agreed && immediate {
                self.history.settle_name(name);
            }
            return;
        }
        let life = Life::Bound { birth: new.birth };
        let mut state = state.clone();
        let again = state.retired.contains_key(&name);
        state.sessions.insert(name, new.into());
        self.buried.remove(&name);
        self.push(state, &[name]);
        if !agreed {
            return;
        }
        self.tally.life.chosen += 1;
        self.tally.life.chosen_again += u64::from(again);
        if immediate {
            self.history.settle_all();
        }
        if let Some(session) = session {
            let written = self.history.position();
            self.hold(
                slot,
                Handle {
                    session,
                    name,
                    life,
                    immediate,
                    written,
                },
            );
        }
    }
}
