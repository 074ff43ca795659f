//! Space against the bytes that users gave: after loading, during and after a
//! churn, and when all is flushed.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sessiondb::Database;

use crate::directory::Taken;
use crate::patience::{Rest, peak, rest};
use crate::population::Population;
use crate::report::{Report, Target};
use crate::workplace::Workplace;
use crate::{Outcome, mebibytes};

/// Also in a quick run: with less, all would lie in a few files.
const SESSIONS: usize = 10_000;
/// A session's keys.
const KEYS: usize = 100;
/// So many times the data are written in a churn.
const CHURN: usize = 5;
/// How long the background has.
const WITHIN: Duration = Duration::from_secs(60);

const LOADED: f64 = 1.5;
const CHURNED: f64 = 1.8;
const PEAK: f64 = 2.5;
const EMPTY: f64 = 1.0;

const NAMES: [&str; 9] = [
    "loaded: space / raw bytes",
    "loaded: the same without preallocated files",
    "churn: space / raw bytes",
    "churn: the same without preallocated files",
    "churn: peak of space / raw bytes",
    "churn: the same peak without preallocated files",
    "flushed: space without preallocated files",
    "flushed: the preallocated files",
    "flushed: bytes left of a session",
];

/// What two ways of counting come to.
struct Ratios {
    all: f64,
    bare: f64,
}

impl Ratios {
    fn of(taken: Taken, raw: u64) -> Self {
        let raw = mebibytes(raw);
        Self {
            all: mebibytes(taken.all()) / raw,
            bare: mebibytes(taken.bare()) / raw,
        }
    }
}

/// A target of which it is told when it was reached.
fn told(rest: &Rest) -> String {
    let reached = rest.reached.map_or_else(
        || "never reached".into(),
        |seconds| format!("reached after {seconds:.1} s"),
    );
    format!("{}; {reached}", rest.note())
}

pub(crate) fn measure(workplace: &Workplace, report: &mut Report) -> Outcome<()> {
    if !report.wants_any(NAMES) {
        return Ok(());
    }
    assert_garbage_shows(&workplace.place("garbage"))?;
    let place = workplace.place("sizes");
    let database = Database::open(&place)?;
    let [
        loaded,
        loaded_bare,
        churned,
        churned_bare,
        highest,
        highest_bare,
        empty,
        preallocated,
        left,
    ] = NAMES;

    let start = Instant::now();
    let mut population = Population::load(&database, SESSIONS, KEYS)?;
    let raw = population.raw_bytes();
    let loading = start.elapsed().as_secs_f64();
    let below = |most: f64| move |taken| Ratios::of(taken, raw).all <= most;
    let found = rest(&database, &place, WITHIN, below(LOADED))?;
    let ratios = Ratios::of(found.taken, raw);
    let note = format!("{}; loaded in {loading:.1} s", told(&found));
    report.add(loaded, ratios.all, "times", Target::AtMost(LOADED), note);
    let bare = ratios.bare;
    report.add(loaded_bare, bare, "times", Target::None, "");

    let start = Instant::now();
    let (peak, ()) = peak(&place, || population.churn(&database, CHURN))?;
    let churning = start.elapsed().as_secs_f64();
    let found = rest(&database, &place, WITHIN, below(CHURNED))?;
    let ratios = Ratios::of(found.taken, raw);
    let target = Target::AtMost(CHURNED);
    report.add(churned, ratios.all, "times", target, told(&found));
    let bare = ratios.bare;
    report.add(churned_bare, bare, "times", Target::None, "");
    let ratios = Ratios::of(peak, raw);
    let note = format!("{peak}; {CHURN} times the data in {churning:.1} s");
    report.add(highest, ratios.all, "times", Target::AtMost(PEAK), note);
    let bare = ratios.bare;
    report.add(highest_bare, bare, "times", Target::None, "");

    let ever = u32::try_from(SESSIONS + SESSIONS * CHURN / 2)?;
    population.flush(&database)?;
    let is_enough = |taken: Taken| mebibytes(taken.bare()) <= EMPTY;
    let found = rest(&database, &place, WITHIN, is_enough)?;
    let all = mebibytes(found.taken.bare());
    report.add(empty, all, "MiB", Target::AtMost(EMPTY), told(&found));
    let rest = mebibytes(found.taken.preallocated());
    report.add(preallocated, rest, "MiB", Target::None, "");
    let each = |bytes: u64| mebibytes(bytes) * f64::from(1 << 20) / f64::from(ever);
    let note = format!(
        "{ever} were flushed since the beginning: {:.0} in segments, {:.0} in the index",
        each(found.taken.segments),
        each(found.taken.index),
    );
    let each = each(found.taken.bare());
    report.add(left, each, "bytes", Target::None, note);

    if database.sessions().next().is_some() {
        return Err("a session is left".into());
    }
    database.close()?;
    drop(database);
    fs::remove_dir_all(&place)?;
    Ok(())
}

/// What nobody gives back has to show, or the figures mean nothing.
fn assert_garbage_shows(place: &Path) -> Outcome<()> {
    let database = Database::builder().background(false).open(place)?;
    let mut population = Population::load(&database, 100, KEYS)?;
    database.checkpoint()?;
    population.flush(&database)?;
    database.checkpoint()?;
    let taken = Taken::of(place)?;
    if mebibytes(taken.bare()) <= EMPTY {
        return Err("garbage that is left does not show".into());
    }
    database.close()?;
    drop(database);
    fs::remove_dir_all(place)?;
    Ok(())
}
