//! A small fixed workload, and what may be found after a part of it.

use std::collections::BTreeMap;

use sessiondb::{Database, Result, Session, SessionId};

/// What one session holds; none when it does not exist.
type Keys = Option<BTreeMap<String, u32>>;

/// Steps one after another: which were acknowledged, and what each left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workload {
    /// The state of all sessions after each change that was tried.
    states: Vec<Vec<Keys>>,
    ids: Vec<SessionId>,
    /// How many changes were acknowledged.
    acknowledged: usize,
}

const STEPS: u32 = 15;

impl Workload {
    /// Runs until a step fails. Keys are set and popped, a session is flushed,
    /// and checkpoints come in between: every kind of file is written. At the
    /// end all that was removed is erased, which copies what lives.
    pub(crate) fn run(database: &Database) -> (Self, Result<()>) {
        Self::run_while(database, || true)
    }

    /// The same, and as long as this says before each step that it goes on.
    pub(crate) fn run_while(database: &Database, goes_on: impl Fn() -> bool) -> (Self, Result<()>) {
        let mut session = database.create_session();
        let mut workload = Self {
            states: vec![vec![None]],
            ids: vec![session.id()],
            acknowledged: 0,
        };
        for step in (0..STEPS).take_while(|_| goes_on()) {
            let outcome = workload.step(database, &mut session, step);
            if outcome.is_err() {
                return (workload, outcome);
            }
            workload.acknowledged = workload.states.len() - 1;
        }
        (workload, Ok(()))
    }

    fn step(&mut self, database: &Database, session: &mut Session, step: u32) -> Result<()> {
        let mut state = self.states.last().unwrap().clone();
        let current = state.last_mut().unwrap();
        match step {
            5 | 11 => database.checkpoint(),
            14 => database.erase(),
            8 => {
                *current = None;
                state.push(None);
                self.states.push(state);
                // A flush that fails has not changed the handle.
                session.flush().map(|id| self.ids.push(id))
            }
            3 | 7 => {
                current.as_mut().unwrap().remove("counter");
                self.states.push(state);
                session.pop::<u32>("counter").map(|_| ())
            }
            _ => {
                let name = format!("key {step}");
                let keys = current.get_or_insert_default();
                keys.insert("counter".to_owned(), step);
                keys.insert(name.clone(), step);
                self.states.push(state);
                session.transaction(|tx| {
                    tx.set("counter", &step)?;
                    tx.set(&name, &step)
                })
            }
        }
    }

    /// After how many changes the database is. Panics where it is after none,
    /// or has lost an acknowledged one.
    pub(crate) fn place(&self, database: &Database, context: &str) -> usize {
        let failed = |error: sessiondb::Error| -> ! { panic!("{context}: {error}") };
        let found = self.ids.iter().map(|id| -> Keys {
            let session = database
                .open_session(id)
                .unwrap_or_else(|error| failed(error))?;
            Some(session.to_map().unwrap_or_else(|error| failed(error)))
        });
        let found: Vec<Keys> = found.collect();
        let is_found = |state: &Vec<Keys>| {
            let mut state = state.clone();
            state.resize(found.len(), None);
            state == found
        };
        let place = self.states.iter().rposition(is_found);
        let place = place.unwrap_or_else(|| panic!("{context}: no step left this: {found:?}"));
        assert!(
            place >= self.acknowledged,
            "{context}: {place} of {} acknowledged",
            self.acknowledged
        );
        place
    }
}
