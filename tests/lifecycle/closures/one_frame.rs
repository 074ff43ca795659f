//! A power cut keeps all that was before a login or a logout, or all that is
//! after it; nothing in between, and what was acknowledged is kept.

use sessiondb::{Crash, Expiry, IndexFate, Result, Session, SessionId};

use crate::support::{CRASHES, IDLE, NEVER_BY_ITSELF, Scene, contents, named};

type Work = fn(&mut Session) -> Result<SessionId>;

fn logs_in(session: &mut Session) -> Result<SessionId> {
    session.cycle_id_with(|tx| {
        tx.set("user", &2)?;
        tx.delete("cart")?;
        tx.set("login", &3)?;
        tx.set_expiry(Expiry::Idle(3 * IDLE));
        tx.set_owner(Some("user:42"))
    })
}

fn logs_out(session: &mut Session) -> Result<SessionId> {
    session.flush_with(|tx| {
        tx.set("message", &2)?;
        tx.set("until", &3)?;
        tx.set_expiry(Expiry::Idle(3 * IDLE));
        tx.set_owner(Some("user:43"))
    })
}

/// What a power cut left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum World {
    Old,
    New,
}

/// Asserts that it is one of both worlds, as a whole.
#[track_caller]
fn world(
    scene: &Scene,
    old: &SessionId,
    new: &SessionId,
    keys: &[(&str, i64)],
    owner: &str,
) -> World {
    let sessions_of = |name| {
        let sessions = scene.db.sessions_of(name).unwrap().into_iter();
        sessions.map(|info| info.digest).collect::<Vec<_>>()
    };
    let found = if let Some(session) = scene.db.open_session(old).unwrap() {
        assert!(old == new || !scene.is_open(new), "both are there");
        assert_eq!(contents(&session), named(&[("cart", 1), ("user", 1)]));
        assert_eq!(session.expiry().unwrap(), Expiry::Idle(2 * IDLE));
        assert!(!scene.db.is_retired(*old).unwrap());
        assert_eq!(sessions_of("user:41"), [old.digest()]);
        assert_eq!(sessions_of(owner), []);
        World::Old
    } else {
        let session = scene.handle(new);
        assert_eq!(contents(&session), named(keys));
        assert_eq!(session.expiry().unwrap(), Expiry::Idle(3 * IDLE));
        assert_eq!(session.owner().unwrap().as_deref(), Some(owner));
        assert!(scene.db.is_retired(*old).unwrap());
        assert!(!scene.db.is_retired(*new).unwrap());
        assert_eq!(sessions_of(owner), [new.digest()]);
        assert_eq!(sessions_of("user:41"), []);
        World::New
    };
    scene.is_sound();
    found
}

/// A session that somebody owns, in the journal or in a segment.
fn begin(settled: bool) -> (Scene, Session) {
    let scene = Scene::new();
    let session = scene.with_expiry(Expiry::Idle(2 * IDLE));
    session.set("cart", &1).unwrap();
    session.set_owner(Some("user:41")).unwrap();
    if settled {
        scene.db.checkpoint().unwrap();
    }
    (scene, session)
}

/// Cuts the power at every moment of `work`.
fn at_every_moment(settled: bool, index: IndexFate, work: Work, keys: &[(&str, i64)], owner: &str) {
    let mut seen = Vec::new();
    for steps in 0.. {
        let (scene, mut session) = begin(settled);
        let old = session.id();
        scene.disk.power_off_after(steps);
        let done = work(&mut session);
        let is_over = !scene.disk.is_off();
        for how in CRASHES {
            let survivor = scene.disk.crash(*how, index).unwrap();
            let after = Scene::on(survivor, scene.clock.clone(), |builder| builder);
            let found = world(&after, &old, &session.id(), keys, owner);
            if done.is_ok() {
                assert_eq!(found, World::New, "it was acknowledged: {steps}, {how:?}");
            }
            seen.push(found);
        }
        if is_over {
            done.unwrap();
            break;
        }
    }
    assert!(seen.contains(&World::Old) && seen.contains(&World::New));
}

