//! What every engine has to agree on before anything is timed, so that nobody
//! wins by doing less: the same random operations on all of them, compared with
//! a model in plain maps; pops by many at once, of which each key has one
//! winner; sessions that expire; and all of it again after a reopening. Engines
//! that do less than they say have to be found out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::Outcome;
use crate::engine::{Engine, Entry, Id, Setup};
use crate::liar::{self, LIES};
use crate::population::{entries, key, value};
use crate::run::Run;

/// For all engines together.
const PERIOD: Duration = Duration::from_secs(1);
/// However slow the disk is.
const LEAST_OPERATIONS: usize = 200;
const SESSIONS: usize = 8;
const KEYS: usize = 12;
const CACHE_BYTES: u64 = 16 << 20;
const CALLERS: usize = 4;
/// How long a session lives that is to be seen expired.
const SHORT: Duration = Duration::from_millis(100);

/// Engines may disagree about the very end.
const AFTER: Duration = Duration::from_millis(20);

type Session = BTreeMap<String, Vec<u8>>;

/// What an engine should hold. The sessions of it that are gone stay known.
#[derive(Default)]
struct Model {
    living: BTreeMap<Id, Session>,
    gone: Vec<Id>,
}

/// How the engine is opened that is looked at.
type Open<'o> = &'o dyn Fn(&Setup) -> Outcome<Box<dyn Engine>>;

pub(crate) fn check(run: &Run) -> Outcome<()> {
    let root = run.workplace.place("check");
    let period = PERIOD / u32::try_from(run.kinds.len())?.max(1);
    for kind in &run.kinds {
        let checked = check_one(&|setup| kind.open(setup), &root.join(kind.name), period);
        checked.map_err(|error| format!("{} does not do the work: {error}", kind.name))?;
    }
    let kind = run.kinds.first().ok_or("there is no engine")?;
    for lie in LIES {
        let place = root.join(format!("{lie:?}"));
        let open = |setup: &Setup| liar::open(kind, setup, lie);
        if check_one(&open, &place, Duration::ZERO).is_ok() {
            return Err(format!("an engine that lies about {lie:?} is not found out").into());
        }
    }
    std::fs::remove_dir_all(root)?;
    eprintln!("all agree with the model");
    Ok(())
}

fn check_one(open: Open<'_>, place: &Path, period: Duration) -> Outcome<()> {
    let setup = Setup::new(place.join("model"), CACHE_BYTES);
    check_work(open, &setup, period)?;
    let deferred = Setup::new(place.join("deferred"), CACHE_BYTES).deferred();
    check_work(open, &deferred, Duration::ZERO)?;
    check_expiry(open, place.join("expiry"))
}

/// The same random work, and what is there of it when it is opened again.
fn check_work(open: Open<'_>, setup: &Setup, period: Duration) -> Outcome<()> {
    let engine = open(setup)?;
    let mut random = Rng::with_seed(7);
    let mut model = Model::default();
    let start = Instant::now();
    let mut operations = 0;
    while operations < LEAST_OPERATIONS || start.elapsed() < period {
        model.operate(&*engine, &mut random)?;
        operations += 1;
    }
    model.compare(&*engine)?;
    check_pops(&*engine)?;
    engine.sync()?;
    engine.close()?;
    let engine = open(setup)?;
    model.compare(&*engine)?;
    engine.close()
}

