//! A round: operations from a seed, and a crash at every operation of the disk
//! that they lead to.
//!
//! The seed chooses the operations, and at each place how the power goes off
//! and what is done with what is left. It does not choose how far the journal's
//! own thread, which fills files ahead, has come at a place, nor session IDs.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use sessiondb::{Crash, IndexFate, SimulatedDisk};
use tracing::subscriber::with_default;

use super::camera::{Camera, Picture};
use super::census::{AFTER_CLOSE, Census, SEEN, TWICE};
use super::index::{IndexFiles, Left};
use super::script::{Script, draw_config, draw_other};
use super::steps::{AHEAD, OPEN, Steps};
use crate::model::{Beside, Operation, Place, Run, Standing};

const OPERATIONS: usize = 40;
/// Operations that a state is used further with.
const FURTHER: usize = 6;
/// Writes beside steps of one kind.
const WRITES: usize = 2;
/// Added to the number of an operation that shuts, for the opening after it.
const OPENINGS: u64 = 1 << 32;
/// Characters that tell which operation it was; all of them follow a failure.
const WHAT: usize = 60;
/// Earlier indexes that may be left.
const INDEXES: usize = 6;

/// Images that were opened with what was left of the index.
type Seen = HashSet<(u64, Left)>;

/// What a round needs besides its run.
struct Round<'c> {
    label: String,
    seed: u64,
    census: &'c Census,
    steps: Steps,
    camera: Camera,
    /// Indexes of earlier moments.
    indexes: VecDeque<Arc<IndexFiles>>,
    /// Whether the newest promise is that somebody has seen what nobody waited
    /// for.
    is_seen: bool,
}

/// What holds for the pictures of one operation.
struct Way<'w> {
    what: &'w str,
    /// Tells it from the others of the round.
    number: u64,
    standing: Standing,
    /// The position before the first write beside it.
    beside: u64,
    kind: Kind,
}

/// What is special about the pictures of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usual,
    /// The newest that is promised was written without waiting, and seen.
    Seen,
    /// An acknowledged close came before.
    AfterClose,
    /// The power has gone off before.
    Second,
}

impl Kind {
    /// What else such a picture counts as.
    fn step(self, picture: &Picture) -> Option<&'static str> {
        match self {
            Self::Usual => None,
            Self::Seen => Some(SEEN),
            Self::AfterClose => picture.is_in(&[OPEN, AHEAD]).then_some(AFTER_CLOSE),
            Self::Second => Some(TWICE),
        }
    }
}

pub(crate) fn round(seed: u64, census: &Census) {
    let steps = Steps::new();
    with_default(steps.clone(), || {
        let mut random = fastrand::Rng::with_seed(seed);
        let config = draw_config(&mut random);
        let disk = SimulatedDisk::new(seed).expect("a temporary directory for the index");
        let label = format!("crash states, SESSIONDB_SEED={seed}");
        let camera = Camera::new(&disk, &steps);
        camera.begin();
        let place = Place::Behind(disk, Arc::new(camera.clone()));
        let mut run = Run::new(label.clone(), place, config, None);
        let mut round = Round {
            label,
            seed,
            census,
            steps,
            camera,
            indexes: VecDeque::from([Arc::default()]),
            is_seen: false,
        };
        round.judge_all(&Way {
            what: "the creation",
            number: u64::MAX,
            standing: run.standing(),
            beside: 0,
            kind: Kind::Usual,
        });
        let mut script = Script::new(seed);
        for number in 0..OPERATIONS {
            let operation = script.next(&mut random);
            match operation {
                Operation::Reopen { cleanly, .. } => {
                    round.reopen(&mut run, number as u64, &operation, cleanly);
                }
                _ => round.apply(&mut run, number as u64, &operation),
            }
        }
        run.finish();
    });
}

