//! A flush of a session of a million keys against one of a single key.
//!
//! All that the caller pays: `flush`, and the drop of the handle; in a
//! database that was just opened `open_session` too. Large and small ones are
//! measured in turns and in the same way. What a flush lets go of is freed by
//! the next checkpoint, on a thread that nobody waits for; in this run there
//! is none before the close. What the caller frees itself is measured.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Builder, Database, Durability, Session, SessionId};

use crate::Outcome;
use crate::growth::{assert_growth_shows, settle};
use crate::machine::{forget_peak, resident};
use crate::report::{Report, Target};
use crate::samples::{Rounds, Samples, micros};
use crate::workplace::Workplace;

/// Tells the child what it is for: to see how much memory a flush takes.
pub(crate) const MEMORY: &str = "--memory-of-a-flush";
const LARGE_KEYS: usize = 1_000_000;
const KEYS_PER_TRANSACTION: usize = 10_000;
/// Small sessions flushed right before a large one, and again after it.
const SMALL: usize = 100;
/// Of these the first are not counted: they warm the code up.
const WARM_UP: usize = 30;
/// Enough for all sessions of a run, so that no checkpoint happens by itself.
const MEMTABLE_BYTES: usize = 16 << 30;

/// Where the sessions are when they are flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Memtable,
    Checkpointed,
    Cold,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Memtable => "memtable",
            Self::Checkpointed => "checkpointed",
            Self::Cold => "cold",
        }
    }
}

const DURABILITIES: [(&str, Durability); 2] = [
    ("immediate", Durability::Immediate),
    (
        "deferred",
        Durability::Deferred {
            sync_within: Duration::from_millis(100),
        },
    ),
];

/// What one flush took.
struct Taken {
    /// All of it.
    whole: Duration,
    /// Without opening the session.
    flush: Duration,
    /// By how much the resident set grew meanwhile, at its highest.
    grown: u64,
}

/// Sessions to flush, smallest possible and large.
struct Stock {
    database: Database,
    place: Place,
    small: Vec<Held>,
    large: Vec<Held>,
}

/// A session as the measurement holds it before the clock runs.
enum Held {
    Handle(Session),
    Id(SessionId),
}

/// The figures of one place and durability.
#[derive(Default)]
struct Figures {
    ratios: Rounds,
    large: Rounds,
    large_flush: Rounds,
    small: Rounds,
    small_flush: Rounds,
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    for place in [Place::Memtable, Place::Checkpointed, Place::Cold] {
        let directory = workplace.place(place.name());
        let times = DURABILITIES
            .iter()
            .flat_map(|(durability, _)| names(place, durability));
        let times: Vec<String> = times.collect();
        if report.wants_any(times.iter().map(String::as_str)) {
            let rounds = workplace.length.choose(1, 7, 15);
            measure_times(&directory, report, place, rounds)?;
        }
        let memory = format!("flush {}: memory growth", place.name());
        if report.wants(&memory) {
            let grown = growth(&directory)?;
            let note = "at its highest during the call";
            report.add(memory, grown, "MiB", Target::AtMost(1.0), note);
        }
    }
    Ok(())
}

fn measure_times(
    directory: &Path,
    report: &mut Report,
    place: Place,
    rounds: usize,
) -> Outcome<()> {
    let mut stock = Stock::new(directory, place, rounds * DURABILITIES.len())?;
    let mut figures = [Figures::default(), Figures::default()];
    for _ in 0..rounds {
        for (figures, (_, durability)) in figures.iter_mut().zip(DURABILITIES) {
            stock.turn(durability, figures)?;
        }
    }
    stock.database.close()?;
    drop(stock);
    std::fs::remove_dir_all(directory)?;
    for (figures, (durability, _)) in figures.into_iter().zip(DURABILITIES) {
        figures.add_to(report, place, durability);
    }
    Ok(())
}

