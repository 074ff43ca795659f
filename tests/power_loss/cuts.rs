//! Power cuts at many points of a recording, and what they leave.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use sessiondb::Crash;

use crate::alarm::{PATIENCE, watched};
use crate::expectation::Expectation;
use crate::image::Image;
use crate::recording::{Action, is_in_an_index};
use crate::replay::{Ignored, Replay, Unsynced};
use crate::trace::{Trace, number};
use crate::tracer;

/// Images that are opened side by side.
const OPENERS: usize = 2;
/// Cuts of one recording; for more there are more recordings.
const CUTS_PER_RECORDING: usize = 4000;
/// One cut of so many comes right after the change of a name: there are few of
/// them, and a sync of the directory is soon to follow.
const OF_NAMES: usize = 4;

/// One image that is to be opened.
struct Case {
    image: Image,
    expectation: Expectation,
    label: String,
}

enum Outcome {
    Sound { is_rebuilt: bool },
    Violation(String),
}

/// What came of many cuts.
#[derive(Default)]
struct Figures {
    cuts: usize,
    /// Cuts at which names were open.
    of_names: usize,
    images: usize,
    opened: usize,
    rebuilds: usize,
    violations: Vec<String>,
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cuts,
            of_names,
            images,
            opened,
            rebuilds,
            violations,
        } = self;
        let violations = violations.len();
        write!(
            formatter,
            "{cuts} crash states, {of_names} of them of names, {images} distinct images, \
             {opened} opened, {rebuilds} index rebuilds, {violations} violations"
        )
    }
}

impl Figures {
    fn add(&mut self, outcome: Outcome) {
        self.opened += 1;
        match outcome {
            Outcome::Sound { is_rebuilt } => self.rebuilds += usize::from(is_rebuilt),
            Outcome::Violation(what) => self.violations.push(what),
        }
    }
}

/// How much is tried.
#[derive(Clone, Copy)]
struct Trial {
    cuts: usize,
    ignored: Ignored,
    /// Whether the first violation is enough, as it is where one is wanted.
    is_control: bool,
}

impl Trial {
    /// Cuts the power at so many points, spread over the recording.
    fn run(self, trace: &Trace) -> Figures {
        let (cases, taken) = sync_channel::<Case>(OPENERS);
        let (outcomes, told) = channel();
        let taken = Mutex::new(taken);
        let is_enough = AtomicBool::new(false);
        let mut figures = thread::scope(|scope| {
            for _ in 0..OPENERS {
                let (outcomes, taken, is_enough) = (outcomes.clone(), &taken, &is_enough);
                scope.spawn(move || self.open_all(trace, taken, &outcomes, is_enough));
            }
            let figures = self.cut_all(trace, &is_enough, |case| {
                cases.send(case).expect("somebody opens it");
            });
            drop(cases);
            figures
        });
        drop(outcomes);
        for outcome in told {
            figures.add(outcome);
        }
        figures
    }

    /// Makes the images, each one that promises more than those before.
    fn cut_all(self, trace: &Trace, is_enough: &AtomicBool, open: impl Fn(Case)) -> Figures {
        let mut figures = Figures::default();
        let mut random = fastrand::Rng::with_seed(trace.kept.seed);
        let mut replay = Replay::new(&trace.recording, self.ignored);
        let moments = trace.recording.moments.len();
        let mut images = HashSet::new();
        let mut promised = HashSet::new();
        let names = trace.recording.changes_of_names();
        let mut points: Vec<usize> = (0..self.cuts)
            .map(|cut| match random.choice(&names) {
                Some(at) if cut % OF_NAMES == 0 => at + 1,
                _ => (cut * moments + random.usize(0..moments)) / self.cuts + 1,
            })
            .collect();
        points.sort_unstable();
        for at in points {
            if is_enough.load(Ordering::Relaxed) {
                break;
            }
            replay.pass_until(at);
            let unsynced = replay.unsynced();
            if unsynced == Unsynced::Nothing {
                continue;
            }
            let how = match random.u8(0..8) {
                0 => Crash::KeepNothing,
                1 => Crash::KeepAll,
                2..4 => Crash::Prefix(random.u64(..)),
                _ => Crash::Random(random.u64(..)),
            };
            figures.cuts += 1;
            figures.of_names += usize::from(unsynced == Unsynced::Names);
            let image = Image::of(&replay.cut(how));
            let fingerprint = image.fingerprint();
            images.insert(fingerprint);
            let expectation = trace.history.expectation(at);
            if promised.insert((fingerprint, expectation.promise)) {
                let label = format!(
                    "seed {}, {} cuts, that at moment {at} of {moments}, {unsynced:?} unsynced, {how:?}",
                    trace.kept.seed, self.cuts
                );
                open(Case {
                    image,
                    expectation,
                    label,
                });
            }
        }
        figures.images = images.len();
        figures
    }

    fn open_all(
        self,
        trace: &Trace,
        cases: &Mutex<Receiver<Case>>,
        outcomes: &Sender<Outcome>,
        is_enough: &AtomicBool,
    ) {
        loop {
            let case = cases.lock().expect("nobody panics with it").recv();
            let Ok(case) = case else { return };
            let outcome = self.open(trace, &case);
            if self.is_control && matches!(outcome, Outcome::Violation(_)) {
                is_enough.store(true, Ordering::Relaxed);
            }
            outcomes.send(outcome).expect("somebody counts");
        }
    }