impl Round<'_> {
    fn apply(&mut self, run: &mut Run, number: u64, operation: &Operation) {
        let what = told(number, operation);
        let before = run.standing();
        let beside = matches!(operation, Operation::Checkpoint | Operation::Compact)
            .then(|| run.begin_beside());
        self.camera.begin();
        self.steps
            .set_pause(Some(pause(&self.camera, beside.clone())));
        run.apply(operation);
        self.steps.set_pause(None);
        let first = beside.map_or(0, |beside| run.end_beside(&beside));
        let after = run.standing();
        let standing = match operation {
            Operation::Purge | Operation::Erase => before.while_removing(&after),
            _ => before.on_the_way_to(&after),
        };
        self.judge_all(&Way {
            what: &what,
            number,
            standing,
            beside: first,
            kind: self.kind(),
        });
        if before.promises_less(&after) {
            self.is_seen = before.only_promises_more(&after) && is_a_look(operation);
        }
        if first > 0 {
            run.history.settle_all();
        }
        self.look_after(run, &what, number);
    }

    /// The opening after a close is judged by itself: nothing may be missing.
    fn reopen(&mut self, run: &mut Run, number: u64, operation: &Operation, cleanly: bool) {
        let what = told(number, operation);
        let before = run.standing();
        self.camera.begin();
        run.announce(operation);
        let is_shut = run.shut(cleanly);
        assert!(is_shut, "{}: {what}: the power went", self.label);
        let shut = run.standing();
        self.judge_all(&Way {
            what: &what,
            number,
            standing: before.on_the_way_to(&shut),
            beside: 0,
            kind: self.kind(),
        });
        self.is_seen = false;
        self.camera.begin();
        run.open_again(None);
        self.judge_all(&Way {
            what: &format!("the opening of {what}"),
            number: number + OPENINGS,
            standing: shut,
            beside: 0,
            kind: if cleanly {
                Kind::AfterClose
            } else {
                Kind::Usual
            },
        });
        self.look_after(run, &what, number);
    }

    fn kind(&self) -> Kind {
        if self.is_seen {
            Kind::Seen
        } else {
            Kind::Usual
        }
    }

    /// Now and then, and where somebody has seen something, the power goes off
    /// between two operations.
    fn look_after(&mut self, run: &Run, what: &str, number: u64) {
        let mut random = chosen_by(&[self.seed, number]);
        if random.u32(..4) == 0 || self.is_seen {
            let picture = self.camera.picture("nothing".to_owned());
            let way = Way {
                what: &format!("after {what}"),
                number,
                standing: run.standing(),
                beside: 0,
                kind: self.kind(),
            };
            self.judge(&way, &picture, &mut HashSet::new(), random);
        }
    }

    /// Lets the power go off where each picture was taken.
    fn judge_all(&mut self, way: &Way<'_>) {
        let pictures = self.camera.end();
        self.judge_each(way, &pictures, &mut HashSet::new());
    }

    /// Those of each thread are counted for themselves.
    fn judge_each(&mut self, way: &Way<'_>, pictures: &[Picture], seen: &mut Seen) {
        let mut places = [0; 2];
        for picture in pictures {
            let thread = usize::from(picture.steps == [AHEAD]);
            let place = places[thread];
            places[thread] += 1;
            let random = chosen_by(&[self.seed, way.number, thread as u64, place]);
            self.judge(way, picture, seen, random);
        }
    }

    fn judge(
        &mut self,
        way: &Way<'_>,
        picture: &Picture,
        seen: &mut Seen,
        mut random: fastrand::Rng,
    ) {
        let is_unsynced = match way.kind {
            // There are more names than bytes.
            Kind::AfterClose => picture.is_unsynced(),
            _ => picture.disk.unsynced_bytes() > 0,
        };
        if self.indexes.back() != Some(&picture.index) {
            self.indexes.push_back(Arc::clone(&picture.index));
            if self.indexes.len() > INDEXES {
                self.indexes.pop_front();
            }
        }
        for crash in draw_crashes(&mut random, is_unsynced, way.kind == Kind::Second) {
            let survivor = picture.disk.crash(crash, IndexFate::Lost);
            let survivor = survivor.expect("a directory for the index");
            let image = survivor.image_hash();
            let left = Left::draw(&mut random);
            if !seen.insert((image, left)) {
                continue;
            }
            let earlier = random.usize(..self.indexes.len());
            let index = picture.index.left(&self.indexes[earlier], left);
            index.write(&survivor.index_root()).expect("an index");
            let steps = &picture.steps;
            let label = format!(
                "{}: {}, about to {} in {steps:?}, {crash:?}, of the index {left:?}",
                self.label, way.what, picture.about
            );
            let image = is_unsynced.then_some(image);
            let random = random.fork();
            self.wake(way, picture, survivor, label, image, random);
        }
    }

    /// Opens what is left and compares it with what the model knows; now and
    /// then goes on with it, or lets the power go off in the opening as well.
    fn wake(
        &mut self,
        way: &Way<'_>,
        picture: &Picture,
        survivor: SimulatedDisk,
        label: String,
        image: Option<u64>,
        mut random: fastrand::Rng,
    ) {
        let standing = match picture.beside {
            0 => way.standing.clone(),
            written => way.standing.clone().settled(way.beside + written as u64),
        };
        let is_filmed = way.kind != Kind::Second && random.u32(..12) == 0;
        let camera = Camera::new(&survivor, &self.steps);
        let place = if is_filmed {
            camera.begin();
            Place::Behind(survivor, Arc::new(camera.clone()))
        } else {
            Place::Simulated(survivor)
        };
        let what = label.clone();
        let mut run = standing.resume(label, place);
        run.wake();
        let pictures = camera.end();
        let mut steps = picture.steps.clone();
        steps.extend(way.kind.step(picture));
        self.census.count(image, &steps);
        // Nobody has seen anything yet; what is seen has to stay.
        let second = Way {
            what: &what,
            number: random.u64(..),
            standing,
            beside: 0,
            kind: Kind::Second,
        };
        let mut seen = HashSet::new();
        self.judge_each(&second, &pictures, &mut seen);
        if is_filmed {
            let second = Way {
                standing: run.standing(),
                ..second
            };
            let picture = camera.picture("nothing".to_owned());
            self.judge(&second, &picture, &mut seen, random.fork());
        }
        run.verify();
        if random.u32(..10) == 0 {
            for _ in 0..FURTHER {
                run.apply(&draw_other(&mut random));
            }
            run.finish();
            self.census.count_life();
        }
    }
}

