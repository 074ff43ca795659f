//! Operations on sessions.

use std::sync::Arc;

use sessiondb::{Error, SessionId, Transaction};

use super::answer::{Answer, Failure, answer, ask_session, ask_transaction};
use super::history::Name;
use super::operation::{Action, Ending, Whose};
use super::run::{Handle, Life, Run};
use super::step::{Keys, Step};

/// Why a transaction's closure ends with an error.
#[derive(Debug)]
enum Refusal {
    Chosen,
    /// A step's answer was not the expected one.
    Surprise,
    Database(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// How much a transaction may hold: what certainly fits is never refused.
#[derive(Debug, Clone, Copy)]
struct Budget {
    spent: u64,
    limit: u64,
}

impl Budget {
    fn may_refuse(self, step: &Step) -> bool {
        let weight = step.weight();
        weight > 0 && self.spent + weight > self.limit / 2
    }
}

/// One step within a transaction and what came of it.
type Answered = (Step, Answer, Answer);

/// Does one step of a transaction, to the map only when it succeeds.
fn one_step(
    transaction: &mut Transaction<'_>,
    action: &Action,
    keys: &mut Keys,
    stamp: &mut u64,
    budget: &mut Budget,
) -> Answered {
    let mut after = keys.clone();
    let step = action.resolve(keys, stamp);
    let mut expected = step.expect(&mut after);
    let actual = ask_transaction(transaction, &step);
    if actual == Failure::TooLarge.into() && budget.may_refuse(&step) {
        expected = actual.clone();
    }
    if !matches!(expected, Answer::Failure(_)) {
        *keys = after;
        budget.spent += step.weight();
    }
    (step, expected, actual)
}

impl Run {
    pub(crate) fn create(&mut self, slot: usize, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let database = self
            .database()
            .with_durability(self.config.durability(immediate));
        let session = database.create_session();
        let name = self.name(session.id());
        self.hold(
            slot,
            Handle {
                session,
                name,
                life: Life::Unborn,
                immediate,
                written: 0,
            },
        );
    }

    fn hold(&mut self, slot: usize, handle: Handle) {
        if let Some(held) = self.handles.get_mut(slot) {
            *held = Some(handle);
        }
    }

    /// The handle of a slot, out of it; a new one where it is empty.
    fn take(&mut self, slot: usize) -> Option<Handle> {
        if self.handles.get(slot)?.is_none() {
            self.create(slot, slot % 2 == 1);
        }
        self.handles.get_mut(slot)?.take()
    }

    pub(crate) fn open(&mut self, slot: usize, whose: Whose, deferred: bool) {
        let immediate = self.config.is_immediate(deferred);
        let database = self
            .database()
            .with_durability(self.config.durability(immediate));
        let living = self.history.now();
        let name = match whose {
            Whose::Living(number) => living.keys().nth(number % living.len().max(1)).copied(),
            Whose::Anybody(number) => (!self.ids.is_empty()).then(|| Name(number % self.ids.len())),
            Whose::Nobody(_) | Whose::Nonsense => None,
        };
        let opened = match (name.and_then(|name| self.ids.get(name.0)), whose) {
            (Some(id), _) => database.open_token(&id.to_string()),
            (None, Whose::Nobody(number)) => {
                let bytes = (u128::from(number) << 17).to_be_bytes();
                database.open_session(&SessionId::from_bytes(bytes))
            }
            (None, _) => database.open_token("no token at all"),
        };
        let here = name.filter(|name| self.keys_of(*name).is_some());
        let (told, session) = match opened {
            Ok(session) => (Answer::Flag(session.is_some()), session),
            Err(error) => (error.into(), None),
        };
        if !self.agrees(&("open", name), &Answer::Flag(here.is_some()), &told) {
            return;
        }
        if let Some(name) = name.filter(|_| immediate) {
            self.history.settle_name(name);
        }
        if let (Some(session), Some(name)) = (session, here) {
            self.hold(
                slot,
                Handle {
                    session,
                    name,
                    life: Life::Bound,
                    immediate,
                    written: 0,
                },
            );
        }
    }

    /// The keys that a handle sees; `None` when its session is gone.
    fn seen(&self, handle: &Handle) -> Option<Arc<Keys>> {
        match handle.life {
            Life::Unborn => Some(Arc::default()),
            Life::Bound => self.keys_of(handle.name).map(Arc::clone),
            Life::Spent => None,
        }
    }

    fn budget(&self) -> Budget {
        Budget {
            spent: 256,
            limit: self.config.journal_bytes,
        }
    }

    pub(crate) fn act(&mut self, slot: usize, action: &Action) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        let seen = self.seen(&handle);
        let mut keys = seen.as_deref().cloned().unwrap_or_default();
        let step = action.resolve(&keys, &mut self.stamp);
        let mut expected = step.expect(&mut keys);
        if seen.is_none() && expected != Failure::InvalidKey.into() {
            expected = Failure::SessionGone.into();
        }
        let actual = ask_session(&handle.session, &step);
        let before = seen.unwrap_or_default();
        if actual == Failure::TooLarge.into() && self.budget().may_refuse(&step) {
            expected = actual.clone();
        }
        if matches!(expected, Answer::Failure(_)) {
            keys = (*before).clone();
        }
        let agreed = self.agrees(&(handle.name, &step), &expected, &actual);
        let changed = keys != *before;
        if changed {
            self.write(&mut handle, keys);
        }
        if agreed {
            self.acknowledge(&handle, changed, &actual);
            self.spend(&handle, &before, &step, &actual);
        }
        self.hold(slot, handle);
    }

    pub(crate) fn transact(&mut self, slot: usize, actions: &[Action], fails: bool) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        let seen = self.seen(&handle);
        let before = seen.clone().unwrap_or_default();
        let mut keys = (*before).clone();
        let mut budget = self.budget();
        let mut last: Option<Answered> = None;
        let stamp = &mut self.stamp;
        // What was refused for its size takes the whole transaction with it.
        let mut refused = false;
        let result = handle.session.try_transaction(|tx| {
            for action in actions {
                let answered = one_step(tx, action, &mut keys, stamp, &mut budget);
                let (_, expected, actual) = last.insert(answered);
                if expected != actual {
                    return Err(Refusal::Surprise);
                }
                refused |= *actual == Failure::TooLarge.into();
            }
            if fails { Err(Refusal::Chosen) } else { Ok(()) }
        });
        let actual = match result {
            Ok(()) => Answer::Done,
            Err(Refusal::Chosen) => Failure::Refused.into(),
            Err(Refusal::Database(error)) => error.into(),
            Err(Refusal::Surprise) => {
                if let Some((step, expected, actual)) = &last {
                    self.agrees(&("in a transaction", handle.name, step), expected, actual);
                }
                self.hold(slot, handle);
                return;
            }
        };
        let full = budget.spent > budget.limit / 2 && actual == Failure::TooLarge.into();
        let expected = match (seen.is_some(), fails) {
            (false, _) => Failure::SessionGone.into(),
            (true, true) => Failure::Refused.into(),
            (true, false) if full || refused => Failure::TooLarge.into(),
            (true, false) => Answer::Done,
        };
        if expected != Answer::Done {
            keys = (*before).clone();
        }
        let agreed = self.agrees(&("a transaction", handle.name, last), &expected, &actual);
        let changed = keys != *before;
        if changed {
            self.write(&mut handle, keys);
        }
        if agreed {
            self.acknowledge(&handle, changed, &actual);
        }
        self.hold(slot, handle);
    }

