//! `committed()` as a future: thousands in flight, dropped ones, and a failure.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use sessiondb::{
    Committed, Crash, Database, Durability, Error, Fault, FaultEffect, Operation, Session,
};

use crate::support::{Ground, crash, rounds, seed, together, watched};

/// The tasks that were woken.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    woken: Condvar,
}

struct Task {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.ready.queue.lock().unwrap().push_back(self.number);
        self.ready.woken.notify_one();
    }
}

/// Runs futures to their ends in this thread: polls each once, and then only
/// those that were woken.
fn run<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let ready = Arc::new(Ready::default());
    let mut tasks: Vec<_> = futures
        .into_iter()
        .enumerate()
        .map(|(number, future)| {
            let ready = Arc::clone(&ready);
            let waker = Waker::from(Arc::new(Task { number, ready }));
            (Some(Box::pin(future)), waker, None)
        })
        .collect();
    ready.queue.lock().unwrap().extend(0..tasks.len());
    let mut open = tasks.len();
    while open > 0 {
        let number = {
            let mut queue = ready.queue.lock().unwrap();
            loop {
                match queue.pop_front() {
                    Some(number) => break number,
                    None => queue = ready.woken.wait(queue).unwrap(),
                }
            }
        };
        let (future, waker, output) = &mut tasks[number];
        let Some(polled) = future else { continue };
        if let Poll::Ready(value) = polled.as_mut().poll(&mut Context::from_waker(waker)) {
            *output = Some(value);
            *future = None;
            open -= 1;
        }
    }
    let outputs = tasks.into_iter().filter_map(|(_, _, output)| output);
    outputs.collect()
}

/// A view whose writes are on disk when somebody asks, and not before.
fn deferred(database: &Database) -> Database {
    database.with_durability(Durability::Deferred {
        sync_within: Duration::from_secs(3600),
    })
}

async fn request(session: Session, number: usize) -> Result<(Session, usize), Error> {
    session.set("number", &number)?;
    session.committed().await?;
    Ok((session, number))
}

#[test]
fn thousands_of_writes_in_flight_are_all_on_disk_when_their_futures_say_so() {
    watched(|| {
        let seed = seed();
        let ground = Ground::simulated(seed);
        let Ground::Simulated(disk) = &ground else {
            unreachable!("it is simulated");
        };
        let database = ground.open();
        let quick = deferred(&database);
        let each = rounds(1500);
        let done = together(2, |_| {
            let requests = (0..each).map(|number| request(quick.create_session(), number));
            run(requests.collect())
        });
        let again = crash(disk, Crash::KeepNothing);
        for outcome in done.into_iter().flatten() {
            let (session, number) = outcome.unwrap();
            let found = again.open_session(&session.id()).unwrap();
            let found = found.expect("it was committed").get("number").unwrap();
            assert_eq!(found, Some(number), "seed {seed}");
        }
        again.close().unwrap();
    });
}

#[test]
fn a_dropped_future_cancels_nothing_and_holds_nobody_up() {
    watched(|| {
        let seed = seed();
        let mut random = fastrand::Rng::with_seed(seed);
        let ground = Ground::simulated(seed);
        let database = ground.open();
        let quick = deferred(&database);
        let ready = Arc::new(Ready::default());
        for number in 0..rounds(300) {
            let session = quick.create_session();
            session.set("number", &number).unwrap();
            let task = Task {
                number,
                ready: Arc::clone(&ready),
            };
            let waker = Waker::from(Arc::new(task));
            let mut context = Context::from_waker(&waker);
            if random.bool() {
                // Dropped before or after it was asked for the first time.
                let mut dropped = session.committed();
                if random.bool() {
                    let _ = Pin::new(&mut dropped).poll(&mut context);
                }
            }
            let kept = pin!(session.committed());
            let mut kept = kept;
            if random.bool() {
                let _ = kept.as_mut().poll(&mut context);
            }
            run(vec![kept]).pop().expect("one").unwrap();
            assert_eq!(session.get("number").unwrap(), Some(number), "seed {seed}");
        }
        database.close().unwrap();
    });
}

#[test]
fn a_failure_wakes_every_future_with_an_error() {
    watched(|| {
        let ground = Ground::simulated(seed());
        let Ground::Simulated(disk) = &ground else {
            unreachable!("it is simulated");
        };
        let database = ground.open_with(crate::support::small().background(false));
        let quick = deferred(&database);
        let session = quick.create_session();
        session.set("before", &true).unwrap();
        session.commit().unwrap();
        disk.inject(Fault {
            operation: Operation::SyncData,
            path_contains: "journal".into(),
            after: 0,
            times: 1,
            kind: std::io::ErrorKind::Other,
            effect: FaultEffect::LosePages,
        });
        let futures: Vec<Committed> = (0..500_u32)
            .map(|number| {
                session.set("number", &number).unwrap();
                session.committed()
            })
            .collect();
        let outcomes = run(futures);
        assert_eq!(outcomes.len(), 500);
        for outcome in outcomes {
            assert!(
                matches!(outcome, Err(Error::Poisoned { .. })),
                "{outcome:?}"
            );
        }
        let after = session.committed();
        assert!(matches!(
            run(vec![after]).pop(),
            Some(Err(Error::Poisoned { .. }))
        ));
        drop(database.close());
    });
}

#[test]
fn futures_that_are_in_flight_at_a_close_come_to_an_end() {
    watched(|| {
        let seed = seed();
        for _ in 0..rounds(4) {
            let ground = Ground::simulated(seed);
            let database = ground.open();
            let quick = deferred(&database);
            let written = AtomicUsize::new(0);
            let ids = together(3, |thread| {
                if thread == 2 {
                    crate::support::until("the writers get on", || {
                        written.load(Ordering::Relaxed) > 50
                    });
                    database.close().unwrap();
                    return Vec::new();
                }
                let mut kept = Vec::new();
                loop {
                    let mut futures = Vec::new();
                    for _ in 0..5 {
                        let session = quick.create_session();
                        if session.set("n", &1).is_ok() {
                            futures.push(session.committed());
                            kept.push(session.id());
                        }
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                    if futures.is_empty() {
                        return kept;
                    }
                    // A close commits everything.
                    for outcome in run(futures) {
                        outcome.unwrap();
                    }
                }
            });
            let again = ground.open();
            for id in ids.into_iter().flatten() {
                assert!(again.open_session(&id).unwrap().is_some(), "seed {seed}");
            }
            again.close().unwrap();
        }
    });
}
