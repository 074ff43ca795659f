//! Sessions with one time share groups, and leave them when they come due.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{HOUR, Scene};
use crate::engine::purge::{PurgeCursor, Rows};
use crate::engine::testing::{check_hash, rebuild};
use crate::format::derived_rows::GROUP_MEMBERS;
use crate::index::{Hint, HintGroup};
use crate::{IndexFate, Session, SessionDigest};

const SECOND: Duration = Duration::from_secs(1);

fn digests(sessions: &[Session]) -> BTreeSet<SessionDigest> {
    let digests = sessions.iter().map(|session| session.id().digest());
    digests.collect()
}

/// Asserts that sessions of one time are in as few groups as can be.
fn assert_grouped(scene: &Scene, sessions: &[Session]) {
    let groups = scene.groups();
    assert_eq!(groups.len(), sessions.len().div_ceil(GROUP_MEMBERS));
    assert!(groups.iter().all(|one| one.members.len() <= GROUP_MEMBERS));
    let members: Vec<_> = scene.hints().iter().map(|(_, digest)| *digest).collect();
    assert_eq!(members.len(), sessions.len(), "each once");
    assert_eq!(BTreeSet::from_iter(members), digests(sessions));
    check_hash(&scene.db);
    scene.db.verify().unwrap();
}

/// A cursor that need not look at all sessions first.
fn at_the_hints() -> PurgeCursor {
    PurgeCursor {
        rows: Rows::Done,
        ..PurgeCursor::default()
    }
}

#[test]
fn sessions_of_one_second_share_groups() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    assert_grouped(&scene, &sessions);
}

#[test]
fn sessions_of_different_seconds_are_in_different_groups() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.sessions(2);
        scene.clock.advance(SECOND);
    }
    scene.db.checkpoint().unwrap();
    let times: BTreeSet<_> = scene.groups().iter().map(|group| group.time).collect();
    assert_eq!((times.len(), scene.groups().len()), (3, 3));
}

#[test]
fn a_rebuild_groups_hints() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    rebuild(scene.db.engine());
    assert_grouped(&scene, &sessions);
}

#[test]
fn an_index_that_catches_up_groups_hints() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    let name = scene.db.engine().index.name();
    let scene = scene.after_a_crash(IndexFate::Lost);
    assert_eq!(scene.db.engine().index.name(), name, "it was not rebuilt");
    assert_grouped(&scene, &sessions);
}

#[test]
fn hints_that_are_put_back_are_grouped() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    for group in scene.groups() {
        scene.index().shrink_group(group.place(), &[]).unwrap();
    }
    let scene = scene.after_a_crash(IndexFate::Kept);
    assert_grouped(&scene, &sessions);
}

#[test]
fn timeouts_that_have_changed_lead_to_groups() {
    let mut scene = Scene::new();
    let never = super::builder(&scene.clock).idle_timeout(None);
    scene.reopen(never);
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.hints(), []);
    scene.reopen(super::builder(&scene.clock));
    scene.db.purge_expired().unwrap();
    assert_grouped(&scene, &sessions);
}

#[test]
fn sessions_that_live_on_move_to_groups() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    for session in &sessions {
        session.touch().unwrap();
    }
    let expires_at = scene.later(HOUR);
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.step(), 0);
    assert!(scene.groups().iter().all(|group| group.time == expires_at));
    assert_grouped(&scene, &sessions);
}

fn hint(scene: &Scene, byte: u8) -> Hint {
    (scene.later(HOUR), SessionDigest::from_bytes([byte; 16]))
}

#[test]
fn a_group_that_is_put_where_one_is_adds_its_members() {
    let scene = Scene::new();
    let [a, b, c, d] = [1, 2, 3, 4].map(|byte| hint(&scene, byte));
    scene.index().put_hints(vec![a, b, d]).unwrap();
    scene.index().put_hints(vec![c, a]).unwrap();
    assert_eq!(scene.hints(), [a, b, c, d]);
    assert_eq!(scene.groups().len(), 1);
}

#[test]
fn a_group_that_is_put_twice_is_there_once() {
    let scene = Scene::new();
    let hints = [1, 2].map(|byte| hint(&scene, byte));
    scene.index().put_hints(hints.to_vec()).unwrap();
    scene.index().put_hints(hints.to_vec()).unwrap();
    assert_eq!(scene.hints(), hints);
    assert_eq!(scene.groups().len(), 1);
}