/// Cuts the power while `work`, which nobody waited for, is being synced
/// together with what others wrote.
fn before_the_sync(settled: bool, work: Work, keys: &[(&str, i64)], owner: &str) {
    let mut seen = Vec::new();
    for steps in 0..4 {
        let (scene, session) = begin(settled);
        let old = session.id();
        let quick = scene.db.with_durability(NEVER_BY_ITSELF);
        let mut session = quick.open_session(&old).unwrap().unwrap();
        let visitor = quick.create_session();
        visitor.set_bytes("page", &[1; 3000]).unwrap();
        let new = work(&mut session).unwrap();
        visitor.set_bytes("page", &[2; 3000]).unwrap();
        scene.disk.power_off_after(steps);
        let committed = quick.commit().is_ok();
        for seed in 0..8 {
            let survivor = scene
                .disk
                .crash(Crash::Random(seed), IndexFate::Kept)
                .unwrap();
            let after = Scene::on(survivor, scene.clock.clone(), |builder| builder);
            let found = world(&after, &old, &new, keys, owner);
            if committed {
                assert_eq!(found, World::New, "it was acknowledged: {steps}, {seed}");
            }
            seen.push(found);
        }
    }
    assert!(seen.contains(&World::Old) && seen.contains(&World::New));
}

const LOGGED_IN: &[(&str, i64)] = &[("login", 3), ("user", 2)];
const LOGGED_OUT: &[(&str, i64)] = &[("message", 2), ("until", 3)];

#[test]
fn a_login_is_there_as_a_whole_or_not_at_all() {
    at_every_moment(false, IndexFate::Kept, logs_in, LOGGED_IN, "user:42");
    at_every_moment(true, IndexFate::Kept, logs_in, LOGGED_IN, "user:42");
    at_every_moment(true, IndexFate::Lost, logs_in, LOGGED_IN, "user:42");
}

#[test]
fn a_logout_is_there_as_a_whole_or_not_at_all() {
    at_every_moment(false, IndexFate::Kept, logs_out, LOGGED_OUT, "user:43");
    at_every_moment(true, IndexFate::Kept, logs_out, LOGGED_OUT, "user:43");
    at_every_moment(true, IndexFate::Lost, logs_out, LOGGED_OUT, "user:43");
}

#[test]
fn a_login_that_was_not_synced_is_there_as_a_whole_or_not_at_all() {
    for settled in [false, true] {
        before_the_sync(settled, logs_in, LOGGED_IN, "user:42");
    }
}

#[test]
fn a_logout_that_was_not_synced_is_there_as_a_whole_or_not_at_all() {
    for settled in [false, true] {
        before_the_sync(settled, logs_out, LOGGED_OUT, "user:43");
    }
}

#[test]
fn each_is_one_frame_beside_which_a_transaction_is_not_smaller_by_much() {
    for work in [logs_in as Work, logs_out] {
        let (scene, mut session) = begin(false);
        let before = scene.db.stats().journal_live_bytes;
        let done = session.transaction(|tx| {
            tx.set("user", &2)?;
            tx.set("login", &3)
        });
        done.unwrap();
        let transaction = scene.db.stats().journal_live_bytes - before;
        let before = scene.disk.operations();
        session.set("user", &3).unwrap();
        let one_frame = scene.disk.operations() - before;
        let before = scene.db.stats().journal_live_bytes;
        let operations = scene.disk.operations();
        work(&mut session).unwrap();
        assert_eq!(scene.disk.operations() - operations, one_frame);
        let bytes = scene.db.stats().journal_live_bytes - before;
        assert!(
            bytes < transaction + 256,
            "{bytes} bytes beside {transaction}"
        );
    }
}
