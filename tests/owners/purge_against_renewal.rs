//! The purge against those who renew what is about to expire: whoever comes in
//! time keeps the session, whoever comes late finds it gone for good.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use sessiondb::{Clock as _, Crash, Database, Error, Expiry, IndexFate, SessionId};

use crate::racing::{Flag, rounds, seed, small, together, until, watched};
use crate::support::{IDLE, OTHER, OWNER, Place, Scene, everywhere};

/// A touch may be throttled for so long.
const THROTTLED: Duration = IDLE.checked_div(16).expect("not zero");
/// A session lives a little longer than this.
const ALMOST: Duration = Duration::from_secs(99_900);
/// So often the clock moves in an idle time: once with each use of a session.
const STEPS: u32 = 60;
const RENEWERS: usize = 4;
const SESSIONS: usize = 10;

/// What a renewer knows of a session that nobody else renews.
#[derive(Debug, Clone, Copy)]
struct Kept {
    id: SessionId,
    /// It was seen last between these times.
    from: SystemTime,
    until: SystemTime,
}

impl Kept {
    /// Whether it has to be there at a time.
    fn is_alive(&self, now: SystemTime) -> bool {
        now < self.from + IDLE
    }

    /// Whether it has to be gone.
    fn is_over(&self, now: SystemTime) -> bool {
        now >= self.until + IDLE
    }
}

struct Renewer<'s> {
    scene: &'s Scene,
    random: fastrand::Rng,
    kept: Vec<Kept>,
    dead: Vec<SessionId>,
    context: String,
}

impl Renewer<'_> {
    fn born(&self) -> Kept {
        let session = self.scene.db.create_session();
        let owner = if self.random.clone().bool() {
            OWNER
        } else {
            OTHER
        };
        session.set_owner(Some(owner)).unwrap();
        let from = self.scene.clock.now();
        session.set("n", &0_u64).unwrap();
        Kept {
            id: session.id(),
            from,
            until: self.scene.clock.now(),
        }
    }

    /// Uses one of the sessions, in one of several ways.
    fn step(&mut self) {
        let place = self.random.usize(0..self.kept.len());
        let mut kept = self.kept[place];
        let way = self.random.u8(..5);
        let before = self.scene.clock.now();
        let outcome = self.act(&kept.id, way);
        let after = self.scene.clock.now();
        match outcome {
            Ok(()) => {
                assert!(
                    !kept.is_over(before),
                    "{}: it is over and was used in way {way}",
                    self.context
                );
                match way {
                    // A read renews nothing.
                    0 => {}
                    1 => {
                        kept.from = kept.from.max(before - THROTTLED);
                        kept.until = after;
                    }
                    _ => {
                        kept.from = before;
                        kept.until = after;
                    }
                }
                self.kept[place] = kept;
            }
            Err(Error::SessionGone) => {
                assert!(
                    !kept.is_alive(after),
                    "{}: renewed in time, and gone in way {way}",
                    self.context
                );
                self.dead.push(kept.id);
                self.kept[place] = self.born();
            }
            Err(error) => panic!("{}: {error}", self.context),
        }
    }

    fn act(&self, id: &SessionId, way: u8) -> Result<(), Error> {
        let session = self.scene.db.open_session(id)?;
        let session = session.ok_or(Error::SessionGone)?;
        match way {
            0 => session.get::<u64>("n").map(drop),
            1 => session.touch(),
            2 => session.set("n", &1_u64),
            3 => {
                let counted = session.update("n", |n: Option<u64>| n.map(|n| n + 1));
                counted.map(drop)
            }
            _ => session.transaction(|tx| {
                tx.clear()?;
                tx.set("n", &0_u64)
            }),
        }
    }
}

/// As the renewers left them.
#[track_caller]
fn assert_as_kept(scene: &Scene, kept: &[Kept], dead: &[SessionId], what: &str) {
    let now = scene.clock.now();
    for kept in kept {
        let found = scene.db.open_session(&kept.id).unwrap();
        let is_there = found.is_some_and(|session| session.contains_key("n").unwrap());
        assert!(is_there || !kept.is_alive(now), "{what}: renewed and gone");
        assert!(!is_there || !kept.is_over(now), "{what}: over and there");
    }
    for id in dead {
        assert!(scene.db.open_session(id).unwrap().is_none(), "{what}");
        assert!(
            scene.db.revoke(*id).is_ok_and(|was_there| !was_there),
            "{what}"
        );
    }
}

