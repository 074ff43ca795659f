//! A disk that is full from some step of a workload on, for each of its steps:
//! puts may be refused, removals are not, and what was refused is nowhere.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;

use sessiondb::{Crash, Database, Error, Fault, FaultEffect, IndexFate, Operation, Result};
use sessiondb::{Session, SessionId, SimulatedDisk};

use crate::support::{builder, disk, fault, open, without_hanging};

type Keys = BTreeMap<String, u32>;
/// A number, and what makes it large.
type Value = (u32, String);

/// What has to be there, and the handles.
struct Stage {
    sessions: Vec<Session>,
    /// What each session holds under its ID, and the IDs that are dead.
    model: HashMap<SessionId, Option<Keys>>,
    refused: usize,
    /// A session of small keys that are popped in between, and the next one.
    small: Session,
    next: u32,
}

/// What a step is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Set,
    SetTwo,
    Pop,
    Delete,
    RemovePrefix,
    Clear,
    Cycle,
    Flush,
    FlushWith,
    Revoke,
    Checkpoint,
}

const ACTS: [Act; 11] = [
    Act::Set,
    Act::SetTwo,
    Act::Pop,
    Act::Delete,
    Act::RemovePrefix,
    Act::Clear,
    Act::Cycle,
    Act::Flush,
    Act::FlushWith,
    Act::Revoke,
    Act::Checkpoint,
];

impl Act {
    fn removes(self) -> bool {
        use Act::{Clear, Delete, Flush, Pop, RemovePrefix, Revoke};
        matches!(self, Pop | Delete | RemovePrefix | Clear | Flush | Revoke)
    }

    /// Puts come more often.
    fn draw(random: &mut fastrand::Rng) -> Self {
        match random.u8(..10) {
            0..=4 => Self::Set,
            _ => ACTS[random.usize(..ACTS.len())],
        }
    }
}

impl Stage {
    fn new(database: &Database) -> Self {
        let small = database.create_session();
        let put =
            small.transaction(|tx| (0..2 * STEPS).try_for_each(|key| tx.set(&name(key), &key)));
        put.unwrap();
        let sessions: Vec<Session> = (0..3).map(|_| database.create_session()).collect();
        Self {
            model: sessions.iter().map(|one| (one.id(), None)).collect(),
            sessions,
            refused: 0,
            small,
            next: 0,
        }
    }

    /// Pops two keys; there is always space for that.
    fn pop_small(&mut self, context: &str) {
        for key in self.next..self.next + 2 {
            let popped = self.small.pop::<u32>(&name(key));
            assert_eq!(
                popped.unwrap_or_else(|error| panic!("{context}: {error}")),
                Some(key)
            );
        }
        self.next += 2;
    }

    /// Does a step, and notes what it has to have done.
    fn step(&mut self, database: &Database, act: Act, number: u32, context: &str) {
        let place = number as usize % self.sessions.len();
        let session = &mut self.sessions[place];
        let before = session.id();
        let mut keys = self.model.get(&before).cloned().flatten();
        let key = format!("{}/{}", number % 2, number % 5);
        let outcome = Self::act(database, session, act, &key, number, &mut keys);
        match outcome {
            Ok(()) => {
                if session.id() != before {
                    self.model.insert(before, None);
                }
                self.model.insert(session.id(), keys);
            }
            Err(Error::StorageFull { .. }) if !act.removes() => self.refused += 1,
            Err(error) => panic!("{context}, {act:?} {number}: {error}"),
        }
    }

    fn act(
        database: &Database,
        session: &mut Session,
        act: Act,
        key: &str,
        number: u32,
        keys: &mut Option<Keys>,
    ) -> Result<()> {
        let value = (number, "v".repeat(3000));
        match act {
            Act::Set => {
                session.set(key, &value)?;
                keys.get_or_insert_default().insert(key.to_owned(), number);
            }
            Act::SetTwo => {
                session.transaction(|tx| {
                    tx.discard(key)?;
                    tx.set("first", &value)?;
                    tx.set("second", &value)
                })?;
                let keys = keys.get_or_insert_default();
                keys.remove(key);
                keys.extend(["first", "second"].map(|key| (key.to_owned(), number)));
            }
            Act::Pop => {
                let found: Option<Value> = session.pop(key)?;
                let wanted = keys.as_mut().and_then(|keys| keys.remove(key));
                assert_eq!(found.map(|found| found.0), wanted);
            }
            Act::Delete => match session.delete("first") {
                Err(Error::KeyNotFound { .. }) => {
                    assert!(keys.as_ref().is_none_or(|keys| !keys.contains_key("first")));
                }
                deleted => {
                    deleted?;
                    assert!(keys.as_mut().unwrap().remove("first").is_some());
                }
            },
            Act::RemovePrefix => {
                session.remove_prefix("0/")?;
                if let Some(keys) = keys {
                    keys.retain(|key, _| !key.starts_with("0/"));
                }
            }
            Act::Clear => {
                session.clear()?;
                if let Some(keys) = keys {
                    keys.clear();
                }
            }
            Act::Cycle => drop(session.cycle_id()?),
            Act::Flush => {
                session.flush()?;
                *keys = None;
            }
            Act::FlushWith => {
                session.flush_with(|tx| tx.set("message", &value))?;
                *keys = Some([("message".to_owned(), number)].into());
            }
            Act::Revoke => {
                assert_eq!(database.revoke(session.id())?, keys.is_some());
                session.flush()?;
                *keys = None;
            }
            Act::Checkpoint => database.checkpoint()?,
        }
        Ok(())
    }

