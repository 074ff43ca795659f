//! Who does the operations: one thread of a child, with its sessions.

use sessiondb::{Database, Error, Session};

use crate::operation::{Operation, SLOTS, key, owner, shared_key, value};

pub(crate) struct Worker {
    database: Database,
    pub(crate) number: usize,
    pool: Session,
    slots: Vec<Session>,
}

impl Worker {
    /// One that goes on with these sessions; `-` is a new one.
    pub(crate) fn new(
        database: &Database,
        number: usize,
        pool_token: &str,
        tokens: &[String],
    ) -> Self {
        let open = |token: &str| {
            let found = database.open_token(token).expect("it can be looked up");
            found.unwrap_or_else(|| panic!("session {token} is missing"))
        };
        assert_eq!(tokens.len(), SLOTS, "one session for each slot");
        let slots = tokens.iter().map(|token| {
            if token == "-" {
                database.create_session()
            } else {
                open(token)
            }
        });
        Self {
            database: database.clone(),
            number,
            pool: open(pool_token),
            slots: slots.collect(),
        }
    }

    /// The token of a slot's session.
    pub(crate) fn token(&self, slot: usize) -> String {
        self.slots[slot].id().to_string()
    }

    /// Logs all sessions of the thread's out and says the tokens of all slots.
    fn revoke(&mut self) -> Result<String, Error> {
        self.database.revoke_owner(&owner(self.number))?;
        for session in &mut self.slots {
            // From here on it is done, whether the database is closed or not.
            if let Err(Error::SessionGone) = session.len() {
                *session = self.database.create_session();
            }
        }
        let tokens = self.slots.iter().map(|session| session.id().to_string());
        Ok(tokens.collect::<Vec<_>>().join(","))
    }

    /// Does it and says what came of it: a value's stamp and length, a new
    /// token, or nothing.
    pub(crate) fn perform(
        &mut self,
        slot: usize,
        what: Operation,
        stamp: &str,
    ) -> Result<String, Error> {
        if what == Operation::RevokeOwner {
            return self.revoke();
        }
        let session = &mut self.slots[slot];
        let nothing = "-".to_owned();
        match what {
            Operation::Set(number, length) => {
                session.set(&key(number), &value(stamp, length))?;
            }
            Operation::Exchange(first, second, removed) => session.transaction(|tx| {
                tx.set(&key(first), &value(stamp, 1))?;
                tx.set(&key(second), &value(stamp, 2))?;
                tx.discard(&key(removed)).map(drop)
            })?,
            Operation::Pop(number) => {
                let popped: Option<String> = session.pop(&key(number))?;
                return Ok(popped.unwrap_or(nothing));
            }
            Operation::Delete(number) => match session.delete(&key(number)) {
                Err(Error::KeyNotFound { .. }) => return Ok("missing".to_owned()),
                deleted => deleted?,
            },
            Operation::RemovePrefix(digit) => session.remove_prefix(&digit.to_string())?,
            Operation::Clear => session.clear()?,
            Operation::Flush => return session.flush().map(|id| id.to_string()),
            Operation::Destroy => {
                session.destroy()?;
                *session = self.database.create_session();
                return Ok(session.id().to_string());
            }
            Operation::Own(number) => session.transaction(|tx| {
                tx.set(&key(number), &value(stamp, 1))?;
                tx.set_owner(Some(&owner(self.number)))
            })?,
            // Not an operation of one session.
            Operation::RevokeOwner => {}
            Operation::Cycle => return session.cycle_id().map(|id| id.to_string()),
            Operation::PopShared(number) => {
                let popped: Option<u32> = self.pool.pop(&shared_key(number))?;
                return Ok(popped.map_or(nothing, |popped| popped.to_string()));
            }
        }
        Ok(nothing)
    }
}