fn race(steps: usize, purge: impl Fn(&Database) + Sync) {
    let seed = seed();
    let scene = Scene::with(small().idle_timeout(Some(IDLE)).retire_ids_for(IDLE * 1000));
    let progress = AtomicUsize::new(0);
    let over = Flag::new();
    let renewed = together(RENEWERS + 1, |thread| {
        // Whoever ends, one way or the other, ends it for all.
        let _end = over.at_end();
        if thread == RENEWERS {
            while !over.is_raised() {
                purge(&scene.db);
            }
            return None;
        }
        let mut renewer = Renewer {
            scene: &scene,
            random: fastrand::Rng::with_seed(seed ^ thread as u64),
            kept: Vec::new(),
            dead: Vec::new(),
            context: format!("seed {seed} thread {thread}"),
        };
        renewer.kept = (0..SESSIONS).map(|_| renewer.born()).collect();
        while !over.is_raised() && progress.fetch_add(1, Ordering::Relaxed) < steps {
            renewer.step();
            scene.clock.advance(IDLE / STEPS);
        }
        Some((renewer.kept, renewer.dead))
    });
    let what = format!("seed {seed}");
    let (kept, dead): (Vec<_>, Vec<_>) = renewed.into_iter().flatten().unzip();
    let (kept, dead) = (kept.concat(), dead.concat());
    assert!(
        dead.len() > steps / 80,
        "{what}: hardly any expired: {}",
        dead.len()
    );
    assert_as_kept(&scene, &kept, &dead, &what);
    // What is due now is gone at the end, and nothing else is.
    let there = scene.db.sessions().count() as u64;
    scene.db.purge_expired().unwrap();
    assert_eq!(scene.db.verify().unwrap().sessions, there, "{what}");
    assert_as_kept(&scene, &kept, &dead, &what);
    let scene = scene.crashed(Crash::KeepNothing, IndexFate::Kept);
    assert_as_kept(&scene, &kept, &dead, &format!("{what}, after the crash"));
    let scene = scene.crashed(Crash::KeepNothing, IndexFate::Lost);
    assert_as_kept(&scene, &kept, &dead, &format!("{what}, rebuilt"));
    assert_eq!(scene.db.verify().unwrap().sessions, there, "{what}");
}

#[test]
fn who_renews_in_time_keeps_the_session_while_others_are_purged_by_hand() {
    watched(|| {
        let removed = AtomicU64::new(0);
        race(rounds(4000), |database| {
            removed.fetch_add(database.purge_expired().unwrap(), Ordering::Relaxed);
        });
        assert!(removed.into_inner() > 0);
    });
}

#[test]
fn who_renews_in_time_keeps_the_session_while_the_background_purges() {
    // It does so once a second.
    watched(|| race(rounds(16_000), |_| std::thread::yield_now()));
}

#[test]
fn a_session_that_was_renewed_since_the_last_checkpoint_outlives_its_old_date() {
    type Renew = fn(&Scene, &SessionId);
    let renewals: [Renew; 4] = [
        |scene, id| scene.session(id).set("page", "/").unwrap(),
        |scene, id| scene.session(id).touch().unwrap(),
        |scene, id| {
            let far = Expiry::At(scene.clock.now() + 2 * IDLE);
            scene.session(id).set_expiry(far).unwrap();
        },
        |scene, id| scene.session(id).set_owner(Some(OTHER)).unwrap(),
    ];
    for renew in renewals {
        everywhere(
            |scene| scene.born_ids(2, Some(OWNER)),
            |scene, ids, what| {
                // Almost over; one of the two is renewed.
                scene.clock.advance(ALMOST);
                renew(&scene, &ids[0]);
                scene.clock.advance(IDLE.abs_diff(ALMOST));
                assert_eq!(scene.db.purge_expired().unwrap(), 1, "{what}");
                scene.assert_gone(&ids[1], what);
                scene.assert_all(&ids[..1], what);
                let scene = scene.at(Place::Rebuilt);
                assert_eq!(scene.db.purge_expired().unwrap(), 0, "{what}");
                scene.assert_all(&ids[..1], what);
                scene.clock.advance(2 * IDLE);
                assert_eq!(scene.db.purge_expired().unwrap(), 1, "{what}");
                scene.assert_gone(&ids[0], what);
                scene.assert_all(&[], what);
            },
        );
    }
}

#[test]
fn the_background_purges_by_itself_and_leaves_what_was_renewed() {
    watched(|| {
        let scene = Scene::with(small().idle_timeout(Some(IDLE)));
        let ids = scene.born_ids(40, Some(OWNER));
        scene.clock.advance(ALMOST);
        for id in &ids[30..] {
            scene.session(id).touch().unwrap();
        }
        scene.clock.advance(IDLE.abs_diff(ALMOST));
        // Nobody asks for it. What it does shows in the segments, where the
        // tombstones go.
        let before = scene.db.stats();
        until("the background purges", || {
            let now = scene.db.stats();
            now.batches > before.batches && now.memtable_bytes == 0
        });
        until("all that is over is purged", || {
            scene.db.verify().unwrap().sessions == 10
        });
        scene.assert_all(&ids[30..], "purged");
        assert_eq!(scene.db.purge_expired().unwrap(), 0);
    });
}
