//! The sessions of one thread, as they should be after some of its operations.

use std::collections::BTreeMap;

use sessiondb::{Database, SessionId};

use crate::contents::{contents, difference};
use crate::operation::{Keys, Operation, SLOTS, owner};
use crate::slot::Slot;

/// One operation of a thread, and where in the recording it stands.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) stamp: String,
    pub(crate) slot: usize,
    pub(crate) token: String,
    pub(crate) operation: Operation,
    /// What it said, unless the process ended before.
    pub(crate) result: Option<String>,
    pub(crate) begun: usize,
    pub(crate) durable: Option<usize>,
}

/// What is found under tokens; looked up once.
pub(crate) type Readings = BTreeMap<String, Option<Keys>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    thread: usize,
    slots: Vec<Slot>,
    /// Tokens of sessions that were ended.
    dead: Vec<String>,
}

impl Account {
    pub(crate) fn new(thread: usize) -> Self {
        Self {
            thread,
            slots: vec![Slot::default(); SLOTS],
            dead: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, step: &Step) {
        let result = step.result.clone();
        let slot = &mut self.slots[step.slot];
        if slot.keys.is_none() {
            slot.token.clone_from(&step.token);
        }
        assert_eq!(slot.token, step.token, "another session: {step:?}");
        match step.operation {
            Operation::RevokeOwner => return self.revoke(result.as_deref()),
            Operation::Flush | Operation::Destroy | Operation::Cycle => {
                let token = std::mem::replace(&mut slot.token, result.unwrap_or_default());
                if slot.keys.is_some() {
                    self.dead.push(token);
                }
            }
            _ => {}
        }
        let after = step.operation;
        slot.keys = after.after(slot.keys.take(), &step.stamp, self.thread);
    }

    fn revoke(&mut self, tokens: Option<&str>) {
        let tokens = tokens.unwrap_or(",,,").split(',').map(str::to_owned);
        for (slot, token) in self.slots.iter_mut().zip(tokens) {
            if slot.is_owned() {
                slot.keys = None;
                self.dead.push(std::mem::replace(&mut slot.token, token));
            }
        }
    }

    /// The token of each slot, for the next child.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = String> {
        self.slots.iter().map(|slot| match &slot.keys {
            Some(_) => slot.token.clone(),
            None => "-".to_owned(),
        })
    }

    /// How many sessions there are.
    pub(crate) fn living(&self) -> u64 {
        let living = self.slots.iter().filter(|slot| slot.keys.is_some());
        living.count() as u64
    }

    /// Whether this is what the database holds; otherwise what is not.
    pub(crate) fn find(&self, database: &Database, readings: &mut Readings) -> Result<(), String> {
        for (number, slot) in self.slots.iter().enumerate() {
            if slot.token.is_empty() {
                continue;
            }
            let found = readings.entry(slot.token.clone()).or_insert_with(|| {
                let session = database.open_token(&slot.token).expect("a lookup");
                session.as_ref().map(contents)
            });
            if *found != slot.keys {
                let difference = difference(slot.keys.as_ref(), found.as_ref());
                return Err(format!("slot {number}: {difference}"));
            }
        }
        for token in &self.dead {
            if database.open_token(token).expect("a lookup").is_some() {
                return Err(format!("the ended session {token} is alive"));
            }
            let id: SessionId = token.parse().expect("a token");
            if !database.is_retired(id).expect("a lookup") {
                return Err(format!("the ID of the ended session {token} is forgotten"));
            }
        }
        let owned = self.slots.iter().filter(|slot| slot.is_owned()).count();
        let listed = database.sessions_of(&owner(self.thread)).expect("a list");
        if listed.len() == owned {
            Ok(())
        } else {
            Err(format!("{} sessions of {owned} are listed", listed.len()))
        }
    }
}