    /// The database holds this and nothing else.
    fn check(&self, database: &Database, context: &str) {
        for (id, keys) in &self.model {
            let session = database.open_session(id).unwrap();
            let found = session.map(|session| -> Keys {
                let found: BTreeMap<String, Value> = session.to_map().unwrap();
                found
                    .into_iter()
                    .map(|(key, value)| (key, value.0))
                    .collect()
            });
            assert_eq!(&found, keys, "{context}");
        }
        let small = database.open_session(&self.small.id()).unwrap().unwrap();
        let left = 2 * STEPS - self.next;
        assert_eq!(small.len().unwrap(), left as usize, "{context}");
    }
}

const STEPS: u32 = 100;

fn name(key: u32) -> String {
    format!("small/{key}")
}

/// How a run went.
struct Outcome {
    was_full: bool,
    refused: usize,
    used_reserve: bool,
}

/// Runs the workload on a disk that is full after so many operations.
fn run(after: u64, with_ballast: bool) -> Outcome {
    let context = format!("full after {after} operations, ballast: {with_ballast}");
    let disk = disk(after);
    if !with_ballast {
        disk.inject(Fault {
            kind: ErrorKind::StorageFull,
            times: u64::MAX,
            ..fault(Operation::Create, "BALLAST", FaultEffect::Refuse)
        });
    }
    let database = open(&disk).unwrap();
    let mut stage = Stage::new(&database);
    disk.fill_up_after(after);
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..STEPS {
        stage.step(&database, Act::draw(&mut random), number, &context);
        stage.pop_small(&context);
    }
    stage.check(&database, &context);
    let outcome = Outcome {
        was_full: disk.operations_until_full().is_none(),
        refused: stage.refused,
        used_reserve: disk.read_file("RESERVE").is_none(),
    };
    reopened(&disk, &stage, &context);

    // Space comes back, and nobody opens anything again.
    disk.set_capacity(None);
    for number in STEPS..STEPS + 30 {
        let before = stage.refused;
        stage.step(&database, Act::draw(&mut random), number, &context);
        assert_eq!(stage.refused, before, "{context}, with space");
    }
    database.verify().unwrap();
    stage.check(&database, &context);
    database.close().unwrap();
    let again = open(&disk).unwrap();
    stage.check(&again, &context);
    outcome
}

/// Opened on a full disk, twice, it holds the same, and takes removals.
fn reopened(disk: &SimulatedDisk, stage: &Stage, context: &str) {
    let mut killed = disk.clone();
    for fate in [IndexFate::Kept, IndexFate::Lost] {
        killed = crashed(&killed, fate);
        let context = format!("{context}, then opened with the index {fate:?}");
        let again = open(&killed).unwrap_or_else(|error| panic!("{context}: {error}"));
        stage.check(&again, &context);
    }
    let again = builder().open_on(Arc::new(crashed(&killed, IndexFate::Kept)));
    let again = again.unwrap();
    for id in stage.model.keys() {
        if let Some(mut session) = again.open_session(id).unwrap() {
            session.flush().unwrap();
            assert!(again.open_session(id).unwrap().is_none(), "{context}");
        }
    }
}

/// A copy, as after a cut of the power; the disk itself goes on.
fn crashed(disk: &SimulatedDisk, fate: IndexFate) -> SimulatedDisk {
    disk.copy(Crash::KeepNothing, fate).unwrap()
}

/// How many places there were, how many puts were refused, and how often the
/// reserve was used.
fn run_all(with_ballast: bool) -> (usize, usize, usize) {
    let mut sum = (0, 0, 0);
    let mut after = 0;
    loop {
        let outcome = run(after, with_ballast);
        if !outcome.was_full {
            println!("places, puts refused, times the reserve: {sum:?}");
            return sum;
        }
        sum.0 += 1;
        sum.1 += outcome.refused;
        sum.2 += usize::from(outcome.used_reserve);
        // All of the first ones, and then some.
        after += if after < 20 { 1 } else { 5 };
    }
}

#[test]
fn a_disk_may_be_full_from_any_step_on() {
    without_hanging(|| {
        let (places, refused, _) = run_all(true);
        assert!(places > 30 && refused > 50, "{places}, {refused}");
    });
}

#[test]
fn a_disk_without_a_ballast_may_be_full_from_any_step_on() {
    without_hanging(|| {
        let (places, refused, used_reserve) = run_all(false);
        assert!(places > 30 && refused > 500, "{places}, {refused}");
        assert!(used_reserve > 5, "{used_reserve}");
    });
}
