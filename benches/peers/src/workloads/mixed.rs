//! What a server does all day, by eight threads, each with a part of the
//! sessions: mostly lookups and requests, sometimes a login or a logout.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::names::{P999, STALL};
use super::shared::KEYS;
use super::{get, request, set, whole};
use crate::Outcome;
use crate::engine::{Engine, Id};
use crate::field::{Field, Member};
use crate::numbers::float;
use crate::population::entries;
use crate::report::{Better, Heading};
use crate::run::Run;
use crate::samples::{Histogram, micros};
use crate::turns::in_turns;

const RATE: &str = "mixed, 8 threads";
const P50: &str = "mixed, 8 threads: p50";
const P99: &str = "mixed, 8 threads: p99";
pub(super) const NAMES: &[&str] = &[RATE, P50, P99, P999, STALL];
const THREADS: usize = 8;

/// What is done so often, of a hundred times.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Get,
    Load,
    Set,
    Request,
    /// A logout, and a login.
    Renew,
}

const SHARES: [(Operation, u32); 5] = [
    (Operation::Get, 60),
    (Operation::Load, 10),
    (Operation::Set, 14),
    (Operation::Request, 14),
    (Operation::Renew, 2),
];

fn choose(random: &mut Rng) -> Operation {
    let mut draw = random.u32(..100);
    for (operation, share) in SHARES {
        if draw < share {
            return operation;
        }
        draw -= share;
    }
    Operation::Get
}

pub(super) fn measure(run: &mut Run, field: &mut Field) -> Outcome<()> {
    if !run.wants_any(NAMES.iter().copied()) {
        return Ok(());
    }
    let mut turns = in_turns(run, field, None, |member, slice| {
        let (taken, rate) = mix(member, slice)?;
        let at = |share| micros(taken.per_myriad(share));
        let longest = micros(taken.longest) / 1e3;
        Ok(vec![rate, at(5000), at(9900), at(9990), longest])
    })?;
    let headings = [
        Heading::durable(RATE, "operations/s", Better::Higher),
        Heading::durable(P50, "us", Better::Lower),
        Heading::durable(P99, "us", Better::Lower),
        Heading::durable(P999, "us", Better::Lower),
        Heading::durable(STALL, "ms", Better::Lower),
    ];
    // The longest of all rounds, and no median of them.
    for (_, figures) in &mut turns.engines {
        if let Some(stalls) = figures.last_mut() {
            stalls.0 = vec![stalls.greatest()];
        }
    }
    run.report.add_all(&headings, &turns);
    Ok(())
}

/// Works for a slice of time; what each operation took, and how many there
/// were in a second.
pub(super) fn mix(member: &mut Member, slice: Duration) -> Outcome<(Histogram, f64)> {
    let (engine, ids) = member.parts()?;
    let per_thread = ids.len().div_ceil(THREADS).max(1);
    let all = Mutex::new(Histogram::default());
    let over = AtomicBool::new(false);
    let start = Instant::now();
    thread::scope(|scope| -> Outcome<()> {
        let workers: Vec<_> = ids
            .chunks_mut(per_thread)
            .map(|ids| {
                let (all, over) = (&all, &over);
                scope.spawn(move || -> Outcome<()> {
                    let mut random = Rng::new();
                    let mut taken = Histogram::default();
                    while !over.load(Ordering::Relaxed) {
                        let operation = choose(&mut random);
                        let start = Instant::now();
                        operate(engine, operation, ids, &mut random)?;
                        taken.push(start.elapsed());
                    }
                    let mut all = all.lock().map_err(|_| "a thread panicked")?;
                    all.append(&taken);
                    Ok(())
                })
            })
            .collect();
        thread::sleep(slice);
        over.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })?;
    let all = all.into_inner().map_err(|_| "a thread panicked")?;
    let rate = float(all.count) / start.elapsed().as_secs_f64();
    Ok((all, rate))
}

fn operate(
    engine: &dyn Engine,
    operation: Operation,
    ids: &mut [Id],
    random: &mut Rng,
) -> Outcome<()> {
    match operation {
        Operation::Get => get::get(engine, ids, random),
        Operation::Load => whole::load(engine, ids, KEYS, random),
        Operation::Set => set::set(engine, ids, random),
        Operation::Request => request::request(engine, ids, random),
        Operation::Renew => {
            let place = random.usize(..ids.len());
            let id = ids.get_mut(place).ok_or("there is no session")?;
            engine.flush(id)?.ok_or("a session is missing")?;
            let made = engine.create(&[entries(0..KEYS, random)])?;
            *id = *made.first().ok_or("no session was made")?;
            Ok(())
        }
    }
}
