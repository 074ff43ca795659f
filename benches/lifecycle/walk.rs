//! A walk over a million sessions, beside writers: how quick it is, what
//! memory it takes, and that no session is missed or comes twice.
//!
//! A process of its own walks, in which nothing was loaded: what loading has
//! freed would hide what a walk takes. There, writers alone and writers beside
//! walks take turns, and the peaks of resident memory are compared.

use std::cmp::Ordering as Order;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Database, Durability, SessionDigest, SessionId, SessionInfo};

use crate::Outcome;
use crate::arguments::Length;
use crate::load::load;
use crate::machine::{forget_peak, resident};
use crate::report::{Report, Target};
use crate::samples::Rounds;
use crate::workplace::Workplace;

/// Tells the process that walks what it is for.
pub(crate) const WALK: &str = "--walk-beside-writers";

const KEY: &str = "user";
/// What a writer changes in the sessions that stay.
const CHANGED: &str = "seen";
/// Bytes of a session's value.
const VALUE: usize = 1000;
const WRITERS: usize = 2;
/// Sessions that a writer has made and not flushed yet.
const OWN: usize = 100;
/// What a writer rests between two rounds: writers in each other's way, or in
/// a walk's, are to write about as much as without.
const REST: Duration = Duration::from_millis(1);
/// Until the caches are full.
const WARM_UP: Duration = Duration::from_secs(30);
/// What a walk may take, whatever the number of sessions.
const MOST_MEBIBYTES: f64 = 32.0;

const NAMES: [&str; 6] = [
    "walk: memory beside that of the writers",
    "walk: peak of the writers alone",
    "walk: rate beside writers",
    "walk: writes beside it",
    "walk: writes without it",
    "walk: loading",
];

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    let count = workplace.length.choose(50_000, 1_000_000, 1_000_000);
    let place = workplace.place("walk");
    let start = Instant::now();
    let database = Database::open(place.join("database"))?;
    let value = "v".repeat(VALUE);
    let ids = load(&database, count, |session, _| session.set(KEY, &value))?;
    database.close()?;
    drop(database);
    let loading = start.elapsed().as_secs_f64();
    let bytes: Vec<u8> = ids.into_iter().flat_map(SessionId::to_bytes).collect();
    fs::write(place.join("ids"), bytes)?;
    let rounds = walk_elsewhere(&place, workplace.length)?;
    fs::remove_dir_all(&place)?;

    let of_rounds = |figure: &dyn Fn(&Round) -> f64| Rounds(rounds.iter().map(figure).collect());
    let [memory, alone, rate, beside, without, load] = NAMES;
    let taken = of_rounds(&|round| round.peak_beside - round.peak_alone);
    let target = Target::AtMost(MOST_MEBIBYTES);
    report.add(memory, taken.median(), "MiB", target, taken.spread());
    let peaks = of_rounds(&|round| round.peak_alone);
    report.add(alone, peaks.median(), "MiB", Target::None, peaks.spread());
    let rates = of_rounds(&|round| round.walked);
    let note = format!("{count} sessions, each once; {}", rates.spread());
    report.add(rate, rates.median(), "sessions/s", Target::None, note);
    for (name, writes) in [
        (beside, of_rounds(&|round| round.writes_beside)),
        (without, of_rounds(&|round| round.writes_alone)),
    ] {
        let note = writes.spread();
        report.add(name, writes.median(), "writes/s", Target::None, note);
    }
    report.add(load, loading, "s", Target::None, "");
    Ok(())
}

/// Writers alone, and the same beside walks: peaks in MiB, the rest a second.
#[derive(Debug)]
struct Round {
    peak_alone: f64,
    peak_beside: f64,
    writes_alone: f64,
    writes_beside: f64,
    walked: f64,
}

impl Round {
    fn line(&self) -> String {
        let Self {
            peak_alone,
            peak_beside,
            writes_alone,
            writes_beside,
            walked,
        } = self;
        format!("{peak_alone} {peak_beside} {writes_alone} {writes_beside} {walked}")
    }

    fn parse(line: &str) -> Outcome<Self> {
        let figures = line.split(' ').map(str::parse);
        let figures = figures.collect::<Result<Vec<f64>, _>>()?;
        let [peak_alone, peak_beside, writes_alone, writes_beside, walked] = figures[..] else {
            return Err("a round has other figures".into());
        };
        Ok(Self {
            peak_alone,
            peak_beside,
            writes_alone,
            writes_beside,
            walked,
        })
    }
}

/// Has a process of its own walk. What it frees goes back at once, as far as
/// the allocator can be told so.
fn walk_elsewhere(place: &Path, length: Length) -> Outcome<Vec<Round>> {
    let child = Command::new(std::env::current_exe()?)
        .arg(WALK)
        .arg(place)
        .arg(length.choose("1", "3", "5"))
        .arg(length.choose("5", "15", "15"))
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536")
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err("the walk failed".into());
    }
    let output = String::from_utf8(child.stdout)?;
    output.lines().map(Round::parse).collect()
}

