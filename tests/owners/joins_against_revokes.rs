//! Sessions join owners, move and leave, and change their IDs, while owners
//! are revoked and caps log others out, all at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sessiondb::{Builder, Database, Error, Session, SessionId};

use crate::racing::{Flag, Ground, rounds, seed, small, together, until, watched};
use crate::support::{OTHER, OWNER};

/// An order of events that all threads agree on: what took the earlier number
/// was over, or had begun, before the other.
#[derive(Default)]
struct Time(AtomicU64);

impl Time {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A session was given to the owner between these times.
#[derive(Debug, Clone, Copy)]
struct Given {
    id: SessionId,
    from: u64,
    until: u64,
}

/// The owner was revoked between these times.
#[derive(Debug, Clone, Copy)]
struct Revoked {
    from: u64,
    until: u64,
    sessions: u64,
}

/// What the threads did.
#[derive(Default)]
struct History {
    time: Time,
    given: Mutex<Vec<Given>>,
    revoked: Mutex<Vec<Revoked>>,
    /// Threads that still give.
    giving: AtomicUsize,
}

impl History {
    fn give(&self, id: SessionId, work: impl FnOnce()) {
        let from = self.time.now();
        work();
        let until = self.time.now();
        self.given.lock().unwrap().push(Given { id, from, until });
    }

    /// How many sessions were given.
    fn count(&self) -> usize {
        self.given.lock().unwrap().len()
    }

    fn revoke(&self, database: &Database) {
        let from = self.time.now();
        let sessions = database.revoke_owner(OWNER).unwrap();
        let until = self.time.now();
        self.revoked.lock().unwrap().push(Revoked {
            from,
            until,
            sessions,
        });
    }

    /// Looks at each session that was given to the owner: one that was given
    /// before a revoke began is gone; one that was given after the last had
    /// returned is there. Returns how many are there.
    fn assert_so(&self, database: &Database, what: &str) -> usize {
        let revoked = self.revoked.lock().unwrap();
        let given = self.given.lock().unwrap();
        let mut alive = Vec::new();
        for given in given.iter() {
            let is_there = database.open_session(&given.id).unwrap().is_some();
            let before = revoked.iter().any(|revoked| given.until < revoked.from);
            let after = revoked.iter().all(|revoked| revoked.until < given.from);
            assert!(!(before && is_there), "{what}: it survived a revoke");
            assert!(!after || is_there, "{what}: an older revoke ended it");
            if is_there {
                alive.push(given.id.digest());
            } else {
                assert!(database.is_retired(given.id).unwrap(), "{what}");
            }
        }
        alive.sort_unstable();
        let mut listed: Vec<_> = crate::support::digests(database, OWNER);
        listed.sort_unstable();
        assert_eq!(listed, alive, "{what}: the list");
        let ended: u64 = revoked.iter().map(|revoked| revoked.sessions).sum();
        assert_eq!(
            ended + alive.len() as u64,
            given.len() as u64,
            "{what}: each session ends once"
        );
        alive.len()
    }
}

fn born(database: &Database) -> Session {
    let session = database.create_session();
    session.set("user", "ada").unwrap();
    session
}

/// Ways to give a session to the owner; each returns the ID that it has then.
const WAYS: usize = 4;

fn give(database: &Database, history: &History, way: usize) {
    match way % WAYS {
        0 => {
            let session = born(database);
            history.give(session.id(), || session.set_owner(Some(OWNER)).unwrap());
        }
        1 => {
            let session = database.create_session();
            session.set_owner(Some(OWNER)).unwrap();
            history.give(session.id(), || session.set("user", "ada").unwrap());
        }
        2 => {
            // Away from another owner.
            let session = born(database);
            session.set_owner(Some(OTHER)).unwrap();
            history.give(session.id(), || {
                session
                    .transaction(|tx| {
                        tx.set("page", "/")?;
                        tx.set_owner(Some(OWNER))
                    })
                    .unwrap();
            });
        }
        _ => {
            let mut session = born(database);
            let from = history.time.now();
            let id = session
                .cycle_id_with(|tx| tx.set_owner(Some(OWNER)))
                .unwrap();
            let until = history.time.now();
            let mut given = history.given.lock().unwrap();
            given.push(Given { id, from, until });
        }
    }
}

#[test]
fn a_session_given_before_a_revoke_ends_and_one_given_after_it_stays() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open();
            let before = database.stats().batches;
            let history = History::default();
            let givers = 4;
            history.giving.store(givers, Ordering::SeqCst);
            let each = rounds(60);
            together(givers + 2, |thread| {
                if thread < givers {
                    for round in 0..each {
                        give(&database, &history, thread + round);
                    }
                    history.giving.fetch_sub(1, Ordering::SeqCst);
                    return;
                }
                // Two of them, so that revokes race each other, too.
                let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
                while history.giving.load(Ordering::SeqCst) > 0 {
                    let enough = history.count() + random.usize(0..25);
                    until("the others get on", || {
                        history.count() >= enough || history.giving.load(Ordering::SeqCst) == 0
                    });
                    history.revoke(&database);
                }
            });
            // And some after all of it.
            for way in 0..2 * WAYS {
                give(&database, &history, way);
            }
            let what = format!("seed {seed}");
            assert!(history.assert_so(&database, &what) >= 2 * WAYS, "{what}");
            crate::racing::assert_checkpointed(&database, before);
            ground.afterwards(&database, |again| {
                assert!(history.assert_so(again, &what) >= 2 * WAYS, "{what}");
            });
        }
    });
}

