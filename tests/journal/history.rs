//! Numbered transactions, and the state after each of them.
//!
//! Every transaction is one frame of the journal and leaves a state that no
//! other one leaves, so what is found after an opening says after which
//! transaction it is, or that it is after none.

use std::collections::BTreeMap;

use sessiondb::{Database, Error, Result, Session, SessionId};

/// The keys of one session.
type Keys = BTreeMap<String, String>;
/// All sessions that exist.
pub(crate) type State = BTreeMap<[u8; 16], Keys>;

const SLOTS: usize = 3;
/// Every so many transactions one is a flush.
const FLUSH_EVERY: usize = 11;

/// What was done so far.
#[derive(Debug, Clone)]
pub(crate) struct History {
    /// The state after each transaction; the first is the empty one.
    pub(crate) states: Vec<State>,
    /// Every ID there ever was.
    ids: Vec<SessionId>,
    /// The IDs in use.
    slots: Vec<SessionId>,
    /// Counts openings: what is written again after a cut is not the same.
    era: usize,
}

/// Carries a history on in a database.
pub(crate) struct Writer {
    sessions: Vec<Session>,
    pub(crate) history: History,
}

impl History {
    /// Of how many transactions.
    pub(crate) fn len(&self) -> usize {
        self.states.len() - 1
    }

    /// What the database holds of all sessions there ever were.
    pub(crate) fn read(&self, database: &Database) -> Result<State> {
        let mut state = State::new();
        for id in &self.ids {
            if let Some(session) = database.open_session(id)? {
                state.insert(id.to_bytes(), session.to_map()?);
            }
        }
        Ok(state)
    }

    /// After which transaction the database is. Panics where it is after none.
    pub(crate) fn place(&self, database: &Database, context: &str) -> usize {
        let state = self
            .read(database)
            .unwrap_or_else(|error| panic!("{context}: an open database cannot be read: {error}"));
        let place = self.states.iter().position(|known| *known == state);
        place.unwrap_or_else(|| panic!("{context}: no transaction left this state: {state:?}"))
    }

    /// Forgets what did not survive.
    pub(crate) fn truncate(&mut self, place: usize) {
        self.states.truncate(place + 1);
        let last = &self.states[place];
        let alive = |id: &SessionId| last.contains_key(&id.to_bytes());
        let mut slots = self.ids.iter().copied().filter(alive);
        self.slots = slots.by_ref().take(SLOTS).collect();
    }
}

impl Writer {
    /// A history that begins.
    pub(crate) fn new(database: &Database) -> Self {
        let sessions: Vec<Session> = (0..SLOTS).map(|_| database.create_session()).collect();
        let ids: Vec<SessionId> = sessions.iter().map(Session::id).collect();
        let history = History {
            states: vec![State::new()],
            slots: ids.clone(),
            ids,
            era: 0,
        };
        Self { sessions, history }
    }

    /// A history that goes on after an opening.
    pub(crate) fn resume(database: &Database, mut history: History) -> Self {
        let mut sessions: Vec<Session> = Vec::new();
        for id in &history.slots {
            sessions.extend(database.open_session(id).unwrap());
        }
        while sessions.len() < SLOTS {
            sessions.push(database.create_session());
        }
        history.era += 1;
        history.slots = sessions.iter().map(Session::id).collect();
        let known = history.ids.clone();
        let slots = history.slots.clone();
        let fresh = slots.into_iter().filter(|id| !known.contains(id));
        history.ids.extend(fresh);
        Self { sessions, history }
    }

    /// The next transaction: sets a counter and a value derived from it, or
    /// flushes. `padding` makes its frame longer.
    ///
    /// The state after it is remembered also when it fails: it may have
    /// happened.
    pub(crate) fn step(&mut self, padding: usize) -> Result<()> {
        let number = self.history.len() + 1;
        let slot = number % SLOTS;
        let mut state = self.history.states[number - 1].clone();
        let session = &mut self.sessions[slot];
        let before = session.id().to_bytes();
        let written = state.contains_key(&before);
        let outcome = if number.is_multiple_of(FLUSH_EVERY) && written {
            state.remove(&before);
            session.flush().map(|id| {
                self.history.ids.push(id);
                self.history.slots[slot] = id;
            })
        } else {
            let keys = state.entry(before).or_default();
            let changes = Changes::of(number, self.history.era, padding);
            changes.apply(keys);
            session.transaction(|tx| {
                for (key, value) in &changes.set {
                    tx.set(key, value)?;
                }
                for key in &changes.removed {
                    tx.discard(key)?;
                }
                Ok(())
            })
        };
        self.history.states.push(state);
        outcome
    }

    /// Many of them, all of which succeed.
    pub(crate) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step(0).unwrap();
        }
    }
}

struct Changes {
    set: Vec<(&'static str, String)>,
    removed: Vec<&'static str>,
}

impl Changes {
    fn of(number: usize, era: usize, padding: usize) -> Self {
        let mut set = vec![
            ("counter", number.to_string()),
            ("value", derived(number, era)),
        ];
        let mut removed = Vec::new();
        if number.is_multiple_of(4) {
            removed.push("extra");
        } else {
            set.push(("extra", "x".repeat(number % 7)));
        }
        if padding > 0 {
            set.push(("padding", "p".repeat(padding)));
        } else {
            removed.push("padding");
        }
        Self { set, removed }
    }

    fn apply(&self, keys: &mut Keys) {
        for (key, value) in &self.set {
            keys.insert((*key).to_owned(), value.clone());
        }
        for key in &self.removed {
            keys.remove(*key);
        }
    }
}

fn derived(number: usize, era: usize) -> String {
    let mixed = (number as u64 + ((era as u64) << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}")
}

/// A refusal that says what is wrong with which file.
pub(crate) fn is_clear_refusal(error: &Error) -> bool {
    match error {
        Error::Corrupted { path, reason, .. } => {
            path.starts_with("/simulated/journal") && !reason.is_empty()
        }
        Error::Version { path, .. } => path.starts_with("/simulated/journal"),
        _ => false,
    }
}