impl Model {
    fn operate(&mut self, engine: &dyn Engine, random: &mut Rng) -> Outcome<()> {
        if self.living.len() < SESSIONS {
            // A session that was never written to is none yet.
            let count = random.usize(1..=KEYS);
            let entries = entries(0..count, random);
            let ids = engine.create(std::slice::from_ref(&entries))?;
            let id = *ids.first().ok_or("no session was made")?;
            self.living.insert(id, entries.into_iter().collect());
            return Ok(());
        }
        let place = random.usize(..self.living.len());
        let id = *self.living.keys().nth(place).ok_or("there is no session")?;
        let session = self.living.get_mut(&id).ok_or("there is no session")?;
        let key = key(random.usize(..KEYS));
        match random.u32(..20) {
            0 => {
                let new = engine.flush(&id)?.ok_or("nothing was flushed")?;
                if new == id || self.living.contains_key(&new) {
                    return Err("a flush gave no new ID".into());
                }
                self.living.remove(&id);
                self.gone.push(id);
            }
            1..5 => {
                let popped = engine.pop(&id, &key)?;
                agree("pop", &popped, &session.remove(&key))?;
            }
            5..9 => {
                let changes =
                    [key, self::key(random.usize(..KEYS))].map(|key| (key, value(random)));
                let mut shown = Session::new();
                let is_there = engine.request(&id, &changes, &mut |key, value| {
                    shown.insert(key.into(), value.into());
                })?;
                agree("a request", &is_there, &true)?;
                agree("what a request loads", &shown, session)?;
                session.extend(changes);
            }
            9..13 => {
                let mut found = None;
                let is_there = engine.get(&id, &key, &mut |value| found = Some(value.to_vec()))?;
                agree("get", &is_there, &found.is_some())?;
                agree("get", &found.as_ref(), &session.get(&key))?;
            }
            13..15 => self.compare_gone(engine, random)?,
            _ => {
                let value = value(random);
                agree("set", &engine.set(&id, &key, &value)?, &true)?;
                session.insert(key, value);
            }
        }
        Ok(())
    }

    /// Nothing brings a session back that is gone.
    fn compare_gone(&self, engine: &dyn Engine, random: &mut Rng) -> Outcome<()> {
        let nobody = [0x5a; 16];
        let id = random.choice(&self.gone).unwrap_or(&nobody);
        let change: Entry = (key(0), value(random));
        let nothing = &mut |_: &str, _: &[u8]| {};
        agree(
            "set of a session that is gone",
            &engine.set(id, &change.0, &change.1)?,
            &false,
        )?;
        agree(
            "pop of a session that is gone",
            &engine.pop(id, &change.0)?,
            &None,
        )?;
        agree(
            "request of a session that is gone",
            &engine.request(id, &[change], nothing)?,
            &false,
        )?;
        agree(
            "get of a session that is gone",
            &engine.get(id, &key(0), &mut |_| {})?,
            &false,
        )?;
        agree(
            "load of a session that is gone",
            &engine.load(id, nothing)?,
            &false,
        )?;
        agree("flush of a session that is gone", &engine.flush(id)?, &None)
    }

    fn compare(&self, engine: &dyn Engine) -> Outcome<()> {
        for (id, session) in &self.living {
            let mut loaded: Vec<Entry> = Vec::new();
            let is_there = engine.load(id, &mut |key, value| {
                loaded.push((key.into(), value.into()));
            })?;
            agree("load", &is_there, &true)?;
            let expected: Vec<Entry> = session.clone().into_iter().collect();
            agree("load", &loaded, &expected)?;
        }
        let mut random = Rng::with_seed(8);
        self.compare_gone(engine, &mut random)
    }
}

/// Many callers want the same keys: each key goes to one of them.
fn check_pops(engine: &dyn Engine) -> Outcome<()> {
    let mut random = Rng::with_seed(9);
    let ids = engine.create(&[entries(0..KEYS, &mut random)])?;
    let id = ids.first().ok_or("no session was made")?;
    let popped = AtomicUsize::new(0);
    thread::scope(|scope| -> Outcome<()> {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| -> Outcome<()> {
                    for number in 0..KEYS {
                        if engine.pop(id, &key(number))?.is_some() {
                            popped.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Ok(())
    })?;
    agree("the number of pops", &popped.into_inner(), &KEYS)?;
    agree("an empty session", &engine.load(id, &mut |_, _| {})?, &true)
}

/// A session is over when its time is, swept or not.
fn check_expiry(open: Open<'_>, directory: PathBuf) -> Outcome<()> {
    let engine = open(&Setup {
        idle_timeout: SHORT,
        ..Setup::new(directory, CACHE_BYTES)
    })?;
    let mut random = Rng::with_seed(11);
    let ids = engine.create(&[entries(0..KEYS, &mut random)])?;
    let id = *ids.first().ok_or("no session was made")?;
    let model = Model {
        living: BTreeMap::new(),
        gone: vec![id],
    };
    thread::sleep(SHORT + AFTER);
    model.compare_gone(&*engine, &mut random)?;
    engine.close()
}

fn agree<T: PartialEq>(what: &str, engine: &T, model: &T) -> Outcome<()> {
    if engine == model {
        return Ok(());
    }
    Err(format!("{what} differs from the model").into())
}
