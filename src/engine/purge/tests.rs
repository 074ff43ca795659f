//! What the purge looks at, and what it does about it.

mod crashes;
mod groups;
mod seconds;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{PurgeCursor, Rows};
use crate::engine::testing::{check_hash, rebuild};
use crate::format::identity::Timestamp;
use crate::format::record::SessionRow;
use crate::index::{Hint, HintGroup, HintMove, Index, hint_of};
use crate::{
    Builder, Clock as _, Database, Expiry, ManualClock, Session, SessionDigest, SimulatedDisk,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A database with an idle timeout of an hour, and its clock and disk.
struct Scene {
    clock: Arc<ManualClock>,
    disk: SimulatedDisk,
    db: Database,
}

fn builder(clock: &Arc<ManualClock>) -> Builder {
    let builder = Database::builder().background(false).clock(clock.clone());
    builder.idle_timeout(Some(HOUR))
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let disk = SimulatedDisk::new(1).unwrap();
        let db = builder(&clock).open_on(Arc::new(disk.clone())).unwrap();
        Self { clock, disk, db }
    }

    fn session(&self) -> Session {
        let session = self.db.create_session();
        session.set("a", &1).unwrap();
        session
    }

    fn sessions(&self, count: usize) -> Vec<Session> {
        (0..count).map(|_| self.session()).collect()
    }

    fn index(&self) -> Arc<Index> {
        self.db.engine().index.get().unwrap()
    }

    fn groups(&self) -> Vec<HintGroup> {
        let all = (Timestamp(u64::MAX), usize::MAX);
        let (groups, more) = self.index().due_groups(None, all.0, all.1).unwrap();
        assert!(!more, "these are all groups");
        groups
    }

    /// The members of all groups.
    fn hints(&self) -> Vec<Hint> {
        let groups = self.groups();
        groups.iter().flat_map(HintGroup::hints).collect()
    }

    fn row(&self, digest: SessionDigest) -> SessionRow {
        self.index().session(&digest).unwrap().unwrap()
    }

    /// The hint that a session's row names.
    fn hint(&self, digest: SessionDigest) -> Hint {
        hint_of(digest, &self.row(digest)).unwrap()
    }

    /// The disk and the index after the power has gone, opened again.
    fn after_a_crash(&self, index: crate::IndexFate) -> Self {
        self.index().flush().unwrap();
        let disk = self.disk.crash(crate::Crash::KeepAll, index).unwrap();
        let builder = builder(&self.clock);
        Self {
            clock: self.clock.clone(),
            db: builder.open_on(Arc::new(disk.clone())).unwrap(),
            disk,
        }
    }

    fn later(&self, by: Duration) -> Timestamp {
        Timestamp::from(self.clock.now()).plus(by)
    }

    /// Purges what is due, without the checkpoints around it.
    fn step(&self) -> u64 {
        let mut cursor = PurgeCursor {
            rows: Rows::Done,
            ..PurgeCursor::default()
        };
        let mut removed = 0;
        loop {
            let purged = self.db.engine().purge_step(&mut cursor).unwrap();
            removed += purged.sessions;
            if !purged.more {
                return removed;
            }
        }
    }

    fn reopen(&mut self, builder: Builder) {
        self.db.close().unwrap();
        self.db = builder.open_on(Arc::new(self.disk.clone())).unwrap();
    }
}

#[test]
fn a_session_has_one_hint_at_its_expiry() {
    let scene = Scene::new();
    let session = scene.session();
    assert_eq!(scene.hints(), [], "nothing is in the index yet");
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.hints(), [(scene.later(HOUR), session.id().digest())]);
}

#[test]
fn a_session_that_never_expires_has_no_hint() {
    let mut scene = Scene::new();
    let builder = builder(&scene.clock).idle_timeout(None);
    scene.reopen(builder);
    scene.session();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.hints(), []);
}