fn names(place: Place, durability: &str) -> [String; 3] {
    let name = format!("flush {} {durability}", place.name());
    [
        format!("{name}: 1,000,000 keys / 1 key"),
        format!("{name}: 1,000,000 keys"),
        format!("{name}: 1 key"),
    ]
}

impl Figures {
    fn add_to(self, report: &mut Report, place: Place, durability: &str) {
        let [ratio, large, small] = names(place, durability);
        let limit = Target::AtMost(1.2);
        let spread = self.ratios.spread();
        report.add(ratio, self.ratios.median(), "times", limit, spread);
        let alone = |alone: &Rounds| match place {
            Place::Cold => format!("flush alone {:.2}", alone.median()),
            Place::Memtable | Place::Checkpointed => String::new(),
        };
        for (name, whole, flush) in [
            (large, &self.large, &self.large_flush),
            (small, &self.small, &self.small_flush),
        ] {
            report.add(name, whole.median(), "us", Target::None, alone(flush));
        }
    }
}

impl Stock {
    fn new(directory: &Path, place: Place, large: usize) -> Outcome<Self> {
        let database = builder().open(directory)?;
        let quick = database.with_durability(Durability::Deferred {
            sync_within: Duration::from_secs(1),
        });
        let mut stock = Self {
            place,
            small: Vec::new(),
            large: Vec::new(),
            database: database.clone(),
        };
        // Small ones lie between the large ones, as they do in a server.
        for _ in 0..large {
            for _ in 0..2 * SMALL {
                let session = quick.create_session();
                fill(&session, 1)?;
                stock.small.push(stock.held(&session)?);
            }
            let session = quick.create_session();
            fill(&session, LARGE_KEYS)?;
            stock.large.push(stock.held(&session)?);
        }
        database.commit()?;
        if place != Place::Memtable {
            database.checkpoint()?;
        }
        if place == Place::Cold {
            database.close()?;
            drop((quick, database));
            stock.database = builder().open(directory)?;
        }
        stock.assert_place()?;
        Ok(stock)
    }

    fn held(&self, session: &Session) -> Outcome<Held> {
        if self.place == Place::Cold {
            return Ok(Held::Id(session.id()));
        }
        let handle = self.database.open_session(&session.id())?;
        Ok(Held::Handle(handle.ok_or("a session is missing")?))
    }

    /// The sessions are where they should be.
    fn assert_place(&self) -> Outcome<()> {
        let stats = self.database.stats();
        let right = match self.place {
            Place::Memtable => stats.batches == 0,
            Place::Checkpointed => stats.batches > 0 && stats.memtable_bytes == 0,
            Place::Cold => stats.batches > 0 && stats.resident_sessions == 0,
        };
        if right {
            Ok(())
        } else {
            Err(format!("not {:?}: {stats:?}", self.place).into())
        }
    }

    /// Small ones, a large one, small ones.
    fn turn(&mut self, durability: Durability, figures: &mut Figures) -> Outcome<()> {
        let database = self.database.with_durability(durability);
        let mut whole = Samples::default();
        let mut flush = Samples::default();
        settle()?;
        self.flush_small(&database, &mut whole, &mut flush)?;
        let held = self.large.pop().ok_or("no large session is left")?;
        let large = flush_one(&database, held)?;
        settle()?;
        self.flush_small(&database, &mut whole, &mut flush)?;
        figures.ratios.0.push(micros(large.whole) / whole.p50());
        figures.large.0.push(micros(large.whole));
        figures.large_flush.0.push(micros(large.flush));
        figures.small.0.push(whole.p50());
        figures.small_flush.0.push(flush.p50());
        Ok(())
    }

    fn flush_small(
        &mut self,
        database: &Database,
        whole: &mut Samples,
        flush: &mut Samples,
    ) -> Outcome<()> {
        for count in 0..SMALL {
            let held = self.small.pop().ok_or("no small session is left")?;
            let taken = flush_one(database, held)?;
            if count >= WARM_UP {
                whole.push(taken.whole);
                flush.push(taken.flush);
            }
        }
        Ok(())
    }
}