    /// The session of a handle has these keys now, or will after a crash.
    fn write(&mut self, handle: &mut Handle, keys: Keys) {
        let mut sessions = self.history.now().clone();
        sessions.insert(handle.name, Arc::new(keys));
        self.push(sessions, &[handle.name]);
        handle.life = Life::Bound;
        handle.written = self.history.position();
    }

    /// What an immediate handle has answered is on disk, and so is what the
    /// answer depends on.
    fn acknowledge(&mut self, handle: &Handle, changed: bool, answer: &Answer) {
        let independent = [Failure::InvalidKey.into(), Failure::TooLarge.into()];
        if !handle.immediate || handle.life != Life::Bound || independent.contains(answer) {
            return;
        }
        if changed {
            self.history.settle_all();
        } else {
            self.history.settle_name(handle.name);
        }
    }

    /// Notes what was handed out for good.
    fn spend(&mut self, handle: &Handle, before: &Keys, step: &Step, answer: &Answer) {
        let popped = match (step, answer) {
            (Step::Pop(key, _), Answer::Value(Some(_)))
            | (Step::PopIf(key, _), Answer::Flag(true)) => before.get(key),
            _ => None,
        };
        if let Some(value) = popped.filter(|value| handle.immediate && value.is_unique()) {
            let first = self.spent.insert(value.mark());
            assert!(first, "{}: {value:?} was popped twice", self.label);
        }
    }

    pub(crate) fn end(&mut self, slot: usize, ending: Ending) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        let old = handle.name;
        let keys = self.seen(&handle).filter(|_| handle.life == Life::Bound);
        let gone = handle.life != Life::Unborn && keys.is_none();
        let result = match ending {
            Ending::Flush => handle.session.flush().map(drop),
            Ending::Cycle => handle.session.cycle_id().map(drop),
            Ending::Destroy => handle.session.destroy(),
        };
        let expected = if gone && ending == Ending::Cycle {
            Failure::SessionGone.into()
        } else {
            Answer::Done
        };
        let actual = answer(result, |()| Answer::Done);
        let agreed = self.agrees(&(ending, old, handle.life), &expected, &actual);
        let id = handle.session.id();
        if self.ids.get(old.0) != Some(&id) {
            handle.name = self.name(id);
        }
        let renewed = handle.name != old;
        if agreed && expected == Answer::Done {
            let wanted = ending != Ending::Destroy;
            assert_eq!(renewed, wanted, "{}: {ending:?} and the ID", self.label);
        }
        // A cycle that failed before it had its new ID has done nothing.
        let effective = ending != Ending::Cycle || renewed;
        if let Some(keys) = keys.filter(|_| effective) {
            let mut sessions = self.history.now().clone();
            sessions.remove(&old);
            if ending == Ending::Cycle {
                sessions.insert(handle.name, keys);
            }
            self.push(sessions, &[old, handle.name]);
            handle.written = self.history.position();
            if agreed && handle.immediate {
                self.history.settle_all();
                self.buried.insert(old);
            }
        } else if agreed && handle.immediate && handle.life == Life::Bound {
            self.history.settle_name(old);
        }
        if agreed && expected == Answer::Done {
            handle.life = match (ending, handle.life) {
                (Ending::Flush, _) => Life::Unborn,
                (Ending::Cycle, life) => life,
                (Ending::Destroy, _) => Life::Spent,
            };
        }
        self.hold(slot, handle);
    }

    pub(crate) fn commit(&mut self, slot: Option<usize>) {
        let held = slot.and_then(|slot| self.handles.get(slot)?.as_ref());
        let (result, position) = match held {
            Some(handle) => (handle.session.commit(), handle.written),
            None => (self.database().commit(), self.history.position()),
        };
        let told = answer(result, |()| Answer::Done);
        if self.agrees(&("commit", slot), &Answer::Done, &told) {
            self.history.settle(position);
        }
    }
}