#[test]
fn a_session_that_lives_on_keeps_its_hint() {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    let hints = scene.hints();
    scene.clock.advance(HOUR / 2);
    session.touch().unwrap();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.hints(), hints);
    check_hash(&scene.db);
}

#[test]
fn a_hint_that_comes_due_moves_to_where_the_session_expires() {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    session.set("a", &2).unwrap();
    let expires_at = scene.later(HOUR);
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), [(expires_at, session.id().digest())]);
    check_hash(&scene.db);
    scene.db.verify().unwrap();
}

#[test]
fn a_session_that_was_renewed_in_memory_only_survives_its_hint() {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    session.touch().unwrap();
    let expires_at = scene.later(HOUR);
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.step(), 0);
    assert_eq!(session.get::<i32>("a").unwrap(), Some(1));
    let verify = || scene.db.engine().verify(&mut |_, _| {}).unwrap();
    verify();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), [(expires_at, session.id().digest())]);
    verify();
}

#[test]
fn a_life_that_is_shortened_has_an_earlier_hint() {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    session.set_expiry(Expiry::Idle(HOUR / 4)).unwrap();
    scene.db.checkpoint().unwrap();
    let digest = session.id().digest();
    let earlier = (scene.later(HOUR / 4), digest);
    assert_eq!(scene.hint(digest), earlier);
    assert_eq!(scene.hints()[0], earlier);
    scene.clock.advance(HOUR / 4);
    assert_eq!(scene.step(), 1);
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), [], "the later one is nobody's");
}

#[test]
fn a_session_with_a_new_id_has_a_hint_under_it() {
    let scene = Scene::new();
    let mut session = scene.session();
    scene.db.checkpoint().unwrap();
    session.cycle_id().unwrap();
    scene.clock.advance(HOUR);
    assert_eq!(
        scene.step(),
        0,
        "the old ID's hint waits for the checkpoint"
    );
    scene.db.checkpoint().unwrap();
    let digest = session.id().digest();
    assert!(scene.hints().contains(&scene.hint(digest)));
    assert_eq!(scene.step(), 1);
    let digests: Vec<_> = scene.hints().iter().map(|(_, digest)| *digest).collect();
    assert_eq!(digests, [digest], "the old ID's hint is gone");
}

#[test]
fn the_hint_of_a_session_that_ended_goes_when_it_comes_due() {
    let scene = Scene::new();
    let mut session = scene.session();
    scene.db.checkpoint().unwrap();
    let groups = scene.groups();
    session.flush().unwrap();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.groups(), groups, "it costs no row");
    scene.db.verify().unwrap();
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), []);
}

#[test]
fn timeouts_that_have_changed_are_made_good() {
    let mut scene = Scene::new();
    let never = builder(&scene.clock).idle_timeout(None);
    scene.reopen(never);
    let sessions: Vec<_> = (0..20).map(|_| scene.session()).collect();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.hints(), []);
    scene.reopen(builder(&scene.clock));
    scene.db.verify().unwrap();
    scene.clock.advance(HOUR / 2);
    scene.db.purge_expired().unwrap();
    assert_eq!(scene.hints().len(), sessions.len());
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.db.purge_expired().unwrap(), 20);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), []);
    scene.db.verify().unwrap();
}

#[test]
fn timeouts_that_change_and_change_back_are_made_good() {
    let mut scene = Scene::new();
    scene.db.purge_expired().unwrap();
    let never = builder(&scene.clock).idle_timeout(None);
    scene.reopen(never);
    // Written without a hint, while the note still says that all have one.
    scene.session();
    scene.db.checkpoint().unwrap();
    scene.reopen(builder(&scene.clock));
    scene.db.verify().unwrap();
    scene.clock.advance(HOUR);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
}

