//! New sessions with an owner and an expiry against new sessions without.
//!
//! Phases of the two kinds take turns in one database. Its default is no
//! expiry, so that a session without one has none at all; except for the last
//! setting, where it is the usual one, and sessions differ by their owner and
//! by whose expiry they have. What a phase leaves in memory is checkpointed
//! before the next one, and not timed; a checkpoint that comes during a phase
//! is its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use sessiondb::{Database, Durability, Expiry};

use crate::machine::processor_time;
use crate::report::{Report, Target};
use crate::samples::{Rounds, micros};
use crate::workplace::Workplace;
use crate::{Outcome, small_value};

const IDLE: Duration = Duration::from_secs(1800);
/// The default of a database.
const USUAL: Duration = Duration::from_secs(14 * 86_400);
/// Sessions that an owner gets, about.
const SESSIONS_PER_OWNER: u64 = 3;

/// Who creates, and how surely.
struct Setting {
    name: &'static str,
    writers: usize,
    durability: Durability,
    /// When a session expires that says nothing of it.
    idle_timeout: Option<Duration>,
    /// How long a phase is in a run of the usual length.
    phase: Duration,
}

const DEFERRED: Durability = Durability::Deferred {
    sync_within: Duration::from_millis(100),
};

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "durable, 1 writer",
        writers: 1,
        durability: Durability::Immediate,
        idle_timeout: None,
        phase: Duration::from_secs(1),
    },
    Setting {
        name: "durable, 8 writers",
        writers: 8,
        durability: Durability::Immediate,
        idle_timeout: None,
        phase: Duration::from_millis(1500),
    },
    // Long enough for checkpoints: these writers are as fast as these are.
    Setting {
        name: "deferred, 2 writers",
        writers: 2,
        durability: DEFERRED,
        idle_timeout: None,
        phase: Duration::from_secs(4),
    },
    Setting {
        name: "deferred, 2 writers, usual expiry",
        writers: 2,
        durability: DEFERRED,
        idle_timeout: Some(USUAL),
        phase: Duration::from_secs(4),
    },
];

impl Setting {
    fn names(&self) -> [String; 3] {
        let name = self.name;
        [
            format!("create {name}: without / with owner and expiry"),
            format!("create {name}: without"),
            format!("create {name}: with owner and expiry"),
        ]
    }
}

/// Rates of one kind, and the time that all cores together took per session.
#[derive(Default)]
struct Rates {
    sessions: Rounds,
    processor: Rounds,
}

/// The database under measurement.
struct Scene<'s> {
    database: Database,
    setting: &'s Setting,
    phase: Duration,
    created: AtomicU64,
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for setting in &SETTINGS {
        let names = setting.names();
        if report.wants_any(names.iter().map(String::as_str)) {
            measure_one(workplace, report, setting, names)?;
        }
    }
    Ok(())
}

fn measure_one(
    workplace: &Workplace,
    report: &mut Report,
    setting: &Setting,
    names: [String; 3],
) -> Outcome<()> {
    let place = workplace.place("create");
    let builder = Database::builder().idle_timeout(setting.idle_timeout);
    let database = builder.open(&place)?;
    let scene = Scene {
        database: database.with_durability(setting.durability),
        setting,
        phase: setting.phase / workplace.length.choose(3, 1, 1),
        created: AtomicU64::new(0),
    };
    let mut without = Rates::default();
    let mut with = Rates::default();
    let mut ratios = Rounds::default();
    // The rate without is taken before and after each of the others.
    let mut before = scene.phase(false, &mut without)?;
    for _ in 0..workplace.length.choose(3, 7, 11) {
        let rate = scene.phase(true, &mut with)?;
        let after = scene.phase(false, &mut without)?;
        ratios.0.push(f64::midpoint(before, after) / rate);
        before = after;
    }
    let owned = database.sessions_of("user:0")?.len();
    if owned == 0 {
        return Err("nobody owns a session".into());
    }
    drop(scene);
    database.close()?;
    drop(database);
    std::fs::remove_dir_all(&place)?;
    let [ratio, bare, full] = names;
    let (limit, spread) = (Target::AtMost(1.3), ratios.spread());
    report.add(ratio, ratios.median(), "times", limit, spread);
    for (name, rates) in [(bare, without), (full, with)] {
        let note = format!("{:.2} us of processor time each", rates.processor.median());
        let rate = rates.sessions.median();
        report.add(name, rate, "sessions/s", Target::None, note);
    }
    Ok(())
}

impl Scene<'_> {
    /// Creates sessions for as long as a phase is; tells how many a second.
    fn phase(&self, is_owned: bool, rates: &mut Rates) -> Outcome<f64> {
        self.database.checkpoint()?;
        let over = AtomicBool::new(false);
        let (start, before) = (Instant::now(), processor_time()?);
        let created: u64 = thread::scope(|scope| {
            let writers: Vec<_> = (0..self.setting.writers)
                .map(|_| scope.spawn(|| self.create(is_owned, &over)))
                .collect();
            thread::sleep(self.phase);
            over.store(true, Ordering::Relaxed);
            let created = writers.into_iter().map(ScopedJoinHandle::join);
            created
                .map(|created| created.map_err(|_| "a writer panicked")?)
                .sum::<Outcome<u64>>()
        })?;
        self.database.commit()?;
        let created = f64::from(u32::try_from(created)?);
        let rate = created / start.elapsed().as_secs_f64();
        let taken = processor_time()?.saturating_sub(before);
        rates.sessions.0.push(rate);
        rates.processor.0.push(micros(taken) / created);
        Ok(rate)
    }

    fn create(&self, is_owned: bool, over: &AtomicBool) -> Outcome<u64> {
        let value = small_value();
        let mut created = 0;
        while !over.load(Ordering::Relaxed) {
            let session = self.database.create_session();
            if is_owned {
                let number = self.created.fetch_add(1, Ordering::Relaxed);
                let owner = format!("user:{}", number / SESSIONS_PER_OWNER);
                session.set_owner(Some(&owner))?;
                session.set_expiry(Expiry::Idle(IDLE))?;
            }
            session.set("user", &value)?;
            created += 1;
        }
        Ok(created)
    }
}