#[test]
fn a_due_group_keeps_only_who_waits_for_a_checkpoint() {
    let scene = Scene::new();
    let mut sessions = scene.sessions(4);
    scene.db.checkpoint().unwrap();
    let group = scene.groups().remove(0);
    let [over, renewed, written, flushed] = &mut sessions[..] else {
        panic!("there are four");
    };
    flushed.flush().unwrap();
    scene.clock.advance(HOUR / 2);
    renewed.touch().unwrap();
    scene.db.checkpoint().unwrap();
    written.touch().unwrap();
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.step(), 1);
    let hints = scene.hints();
    let (due, later): (Vec<Hint>, Vec<Hint>) =
        hints.into_iter().partition(|(time, _)| *time == group.time);
    let staying = [over, written].map(|one| (group.time, one.id().digest()));
    assert_eq!(BTreeSet::from_iter(due), BTreeSet::from(staying));
    assert_eq!(later, [scene.hint(renewed.id().digest())]);
    scene.db.engine().verify(&mut |_, _| {}).unwrap();
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.step(), 0);
    assert!(scene.groups().iter().all(|one| one.time > group.time));
    scene.db.verify().unwrap();
}

#[test]
fn a_group_in_which_all_wait_is_left_alone() {
    let scene = Scene::new();
    scene.sessions(3);
    scene.db.checkpoint().unwrap();
    let groups = scene.groups();
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 3);
    assert_eq!(scene.groups(), groups, "until the next checkpoint");
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.groups(), []);
}

#[test]
fn a_session_in_two_groups_is_removed_once() {
    let scene = Scene::new();
    let digest = scene.session().id().digest();
    scene.db.checkpoint().unwrap();
    let (time, _) = scene.hint(digest);
    let low = SessionDigest::from_bytes([0; 16]);
    let hints = vec![(time, low), (time, digest)];
    scene.index().put_hints(hints).unwrap();
    assert_eq!(scene.groups().len(), 2);
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 1);
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.step(), 0);
    assert_eq!(scene.groups(), []);
}

#[test]
fn a_step_looks_at_a_slice_of_groups() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR);
    let mut cursor = at_the_hints();
    let mut removed = Vec::new();
    loop {
        let purged = scene.db.engine().purge_step(&mut cursor).unwrap();
        removed.push(purged.sessions);
        if !purged.more {
            break;
        }
    }
    assert_eq!(removed, [128, 128, 44]);
    drop(sessions);
}

#[test]
fn groups_of_one_member_do_not_end_a_round() {
    let scene = Scene::new();
    for _ in 0..200 {
        scene.session();
        scene.clock.advance(SECOND);
    }
    scene.db.checkpoint().unwrap();
    assert_eq!(scene.groups().len(), 200);
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 200);
}

#[test]
fn a_group_that_is_larger_than_a_slice_is_looked_at() {
    let scene = Scene::new();
    scene.sessions(250);
    scene.db.checkpoint().unwrap();
    // Two groups of one key came together.
    let hints = scene.hints();
    for group in scene.groups() {
        scene.index().shrink_group(group.place(), &[]).unwrap();
    }
    let mut halves = hints[1..].chunks(125);
    for half in [halves.next().unwrap(), halves.next().unwrap()] {
        let group = [&hints[..1], half].concat();
        scene.index().put_hints(group).unwrap();
    }
    let sizes: Vec<_> = scene.groups().iter().map(size).collect();
    assert_eq!(sizes, [250]);
    scene.clock.advance(HOUR);
    assert_eq!(scene.step(), 250);
}

fn size(group: &HintGroup) -> usize {
    group.members.len()
}

#[test]
fn a_round_begins_anew_in_a_rebuilt_index() {
    let scene = Scene::new();
    let sessions = scene.sessions(300);
    scene.db.checkpoint().unwrap();
    scene.clock.advance(HOUR);
    let mut cursor = at_the_hints();
    let mut removed = scene.db.engine().purge_step(&mut cursor).unwrap().sessions;
    assert_eq!(removed, 128);
    rebuild(scene.db.engine());
    // Some that are left are in a group that comes before the last one that
    // was looked at.
    let hints = scene.hints();
    for group in scene.groups() {
        scene.index().shrink_group(group.place(), &[]).unwrap();
    }
    let low = (hints[0].0, SessionDigest::from_bytes([0; 16]));
    let (before, after) = hints.split_at(200);
    let after = [&[low], after].concat();
    scene.index().put_hints(before.to_vec()).unwrap();
    scene.index().put_hints(after).unwrap();
    loop {
        let purged = scene.db.engine().purge_step(&mut cursor).unwrap();
        removed += purged.sessions;
        if !purged.more {
            break;
        }
    }
    assert_eq!(removed, sessions.len() as u64);
}