/// So often a session changes its ID while its owner is revoked, at most.
const CYCLES: usize = 50;

#[test]
fn a_session_of_the_owner_does_not_escape_a_revoke_by_changing_its_id() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open();
            for round in 0..rounds(120) {
                let sessions: Vec<_> = (0..3)
                    .map(|_| {
                        let session = born(&database);
                        session.set_owner(Some(OWNER)).unwrap();
                        Mutex::new(session)
                    })
                    .collect();
                if round % 2 == 0 {
                    database.checkpoint().unwrap();
                }
                let what = format!("seed {seed} round {round}");
                let progress = AtomicUsize::new(0);
                let is_over = Flag::new();
                together(sessions.len() + 1, |thread| {
                    let Some(session) = sessions.get(thread) else {
                        let _end = is_over.at_end();
                        until("the others get on", || {
                            progress.load(Ordering::Relaxed) >= round % 8
                        });
                        assert_eq!(database.revoke_owner(OWNER).unwrap(), 3, "{what}");
                        return;
                    };
                    let mut session = session.lock().unwrap();
                    // Not for ever: who looks for all of them begins anew with
                    // each.
                    for _ in 0..CYCLES {
                        let was_over = is_over.is_raised();
                        match session.cycle_id() {
                            Ok(_) => assert!(!was_over, "{what}: it has escaped"),
                            Err(Error::SessionGone) => break,
                            Err(error) => panic!("{what}: {error}"),
                        }
                        progress.fetch_add(1, Ordering::Relaxed);
                    }
                });
                for session in sessions {
                    let id = session.into_inner().unwrap().id();
                    let found = database.open_session(&id).unwrap();
                    assert!(found.is_none(), "{what}");
                }
                assert_eq!(database.sessions_of(OWNER).unwrap(), [], "{what}");
            }
            ground.afterwards(&database, |again| {
                assert_eq!(again.sessions().count(), 0, "seed {seed}");
            });
        }
    });
}

const CAP: usize = 3;

fn capped() -> Builder {
    small().sessions_per_owner(Some(CAP))
}

#[test]
fn a_cap_holds_whenever_it_is_quiet_and_the_last_to_join_is_among_those_who_stay() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open_with(capped());
            let before = database.stats().batches;
            for round in 0..rounds(15) {
                let all = together(4, |thread| {
                    let joined = (0..8).map(|number| {
                        let mut session = born(&database);
                        if (thread + number) % 2 == 0 {
                            session.set_owner(Some(OWNER)).unwrap();
                        } else {
                            session
                                .cycle_id_with(|tx| tx.set_owner(Some(OWNER)))
                                .unwrap();
                        }
                        session.id()
                    });
                    joined.collect::<Vec<_>>()
                });
                let what = format!("seed {seed} round {round}");
                let alive = all.iter().flatten();
                let alive: Vec<_> = alive
                    .filter(|id| database.open_session(id).unwrap().is_some())
                    .map(SessionId::digest)
                    .collect();
                let mut listed = crate::support::digests(&database, OWNER);
                assert_eq!(listed.len(), CAP, "{what}");
                listed.retain(|digest| !alive.contains(digest));
                assert_eq!(listed, [], "{what}: of an earlier round");
                // Of each thread only the last ones can have stayed.
                let last = born(&database);
                last.set_owner(Some(OWNER)).unwrap();
                assert!(last.contains_key("user").unwrap(), "{what}");
                assert_eq!(database.sessions_of(OWNER).unwrap().len(), CAP, "{what}");
            }
            crate::racing::assert_checkpointed(&database, before);
            ground.afterwards(&database, |again| {
                assert_eq!(again.sessions_of(OWNER).unwrap().len(), CAP);
                assert_eq!(again.sessions().count(), CAP, "seed {seed}");
            });
        }
    });
}