#[test]
fn a_rebuilt_index_has_the_hints() {
    let scene = Scene::new();
    let session = scene.session();
    session.set_owner(Some("somebody")).unwrap();
    scene.db.checkpoint().unwrap();
    let hints = scene.hints();
    rebuild(scene.db.engine());
    assert_eq!(scene.hints(), hints);
    check_hash(&scene.db);
    scene.db.verify().unwrap();
}

#[test]
fn a_hint_of_nobody_is_dropped_when_it_comes_due() {
    let scene = Scene::new();
    let session = scene.session();
    scene.db.checkpoint().unwrap();
    let digest = session.id().digest();
    // A move that a crash cut off: it is still in its old group.
    let one = HintMove {
        digest,
        row: scene.row(digest),
        to: Some(scene.later(HOUR * 2)),
    };
    scene.index().move_hints(vec![one]).unwrap();
    assert_eq!(scene.hints().len(), 2);
    scene.clock.advance(HOUR / 2);
    session.touch().unwrap();
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints().len(), 1);
    assert_eq!(session.get::<i32>("a").unwrap(), Some(1));
}

#[test]
fn an_open_puts_right_what_a_crash_left_of_hints_and_owners() {
    type Damage = fn(&Index, Hint);
    let damages: [(&str, Damage); 5] = [
        ("a hint is missing", |index, hint| {
            index.shrink_group(hint, &[]).unwrap();
        }),
        ("a hint is another one's", |index, hint| {
            let other = SessionDigest::from_bytes([7; 16]);
            index.shrink_group(hint, &[other]).unwrap();
        }),
        ("a row is no group", |index, (time, _)| {
            let nobody = SessionDigest::from_bytes([7; 16]);
            index.spoil_group((time, nobody)).unwrap();
        }),
        ("an owner is missing", |index, (_, digest)| {
            index.drop_owner("somebody", digest).unwrap();
        }),
        ("an owner is left over", |index, (_, digest)| {
            index.put_owner("nobody", digest).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let scene = Scene::new();
        let session = scene.session();
        session.set_owner(Some("somebody")).unwrap();
        let digest = session.id().digest();
        scene.db.checkpoint().unwrap();
        let hints = scene.hints();
        assert_eq!(hints, [scene.hint(digest)]);
        damage(&scene.index(), hints[0]);
        scene.db.verify().unwrap_err();
        let again = scene.after_a_crash(crate::IndexFate::Kept);
        again
            .db
            .verify()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(again.hints(), hints, "{name}");
        assert_eq!(again.db.sessions_of("somebody").unwrap().len(), 1, "{name}");
        assert_eq!(again.db.revoke_owner("nobody").unwrap(), 0, "{name}");
        assert_eq!(
            again
                .db
                .engine()
                .index
                .get()
                .unwrap()
                .owned_by("nobody")
                .unwrap(),
            []
        );
    }
}

#[test]
fn what_is_removed_is_removed_once() {
    let scene = Scene::new();
    let sessions: Vec<_> = (0..300).map(|_| scene.session()).collect();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 300, "more than one slice");
    assert!(sessions.iter().all(|session| session.len().is_err()));
    assert_eq!(scene.step(), 0, "nobody is removed twice");
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.db.verify().unwrap().sessions, 0);
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.hints(), []);
}

#[test]
fn an_end_of_time_does_not_overflow() {
    let scene = Scene::new();
    let session = scene.session();
    session.set_expiry(Expiry::Idle(Duration::MAX)).unwrap();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.step(), 0);
    assert!(session.expires_at().unwrap() > Some(SystemTime::now()));
    scene.db.verify().unwrap();
}

#[test]
fn a_purge_without_room_on_disk_says_so() {
    let scene = Scene::new();
    scene.session();
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR);
    scene.disk.set_capacity(Some(1 << 20));
    let purged = scene.db.purge_expired();
    let is_full = matches!(purged, Err(crate::Error::StorageFull { .. }));
    assert!(is_full, "{purged:?}");
    scene.disk.set_capacity(None);
    assert_eq!(scene.db.purge_expired().unwrap(), 1);
}
