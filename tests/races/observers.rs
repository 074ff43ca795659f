//! What anybody has seen is on disk, also when the power fails right then.

use std::time::Duration;

use sessiondb::{Crash, Database, Durability, SessionId, SimulatedDisk};

use crate::support::{Ground, crash, rounds, seed, together, verify_and_close, watched};

/// What a reader saw last, before the power failed.
#[derive(Debug, Default)]
struct Seen {
    counter: Option<u64>,
    /// Keys that were seen to be gone.
    gone: Vec<usize>,
    /// That the session was seen to be flushed.
    flushed: bool,
}

const FLASHES: usize = 30;

struct Scene {
    counted: SessionId,
    flashes: SessionId,
    flushed: SessionId,
}

fn scene(database: &Database) -> Scene {
    let born = |keys: usize| {
        let session = database.create_session();
        session
            .transaction(|tx| (0..keys).try_for_each(|n| tx.set(&format!("flash {n}"), &n)))
            .unwrap();
        session.set("counter", &0_u64).unwrap();
        session.id()
    };
    Scene {
        counted: born(0),
        flashes: born(FLASHES),
        flushed: born(1),
    }
}

/// Reads until the power fails.
fn observe(database: &Database, stage: &Scene, seed: u64) -> Seen {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sight = Seen::default();
    let open = |id| database.open_session(id).ok().flatten();
    let (Some(counted), Some(flashes)) = (open(&stage.counted), open(&stage.flashes)) else {
        return sight;
    };
    // The power need not fail while nothing is written any more.
    for _ in 0..3000 {
        match counted.get("counter") {
            Ok(found) => sight.counter = sight.counter.max(found),
            Err(_) => break,
        }
        let flash = random.usize(0..FLASHES);
        match flashes.get::<usize>(&format!("flash {flash}")) {
            Ok(None) => sight.gone.push(flash),
            Ok(Some(_)) => {}
            Err(_) => break,
        }
        match database.open_session(&stage.flushed) {
            Ok(None) => sight.flushed = true,
            Ok(Some(_)) => {}
            Err(_) => break,
        }
    }
    sight
}

/// Writes until the power fails.
fn work(database: &Database, stage: &Scene, thread: usize) {
    let Ok(Some(counted)) = database.open_session(&stage.counted) else {
        return;
    };
    let Ok(Some(flashes)) = database.open_session(&stage.flashes) else {
        return;
    };
    for round in 0..60_usize {
        let counted = counted.update("counter", |n: Option<u64>| n.map(|n| n + 1));
        let popped = flashes.pop::<usize>(&format!("flash {}", (round + thread) % FLASHES));
        if counted.is_err() || popped.is_err() {
            return;
        }
        if round == 10
            && thread == 0
            && let Ok(Some(mut session)) = database.open_session(&stage.flushed)
            && session.flush().is_err()
        {
            return;
        }
    }
}

fn assert_still_so(again: &Database, stage: &Scene, seen: &[Seen], context: &str) {
    let counted = again.open_session(&stage.counted).unwrap().expect("alive");
    let flashes = again.open_session(&stage.flashes).unwrap().expect("alive");
    let found: Option<u64> = counted.get("counter").unwrap();
    for seen in seen {
        assert!(
            found >= seen.counter,
            "{found:?} after {:?} was seen, {context}",
            seen.counter
        );
        for flash in &seen.gone {
            let key = format!("flash {flash}");
            assert!(!flashes.contains_key(&key).unwrap(), "{key}, {context}");
        }
        if seen.flushed {
            let found = again.open_session(&stage.flushed).unwrap();
            assert!(found.is_none(), "a flushed session came back, {context}");
        }
    }
}

/// `writers` is the view of the database that is written through.
fn race(writers: impl Fn(&Database) -> Database) {
    for round in 0..rounds(4) {
        let seed = seed();
        let mut random = fastrand::Rng::with_seed(seed);
        let ground = Ground::simulated(seed);
        let Ground::Simulated(disk) = &ground else {
            unreachable!("it is simulated");
        };
        let database = ground.open();
        let stage = scene(&database);
        let written = writers(&database);
        disk.power_off_after(random.u64(1..250));
        let sights = together(5, |thread| {
            if thread < 2 {
                work(&written, &stage, thread);
                return Seen::default();
            }
            observe(&database, &stage, seed ^ thread as u64)
        });
        for how in fates(&mut random) {
            let context = format!("{how:?} seed {seed} round {round}");
            let again = crash(disk, how);
            assert_still_so(&again, &stage, &sights, &context);
            verify_and_close(&again);
        }
        check_survivor_of(disk);
    }
}

fn fates(random: &mut fastrand::Rng) -> [Crash; 2] {
    [Crash::KeepNothing, Crash::Random(random.u64(..))]
}

/// Everything the disk still shows is whole, too, when only the process died.
fn check_survivor_of(disk: &SimulatedDisk) {
    verify_and_close(&crash(disk, Crash::KeepAll));
}

#[test]
fn what_a_reader_saw_is_there_after_a_power_cut() {
    watched(|| race(Database::clone));
}

#[test]
fn what_an_immediate_reader_saw_of_deferred_writes_is_there_after_a_power_cut() {
    watched(|| {
        race(|database| {
            database.with_durability(Durability::Deferred {
                sync_within: Duration::from_millis(3),
            })
        });
    });
}