/// What a thread does with sessions that others have in hand, too. Nothing of
/// it may fail but with `SessionGone`.
fn meddle(
    database: &Database,
    sessions: &[Mutex<SessionId>],
    random: &mut fastrand::Rng,
) -> Result<(), Error> {
    let owner = *random.choice(&[OWNER, OTHER, "user:4"]).expect("some");
    let place = &sessions[random.usize(0..sessions.len())];
    let id = *place.lock().unwrap();
    let Some(mut session) = database.open_session(&id)? else {
        // Another one takes its place.
        let session = database.create_session();
        session.set_owner(Some(owner))?;
        session.set("user", "ada")?;
        *place.lock().unwrap() = session.id();
        return Ok(());
    };
    match random.u8(..16) {
        0..5 => session.set_owner(Some(owner))?,
        5 => session.set_owner(None)?,
        6 => session.transaction(|tx| {
            tx.clear()?;
            tx.set_owner(Some(owner))?;
            tx.set("user", "eve")
        })?,
        7 => session.set_bytes("page", &[7; 500])?,
        8 => drop(session.flush()?),
        9 => {
            *place.lock().unwrap() = session.cycle_id_with(|tx| tx.set_owner(Some(owner)))?;
        }
        10 => {
            *place.lock().unwrap() = session.flush_with(|tx| {
                tx.set("user", "eve")?;
                tx.set_owner(Some(owner))
            })?;
        }
        11 => drop(database.revoke_owner(owner)?),
        12 => drop(database.revoke_owner_except(owner, &id)?),
        13 => drop(database.revoke(id)?),
        14 => {
            for info in database.sessions_of(owner)? {
                assert_eq!(info.owner.as_deref(), Some(owner));
            }
        }
        _ => drop(database.inspect(&id.digest())?),
    }
    Ok(())
}

#[test]
fn everything_at_once_comes_to_an_end_and_leaves_no_owner_with_too_many() {
    watched(|| {
        let seed = seed();
        for ground in Ground::both(seed) {
            let database = ground.open_with(capped());
            let quick = database.with_durability(sessiondb::Durability::Deferred {
                sync_within: Duration::from_millis(5),
            });
            let before = database.stats().batches;
            let sessions: Vec<_> = (0..12).map(|_| Mutex::new(born(&database).id())).collect();
            let each = rounds(250);
            together(6, |thread| {
                let mut random = fastrand::Rng::with_seed(seed ^ thread as u64);
                let database = if thread % 2 == 0 { &database } else { &quick };
                for _ in 0..each {
                    match meddle(database, &sessions, &mut random) {
                        Ok(()) | Err(Error::SessionGone) => {}
                        Err(error) => panic!("seed {seed}: {error}"),
                    }
                }
            });
            crate::racing::assert_checkpointed(&database, before);
            database.commit().unwrap();
            let told = |database: &Database| {
                let mut told: Vec<_> = database.sessions().map(Result::unwrap).collect();
                for owner in [OWNER, OTHER, "user:4"] {
                    let listed = database.sessions_of(owner).unwrap();
                    let many = listed.len();
                    assert!(many <= CAP, "{many} of {owner}, seed {seed}");
                    let walked = told.iter();
                    let walked = walked.filter(|info| info.owner.as_deref() == Some(owner));
                    assert_eq!(walked.count(), many, "of {owner}, seed {seed}");
                }
                // As of the last checkpoint.
                for info in &mut told {
                    (info.keys, info.bytes) = (0, 0);
                }
                told
            };
            let expected = told(&database);
            ground.afterwards(&database, |again| {
                assert_eq!(told(again), expected, "seed {seed}");
            });
        }
    });
}
