//! A million sessions expire at once, and readers of others hardly notice.
//!
//! The background finds and removes them by itself. The clock is the
//! measurement's; the readers' sessions last until long after.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sessiondb::{Clock as _, Database, Expiry, ManualClock, SessionId};

use crate::load::{Work, load, watch};
use crate::readers::{KEY, Reads, read};
use crate::report::{Report, Target};
use crate::samples::{Histogram, Rounds, micros};
use crate::workplace::Workplace;
use crate::{Outcome, small_value};

const IDLE: Duration = Duration::from_secs(3600);
const READERS: usize = 2;
const HOT: usize = 1000;
/// Bytes of a value that readers read.
const VALUE: usize = 1000;
/// The readers' data are so many times as large as all caches.
const TIMES_THE_CACHE: usize = 2;
/// So many sessions are created each time that the clock moves.
const SESSIONS_PER_MILLISECOND: usize = 16;

const NAMES: [&str; 8] = [
    "purge: readers' p99 during the purge",
    "purge: readers' p99 at idle",
    "purge: hot p99 during and at idle",
    "purge: cold p99 during and at idle",
    "purge: readers' longest during the purge",
    "purge: time",
    "purge: rate",
    "purge: loading",
];

/// What a round measured.
struct Round {
    idle: [Histogram; 2],
    during: [Histogram; 2],
    seconds: f64,
    loading: f64,
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    let expiring = workplace.length.choose(50_000, 1_000_000, 1_000_000);
    let mut rounds = Vec::new();
    for number in 0..workplace.length.choose(1, 3, 5) {
        let round = round(workplace, expiring)?;
        eprintln!(
            "purge, round {}: {expiring} sessions in {:.1} s, p99 {:.0} us, at idle {:.0} us",
            number + 1,
            round.seconds,
            p99(&both(&round.during)),
            p99(&both(&round.idle)),
        );
        rounds.push(round);
    }
    add(report, &rounds, expiring)
}

fn round(workplace: &Workplace, expiring: usize) -> Outcome<Round> {
    let place = workplace.place("purge");
    let cache = workplace.length.choose(16 << 20, 64 << 20, 64 << 20);
    let clock = Arc::new(ManualClock::default());
    let database = Database::builder()
        .cache_bytes(cache)
        .idle_timeout(Some(IDLE))
        .clock(Arc::<ManualClock>::clone(&clock))
        .open(&place)?;
    let start = Instant::now();
    let far = clock.now() + 1000 * IDLE;
    let value = "v".repeat(VALUE);
    let readable = usize::try_from(cache)? * TIMES_THE_CACHE / VALUE;
    let ids = load(&database, readable, |session, _| {
        session.transaction(|tx| {
            tx.set_expiry(Expiry::At(far));
            tx.set(KEY, &value)
        })
    })?;
    let value = small_value();
    load(&database, expiring, |session, number| {
        // They were not all seen last at the same moment, and half of them
        // belong to somebody.
        if number % SESSIONS_PER_MILLISECOND == 0 {
            clock.advance(Duration::from_millis(1));
        }
        session.transaction(|tx| {
            if number % 2 == 0 {
                tx.set_owner(Some(&format!("user:{}", number / 4)))?;
            }
            tx.set(KEY, &value)
        })
    })?;
    let loading = start.elapsed().as_secs_f64();
    if clock.now() + IDLE >= far {
        return Err("the readers' sessions would expire, too".into());
    }
    // What loading left for the background is not part of anything.
    watch(&database)?;
    let idle_for = Duration::from_secs(workplace.length.choose(3, 10, 10));
    let (idle, during, seconds) = purge(&database, &clock, &ids, idle_for)?;
    let left = database.purge_expired()?;
    if left > 0 {
        return Err(format!("the background left {left} expired sessions").into());
    }
    let found = database.verify()?.sessions;
    if found != ids.len() as u64 {
        return Err(format!("{found} sessions are left of {}", ids.len()).into());
    }
    database.close()?;
    drop(database);
    std::fs::remove_dir_all(&place)?;
    Ok(Round {
        idle,
        during,
        seconds,
        loading,
    })
}