/// Which operation it was.
fn told(number: u64, operation: &Operation) -> String {
    let what = format!("operation {number}, {operation:?}");
    what.chars().take(WHAT).collect()
}

/// Whether what an operation promises is only what it tells of: it does not
/// wait for the disk because somebody wants that.
fn is_a_look(operation: &Operation) -> bool {
    !matches!(
        operation,
        Operation::Commit { .. }
            | Operation::Checkpoint
            | Operation::Compact
            | Operation::Erase
            | Operation::Purge
            | Operation::Verify
    )
}

/// Somebody writes before the first steps of each kind that write nothing
/// through the disk, and a picture is taken after each.
fn pause(camera: &Camera, beside: Option<Beside>) -> Box<dyn FnMut(&'static str, bool) + Send> {
    let camera = camera.clone();
    let mut writes = BTreeMap::<&str, usize>::new();
    Box::new(move |name, is_before| {
        if !is_before {
            camera.take(|| "go on".to_owned());
            return;
        }
        let before = writes.entry(name).or_default();
        if let Some(beside) = beside.as_ref().filter(|_| *before < WRITES) {
            *before += 1;
            beside.write();
            camera.note_beside(beside.written());
        }
    })
}

/// The ways in which the power goes off at a place.
fn draw_crashes(random: &mut fastrand::Rng, is_unsynced: bool, is_second: bool) -> Vec<Crash> {
    let mut seed = || random.u64(..u64::from(u32::MAX));
    if is_second {
        return vec![Crash::Random(seed()), Crash::Prefix(seed())];
    }
    // Where there are no bytes, there may be names.
    let (scattered, cut) = if is_unsynced { (5, 2) } else { (1, 0) };
    let scattered = (0..scattered).map(|_| Crash::Random(seed()));
    let mut crashes: Vec<Crash> = scattered.collect();
    crashes.extend((0..cut).map(|_| Crash::Prefix(seed())));
    // What was promised is there without any luck, of names as well.
    crashes.push(Crash::KeepNothing);
    if is_unsynced {
        crashes.push(Crash::KeepAll);
    }
    crashes
}

/// What these numbers choose.
fn chosen_by(numbers: &[u64]) -> fastrand::Rng {
    numbers
        .iter()
        .fold(fastrand::Rng::with_seed(0), |mut random, number| {
            fastrand::Rng::with_seed(random.u64(..) ^ number)
        })
}