/// What that process does: prints a line for each round, whose halves last
/// so many seconds at least.
pub(crate) fn tell_rounds(place: &Path, rounds: &str, seconds: &str) -> Outcome<ExitCode> {
    let period = Duration::from_secs(seconds.parse()?);
    let scene = Scene::open(place)?;
    // What the caches take is no walk's.
    scene.beside_writers(|| scene.walk_for(WARM_UP))?;
    let mut highest = 0.0_f64;
    for _ in 0..rounds.parse()? {
        let (alone, lasted) = scene.beside_writers(|| Ok(rest(period)))?;
        let writes_alone = alone.writes / lasted;
        let (beside, (walked, lasted)) = scene.beside_writers(|| scene.walk_for(period))?;
        let round = Round {
            peak_alone: alone.peak,
            peak_beside: beside.peak,
            writes_alone,
            writes_beside: beside.writes / lasted,
            walked: walked / lasted,
        };
        eprintln!(
            "walk: peaks {:.1} MiB alone, {:.1} MiB beside walks",
            round.peak_alone, round.peak_beside,
        );
        println!("{}", round.line());
        highest = highest.max(round.peak_beside);
    }
    scene.assert_memory_shows(highest)?;
    scene.database.close()?;
    Ok(ExitCode::SUCCESS)
}

fn rest(period: Duration) -> f64 {
    let start = Instant::now();
    thread::sleep(period);
    start.elapsed().as_secs_f64()
}

/// What the writers did while something lasted.
struct Beside {
    /// The highest resident set, in MiB.
    peak: f64,
    writes: f64,
}

/// The database, and the sessions that are there all the time.
struct Scene {
    database: Database,
    ids: Vec<SessionId>,
    /// Theirs, in order.
    digests: Vec<SessionDigest>,
}

impl Scene {
    fn open(place: &Path) -> Outcome<Self> {
        let bytes = fs::read(place.join("ids"))?;
        let (ids, _) = bytes.as_chunks();
        let ids: Vec<_> = ids.iter().map(|id| SessionId::from_bytes(*id)).collect();
        let mut digests: Vec<_> = ids.iter().map(SessionId::digest).collect();
        digests.sort_unstable();
        Ok(Self {
            database: Database::open(place.join("database"))?,
            ids,
            digests,
        })
    }

    /// Does something while writers write.
    fn beside_writers<T>(&self, something: impl FnOnce() -> Outcome<T>) -> Outcome<(Beside, T)> {
        let over = AtomicBool::new(false);
        let over = &over;
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|seed| scope.spawn(move || self.write(seed as u64, over)))
                .collect();
            let measured = (|| {
                forget_peak()?;
                let done = something()?;
                Outcome::Ok((resident()?.1, done))
            })();
            over.store(true, Ordering::Relaxed);
            let mut written = 0;
            for writer in writers {
                written += writer.join().map_err(|_| "a writer panicked")??;
            }
            let (peak, done) = measured?;
            let beside = Beside {
                peak: f64::from(u32::try_from(peak >> 10)?) / 1024.0,
                writes: f64::from(written),
            };
            Ok((beside, done))
        })
    }

    /// Creates, changes and flushes sessions until it is over, and changes
    /// some of those that stay.
    fn write(&self, seed: u64, over: &AtomicBool) -> Outcome<u32> {
        // A busy disk would slow the writers down.
        let database = self.database.with_durability(Durability::Deferred {
            sync_within: Duration::from_millis(100),
        });
        let value = "w".repeat(VALUE);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut own = VecDeque::new();
        let mut writes = 0;
        while !over.load(Ordering::Relaxed) {
            let session = database.create_session();
            session.set(KEY, &value)?;
            own.push_back(session);
            let id = random.choice(&self.ids).ok_or("there is no session")?;
            let session = database.open_session(id)?;
            let session = session.ok_or("a session is missing")?;
            session.set(CHANGED, &writes)?;
            writes += 2;
            if own.len() > OWN
                && let Some(mut oldest) = own.pop_front()
            {
                oldest.flush()?;
                writes += 1;
            }
            thread::sleep(REST);
        }
        Ok(writes)
    }

    /// Walks again and again, at least once; tells how many sessions came in
    /// how many seconds.
    fn walk_for(&self, period: Duration) -> Outcome<(f64, f64)> {
        let start = Instant::now();
        let mut walked = 0.0;
        loop {
            walked += f64::from(self.walk()?);
            let lasted = start.elapsed();
            if lasted >= period {
                return Ok((walked, lasted.as_secs_f64()));
            }
        }
    }

    /// Walks over all sessions. They come in order, so that no memory is
    /// needed to see that each that stays comes, and none twice.
    fn walk(&self) -> Outcome<u32> {
        let mut awaited = self.digests.iter().peekable();
        let mut last = None;
        let mut walked = 0;
        for session in self.database.sessions() {
            let digest = session?.digest;
            if last.is_some_and(|last| digest <= last) {
                return Err(format!("{digest} comes twice, or out of order").into());
            }
            last = Some(digest);
            walked += 1;
            match awaited.peek().map(|next| next.cmp(&&digest)) {
                Some(Order::Less) => return Err("the walk has missed a session".into()),
                Some(Order::Equal) => drop(awaited.next()),
                // One of the writers' own.
                Some(Order::Greater) | None => {}
            }
        }
        if awaited.peek().is_some() {
            return Err("the walk has missed the last sessions".into());
        }
        Ok(walked)
    }

    /// A walk of which all is kept has to exceed what others may take, or the
    /// figures mean nothing. It takes many sessions to tell.
    fn assert_memory_shows(&self, highest: f64) -> Outcome<()> {
        let kept = self.ids.len().saturating_mul(size_of::<SessionInfo>());
        if kept < 64 << 20 {
            return Ok(());
        }
        let keep = || Ok(self.database.sessions().collect::<Result<Vec<_>, _>>()?);
        let (beside, kept) = self.beside_writers(keep)?;
        eprintln!(
            "walk: peak {:.1} MiB beside one of which {} sessions are kept",
            beside.peak,
            kept.len(),
        );
        if beside.peak < highest + MOST_MEBIBYTES {
            return Err("a walk of which all is kept takes no memory".into());
        }
        Ok(())
    }
}