/// Flushes one session, large or small, and drops its handle.
fn flush_one(database: &Database, held: Held) -> Outcome<Taken> {
    let held = match held {
        // A request reads before it logs somebody out.
        Held::Handle(session) => {
            let handle = database.open_session(&session.id())?;
            let handle = handle.ok_or("a session is missing")?;
            if !handle.contains_key(&key(0))? {
                return Err("a session is empty".into());
            }
            Held::Handle(handle)
        }
        cold @ Held::Id(_) => cold,
    };
    forget_peak()?;
    let (before, _) = resident()?;
    let start = Instant::now();
    let mut session = match held {
        Held::Handle(session) => session,
        Held::Id(id) => database.open_session(&id)?.ok_or("a session is missing")?,
    };
    let opened = start.elapsed();
    session.flush()?;
    drop(session);
    let whole = start.elapsed();
    let (_, peak) = resident()?;
    Ok(Taken {
        whole,
        flush: whole.saturating_sub(opened),
        grown: peak.saturating_sub(before),
    })
}

/// By how many MiB the resident set grows with a flush, in a process of its own
/// and a thread of its own, so that what is allocated comes from the system:
/// memory that was kept from earlier would hide it.
fn growth(directory: &Path) -> Outcome<f64> {
    let child = Command::new(std::env::current_exe()?)
        .arg(MEMORY)
        .arg(directory)
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536")
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err("the growth of memory could not be measured".into());
    }
    std::fs::remove_dir_all(directory)?;
    let grown = String::from_utf8(child.stdout)?.trim().parse::<u32>()?;
    Ok(f64::from(grown) / 1024.0)
}

/// What that process does: prints the worst growth in KiB. The directory's
/// name says where the sessions are to be.
pub(crate) fn tell_growth(directory: &Path) -> Outcome<ExitCode> {
    let places = [Place::Memtable, Place::Checkpointed, Place::Cold];
    let name = directory.file_name().and_then(|name| name.to_str());
    let place = places.into_iter().find(|place| Some(place.name()) == name);
    let place = place.ok_or("the directory names no place")?;
    let mut stock = Stock::new(directory, place, DURABILITIES.len())?;
    // What shrinks meanwhile would hide what grows.
    settle()?;
    let mut grown = 0;
    for (_, durability) in DURABILITIES {
        let database = stock.database.with_durability(durability);
        let (mut whole, mut flush) = (Samples::default(), Samples::default());
        stock.flush_small(&database, &mut whole, &mut flush)?;
        settle()?;
        let held = stock.large.pop().ok_or("no large session is left")?;
        // A new thread allocates from a heap of its own: the old one has much
        // that is free and resident, and would take it from there.
        let flushed = thread::scope(|scope| {
            let flush = || {
                let grown = flush_one(&database, held)?.grown;
                assert_growth_shows()?;
                Ok(grown)
            };
            scope.spawn(flush).join()
        });
        let flushed: Outcome<u64> = flushed.map_err(|_| "a flush panicked")?;
        grown = grown.max(flushed?);
    }
    stock.database.close()?;
    println!("{}", grown >> 10);
    Ok(ExitCode::SUCCESS)
}

fn builder() -> Builder {
    Database::builder()
        .memtable_bytes(MEMTABLE_BYTES)
        // What was put into the memtable is to stay there.
        .idle_checkpoint_after(Duration::from_secs(86_400))
}

fn key(number: usize) -> String {
    format!("key-{number:07}")
}

fn fill(session: &Session, keys: usize) -> Outcome<()> {
    for first in (0..keys).step_by(KEYS_PER_TRANSACTION) {
        let numbers = first..keys.min(first + KEYS_PER_TRANSACTION);
        session.transaction(|tx| {
            for number in numbers {
                tx.set(&key(number), &number)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}
