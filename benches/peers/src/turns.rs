//! Engines that work in turns, and threads that work for a slice of time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::field::{Field, Member};
use crate::numbers::float;
use crate::run::Run;
use crate::samples::Rounds;

/// What everybody is held against, in turns with the engines.
pub(crate) type Yardstick<'y> = &'y mut dyn FnMut(Duration) -> Outcome<f64>;

/// One figure for each round, of each engine and of the yardstick.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) engines: Vec<(&'static str, Vec<Rounds>)>,
    pub(crate) yardstick: Rounds,
}

impl Turns {
    /// Adds a figure of one more round of an engine's only row.
    pub(crate) fn push(&mut self, engine: &'static str, figure: f64) {
        let known = self.engines.iter_mut().find(|(name, _)| *name == engine);
        match known.and_then(|(_, rows)| rows.first_mut()) {
            Some(rounds) => rounds.0.push(figure),
            None => self.engines.push((engine, vec![Rounds(vec![figure])])),
        }
    }
}

/// Has every engine work for a slice of time in each round; a slice comes to
/// some figures.
pub(crate) fn in_turns(
    run: &Run,
    field: &mut Field,
    mut yardstick: Option<Yardstick<'_>>,
    mut work: impl FnMut(&mut Member, Duration) -> Outcome<Vec<f64>>,
) -> Outcome<Turns> {
    let count = field.members.len();
    let slice = run.slice(count);
    let mut turns = Turns {
        engines: field
            .members
            .iter()
            .map(|member| (member.kind.name, Vec::new()))
            .collect(),
        yardstick: Rounds::default(),
    };
    for round in 0..run.rounds() {
        let first = usize::try_from(round)? % count.max(1);
        // What one leaves to the background disturbs another in each round.
        for place in (first..count).chain(0..first) {
            let member = field.members.get_mut(place).ok_or("an engine is gone")?;
            let figures =
                work(member, slice).map_err(|error| format!("{}: {error}", member.kind.name))?;
            let (_, rounds) = turns.engines.get_mut(place).ok_or("an engine is gone")?;
            rounds.resize_with(figures.len().max(rounds.len()), Rounds::default);
            for (rounds, figure) in rounds.iter_mut().zip(figures) {
                rounds.0.push(figure);
            }
        }
        if let Some(yardstick) = &mut yardstick {
            turns.yardstick.0.push(yardstick(slice)?);
        }
    }
    Ok(turns)
}

/// So many threads work until the slice is over; each says how often it did
/// its work, and so is told how often that is in a second.
pub(crate) fn rate(
    threads: usize,
    slice: Duration,
    work: impl Fn(usize, &AtomicBool) -> Outcome<u64> + Sync,
) -> Outcome<f64> {
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let done = thread::scope(|scope| -> Outcome<u64> {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (work, over) = (&work, &over);
                scope.spawn(move || work(thread, over))
            })
            .collect();
        thread::sleep(slice);
        over.store(true, Ordering::Relaxed);
        let mut done = 0;
        for worker in workers {
            done += worker.join().map_err(|_| "a thread panicked")??;
        }
        Ok(done)
    })?;
    Ok(float(done) / start.elapsed().as_secs_f64())
}

/// Does something until it is over, and tells how often.
pub(crate) fn until(over: &AtomicBool, mut work: impl FnMut() -> Outcome<()>) -> Outcome<u64> {
    let mut done = 0;
    while !over.load(Ordering::Relaxed) {
        work()?;
        done += 1;
    }
    Ok(done)
}
