//! A stream of bytes as operations of a database, among them checkpoints,
//! reopening and crashes, against plain maps.
//!
//! Every write is `Immediate`, so a crash after it may not take it back.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sessiondb::{Crash, Database, Error, IndexFate, Result, Session, SessionId, SimulatedDisk};

/// How many operations of an input are run.
const MOST: usize = 300;
const SESSIONS: usize = 4;
const KEYS: [&str; 8] = [
    "a",
    "b",
    "cart/apple",
    "cart/pear",
    "flash",
    "token",
    "user",
    "ü",
];

/// What a session has to hold, and its cookie.
#[derive(Debug, Clone)]
struct Known {
    id: SessionId,
    values: BTreeMap<String, String>,
}

struct Pair {
    disk: SimulatedDisk,
    db: Database,
    known: [Option<Known>; SESSIONS],
    /// IDs that must not come back.
    gone: Vec<SessionId>,
}

/// The bytes of an input, zero beyond the end.
struct Input<'i>(&'i [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn key(&mut self) -> &'static str {
        KEYS[usize::from(self.byte()) % KEYS.len()]
    }

    /// Up to about 2,500 bytes, so that a session may need several pages.
    fn value(&mut self) -> String {
        let length = usize::from(self.byte());
        char::from(b'a' + self.byte() % 26)
            .to_string()
            .repeat(length * 10)
    }
}

fn open(disk: &SimulatedDisk) -> Database {
    Database::builder()
        .background(false)
        .journal_segment_bytes(128 << 10)
        .segment_bytes(64 << 10)
        .cache_bytes(4 << 20)
        .open_on(Arc::new(disk.clone()))
        .expect("a sound database opens")
}

impl Pair {
    fn new() -> Self {
        let disk = SimulatedDisk::new(1).expect("a temporary directory");
        Self {
            db: open(&disk),
            disk,
            known: [const { None }; SESSIONS],
            gone: Vec::new(),
        }
    }

    /// The session in a slot, a new one where there is none, and its values.
    fn session(&self, slot: usize) -> Result<(Session, BTreeMap<String, String>)> {
        match &self.known[slot] {
            Some(known) => {
                let session = self.db.open_session(&known.id)?;
                Ok((session.expect("it was written"), known.values.clone()))
            }
            None => Ok((self.db.create_session(), BTreeMap::new())),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) -> Result<()> {
        let slot = usize::from(input.byte()) % SESSIONS;
        match input.byte() % 20 {
            code @ 0..=11 => self.write(slot, code, input),
            12 => self.flush(slot),
            13 => self.cycle(slot),
            14 => self.destroy(slot),
            15 | 16 => self.db.checkpoint(),
            17 => self.reopen(),
            18 => self.crash(input.byte()),
            _ => self.compare(),
        }
    }

    /// An operation on one key or on all of them.
    fn write(&mut self, slot: usize, code: u8, input: &mut Input<'_>) -> Result<()> {
        let (session, mut values) = self.session(slot)?;
        let key = input.key();
        match code {
            0..=4 => {
                let value = input.value();
                session.set(key, &value)?;
                values.insert(key.to_owned(), value);
            }
            5 => assert_eq!(session.pop::<String>(key)?, values.remove(key)),
            6 => match (session.delete(key), values.remove(key)) {
                (Ok(()), Some(_)) | (Err(Error::KeyNotFound { .. }), None) => {}
                (outcome, held) => panic!("{outcome:?} of {held:?}"),
            },
            7 => assert_eq!(session.discard(key)?, values.remove(key).is_some()),
            8 => {
                session.clear()?;
                values.clear();
            }
            9 => {
                session.remove_prefix("cart/")?;
                values.retain(|key, _| !key.starts_with("cart/"));
            }
            10 => {
                let value = input.value();
                session.transaction(|tx| {
                    tx.clear()?;
                    tx.set(key, &value)?;
                    tx.set("user", &value)
                })?;
                values = [key, "user"]
                    .map(|key| (key.to_owned(), value.clone()))
                    .into();
            }
            _ => {
                let refused = session.transaction::<()>(|tx| {
                    tx.set(key, "never seen")?;
                    tx.clear()?;
                    Err(Error::SessionGone)
                });
                assert!(matches!(refused, Err(Error::SessionGone)));
            }
        }
        let is_born = self.known[slot].is_some() || !values.is_empty();
        self.known[slot] = is_born.then(|| Known {
            id: session.id(),
            values,
        });
        Ok(())
    }

    fn flush(&mut self, slot: usize) -> Result<()> {
        let (mut session, _) = self.session(slot)?;
        self.gone.push(session.id());
        session.flush()?;
        self.known[slot] = None;
        Ok(())
    }

    fn cycle(&mut self, slot: usize) -> Result<()> {
        let (mut session, _) = self.session(slot)?;
        self.gone.push(session.id());
        let id = session.cycle_id()?;
        if let Some(known) = &mut self.known[slot] {
            known.id = id;
        }
        Ok(())
    }

    fn destroy(&mut self, slot: usize) -> Result<()> {
        let (mut session, _) = self.session(slot)?;
        self.gone.push(session.id());
        session.destroy()?;
        self.known[slot] = None;
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        self.db.close()?;
        self.db = open(&self.disk);
        self.compare()
    }

    fn crash(&mut self, how: u8) -> Result<()> {
        let index = if how & 1 == 0 {
            IndexFate::Kept
        } else {
            IndexFate::Lost
        };
        let seed = u64::from(how);
        let crash = match how >> 1 & 3 {
            0 => Crash::KeepNothing,
            1 => Crash::KeepAll,
            2 => Crash::Random(seed),
            _ => Crash::Prefix(seed),
        };
        self.disk = self
            .disk
            .crash(crash, index)
            .expect("a temporary directory");
        self.db = open(&self.disk);
        self.compare()
    }

    fn compare(&self) -> Result<()> {
        for known in self.known.iter().flatten() {
            let session = self.db.open_session(&known.id)?.expect("it was written");
            assert_eq!(session.to_map::<String>()?, known.values);
        }
        for id in &self.gone {
            assert!(self.db.open_session(id)?.is_none(), "it was removed");
        }
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut pair = Pair::new();
    for _ in 0..MOST {
        if input.0.is_empty() {
            break;
        }
        pair.step(&mut input).expect("a sound disk refuses nothing");
    }
    pair.reopen().expect("it is compared");
    let verified = pair.db.verify().expect("it is sound");
    assert_eq!(
        verified.sessions,
        pair.known.iter().flatten().count() as u64
    );
});
