//! A session that is written to while the database is at something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::lease::Lease;
use super::run::Run;
use super::session::{Held, Keys, Session};
use super::state::Name;
use super::value::{Kind, Value};

/// So many writes at most.
const WRITES: usize = 4;

/// The session; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    session: Arc<sessiondb::Session>,
    name: Name,
    values: Vec<Value>,
    written: Arc<AtomicUsize>,
}

fn key(number: usize) -> String {
    format!("beside {number}")
}

impl Beside {
    /// Writes one more value and waits until it is on disk.
    pub(crate) fn write(&self) {
        let number = self.written();
        if let Some(value) = self.values.get(number) {
            let written = self.session.set(&key(number), value);
            written.expect("a write beside something else");
            self.written.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many writes were acknowledged.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }
}

impl Run {
    pub(crate) fn begin_beside(&mut self) -> Beside {
        let session = self.view(true).create_session();
        let name = self.name(session.id());
        let values = (1..=WRITES).map(|number| {
            self.stamp += 1;
            Value::stamped(Kind::Text, 1500 * number, self.stamp)
        });
        Beside {
            session: Arc::new(session),
            values: values.collect(),
            name,
            written: Arc::default(),
        }
    }

    /// Takes in what was written. The position before the first of it.
    pub(crate) fn end_beside(&mut self, beside: &Beside) -> u64 {
        let first = self.history.position();
        let now = self.now();
        self.births += 1;
        let mut keys = Keys::new();
        for (number, value) in beside.values.iter().take(beside.written()).enumerate() {
            let value = value.clone();
            let deadline = None;
            keys.insert(key(number), Held { value, deadline });
            let session = Session {
                keys: keys.clone(),
                faded: Vec::new(),
                created: now,
                last_seen: now,
                lease: Lease::Default,
                owner: None,
                birth: self.births,
            };
            let mut state = self.history.now().clone();
            state.sessions.insert(beside.name, Arc::new(session));
            self.push(state, &[beside.name]);
        }
        first
    }
}