/// Lets readers read, first beside nothing, then beside the purge.
fn purge(
    database: &Database,
    clock: &ManualClock,
    ids: &[SessionId],
    idle_for: Duration,
) -> Outcome<([Histogram; 2], [Histogram; 2], f64)> {
    let (hot, cold) = ids.split_at_checked(HOT).ok_or("too few sessions")?;
    let over = AtomicBool::new(false);
    let start = Instant::now();
    thread::scope(|scope| {
        let readers: Vec<_> = cold
            .chunks(cold.len().div_ceil(READERS))
            .map(|cold| scope.spawn(|| read(database, start, hot, cold, &over)))
            .collect();
        let watched = (|| {
            // The first second fills the caches.
            thread::sleep(Duration::from_secs(1));
            let from = Instant::now();
            thread::sleep(idle_for);
            let until = Instant::now();
            clock.advance(2 * IDLE);
            let work = watch(database)?.ok_or("the background purges nothing")?;
            Outcome::Ok((Work { from, until }, work))
        })();
        over.store(true, Ordering::Relaxed);
        let mut reads: Option<Reads> = None;
        for reader in readers {
            let of_one = reader.join().map_err(|_| "a reader panicked")??;
            match &mut reads {
                Some(reads) => reads.append(&of_one),
                None => reads = Some(of_one),
            }
        }
        let (idle, work) = watched?;
        let reads = reads.ok_or("there was no reader")?;
        let seconds = work.until.duration_since(work.from).as_secs_f64();
        Ok((reads.during(idle), reads.during(work), seconds))
    })
}

fn both(kinds: &[Histogram; 2]) -> Histogram {
    let mut sum = Histogram::default();
    for kind in kinds {
        sum.append(kind);
    }
    sum
}

fn p99(histogram: &Histogram) -> f64 {
    micros(histogram.per_myriad(9900))
}

fn add(report: &mut Report, rounds: &[Round], expiring: usize) -> Outcome<()> {
    let of_rounds = |figure: &dyn Fn(&Round) -> f64| Rounds(rounds.iter().map(figure).collect());
    let during = of_rounds(&|round| p99(&both(&round.during)));
    let idle = of_rounds(&|round| p99(&both(&round.idle)));
    let [
        p99_during,
        p99_idle,
        hot,
        cold,
        longest,
        time,
        rate,
        loading,
    ] = NAMES;
    let limit = Target::AtMost((3.0 * idle.median()).max(1000.0).round());
    let spread = during.spread();
    report.add(p99_during, during.median(), "us", limit, spread);
    let reads = of_rounds(&|round| to_f64(both(&round.idle).count));
    let note = format!("{}; {:.0} reads", idle.spread(), reads.median());
    report.add(p99_idle, idle.median(), "us", Target::None, note);
    for (name, kind) in [(hot, 0), (cold, 1)] {
        let of_kind = |kinds: &[Histogram; 2]| kinds.get(kind).map_or(f64::NAN, p99);
        let share = of_rounds(&|round| {
            let count = round.during.get(kind).map_or(0, |kind| kind.count);
            100.0 * to_f64(count) / to_f64(both(&round.during).count)
        });
        let during = of_rounds(&|round| of_kind(&round.during)).median();
        let idle = of_rounds(&|round| of_kind(&round.idle)).median();
        let note = format!("{idle:.0} at idle; {:.0} % of the reads", share.median());
        report.add(name, during, "us", Target::None, note);
    }
    let longest_read = of_rounds(&|round| micros(both(&round.during).longest));
    let reads = of_rounds(&|round| to_f64(both(&round.during).count));
    let note = format!("of {:.0} reads; {}", reads.median(), longest_read.spread());
    report.add(longest, longest_read.median(), "us", Target::None, note);
    let seconds = of_rounds(&|round| round.seconds);
    let note = format!("{expiring} sessions; {}", seconds.spread());
    report.add(time, seconds.median(), "s", Target::None, note);
    let expired = f64::from(u32::try_from(expiring)?);
    let each = expired / seconds.median();
    report.add(rate, each, "sessions/s", Target::None, "");
    let loaded = of_rounds(&|round| round.loading);
    report.add(loading, loaded.median(), "s", Target::None, "");
    Ok(())
}

fn to_f64(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