    fn open(self, trace: &Trace, case: &Case) -> Outcome {
        let late = || format!("{}, {}", case.label, trace.keep(&case.image));
        let checked = watched(PATIENCE, late, || {
            catch_unwind(AssertUnwindSafe(|| case.image.check(&case.expectation)))
        });
        match checked {
            Ok(is_rebuilt) => Outcome::Sound { is_rebuilt },
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                let what = text.unwrap_or("a panic");
                let kept = if self.is_control {
                    String::new()
                } else {
                    format!(", {}", trace.keep(&case.image))
                };
                Outcome::Violation(format!("{}{kept}: {what}", case.label))
            }
        }
    }
}

fn is_in(path: &Path, directory: &str) -> bool {
    path.starts_with(directory)
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_of_the_whole_directory() {
    let Some(trace) = Trace::shared() else { return };
    let cuts = number("SESSIONDB_POWER_LOSS").unwrap_or(240);
    let cuts = usize::try_from(cuts).expect("a number of cuts");
    let mut left = cuts;
    let mut total = Figures::default();
    let mut recordings = 0;
    let mut operations = 0;
    while left > 0 {
        let more;
        let trace = if recordings == 0 {
            trace
        } else {
            more = Trace::record(trace.kept.seed + 2 * recordings);
            &more
        };
        let trial = Trial {
            cuts: left.min(CUTS_PER_RECORDING),
            ignored: |_, _| false,
            is_control: false,
        };
        let figures = trial.run(trace);
        eprintln!(
            "{} disk operations: {figures}",
            trace.recording.actions.len()
        );
        left -= trial.cuts;
        recordings += 1;
        operations += trace.history.operations();
        total.cuts += figures.cuts;
        total.of_names += figures.of_names;
        total.images += figures.images;
        total.opened += figures.opened;
        total.rebuilds += figures.rebuilds;
        total.violations.extend(figures.violations);
    }
    tracer::tell(&format!(
        "power cuts in {recordings} recordings of {operations} operations: {total}"
    ));
    let violations = total.violations.join("\n\n");
    assert!(violations.is_empty(), "{violations}");
    assert!(total.cuts > cuts / 2, "hardly anything was open");
    assert!(total.images > cuts / 4, "all images are the same");
    assert!(total.of_names > cuts / 8, "hardly any names were open");
}

#[test]
fn what_is_recorded_is_all_that_a_database_does_with_its_files() {
    let Some(trace) = Trace::shared() else { return };
    let actions = &trace.recording.actions;
    let count =
        |is_one: fn(&Action) -> bool| actions.iter().filter(|action| is_one(action)).count();
    let figures = [
        (
            "writes",
            count(|action| matches!(action, Action::Write { .. })),
        ),
        (
            "syncs",
            count(|action| matches!(action, Action::Sync { .. })),
        ),
        (
            "journal files recycled",
            count(|action| matches!(action, Action::Rename { to, .. } if is_in(to, "journal"))),
        ),
        (
            "journal files removed",
            count(|action| matches!(action, Action::Remove(path) if is_in(path, "journal"))),
        ),
        (
            "segment files made",
            count(
                |action| matches!(action, Action::Open { path, creates: true, .. } if is_in(path, "segments")),
            ),
        ),
        (
            "segment files removed",
            count(|action| matches!(action, Action::Remove(path) if is_in(path, "segments"))),
        ),
        (
            "indexes made",
            count(|action| {
                matches!(action, Action::MakeDirectory(path)
                    if is_in_an_index(path) && !path.ends_with("blobs"))
            }),
        ),
        (
            "indexes removed",
            count(
                |action| matches!(action, Action::RemoveDirectory(path) if !path.ends_with("blobs")),
            ),
        ),
        (
            "clean ends",
            count(|action| matches!(action, Action::Rename { to, .. } if is_in(to, "CLEAN"))),
        ),
    ];
    for (what, count) in figures {
        eprintln!("{count} {what}");
        assert!(count > 0, "no {what}");
    }
}

/// Lets these syncs do nothing; the first violation that is seen.
fn first_violation(trace: &Trace, ignored: Ignored) -> Option<String> {
    let trial = Trial {
        cuts: 300,
        ignored,
        is_control: true,
    };
    let figures = trial.run(trace);
    eprintln!("{figures}");
    figures.violations.into_iter().next()
}

#[test]
fn a_sync_that_does_nothing_is_found_out() {
    let Some(trace) = Trace::shared() else { return };
    let ignored: [(&str, Ignored); 8] = [
        ("all syncs", |_, _| true),
        ("syncs of journal files", |path, is_directory| {
            !is_directory && is_in(path, "journal")
        }),
        ("syncs of segment files", |path, is_directory| {
            !is_directory && is_in(path, "segments")
        }),
        ("syncs of directories", |_, is_directory| is_directory),
        ("syncs of the root", |path, _| path.as_os_str().is_empty()),
        ("syncs of the journal's directory", |path, _| {
            path == Path::new("journal")
        }),
        ("syncs of the segments' directory", |path, _| {
            path == Path::new("segments")
        }),
        ("syncs of what becomes CURRENT", |path, _| {
            path.starts_with("CURRENT.new")
        }),
    ];
    for (what, ignored) in ignored {
        eprintln!("{what} do nothing:");
        let found = first_violation(trace, ignored);
        assert!(found.is_some(), "{what} did nothing, and nobody saw it");
    }
}

#[test]
fn no_sync_of_the_index_is_needed() {
    let Some(trace) = Trace::shared() else { return };
    let trial = Trial {
        cuts: 60,
        ignored: |path, _| is_in_an_index(path),
        is_control: false,
    };
    let figures = trial.run(trace);
    eprintln!("{figures}");
    assert!(figures.violations.is_empty(), "{:?}", figures.violations);
}
