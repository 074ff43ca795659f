//! Keys whose time is over are erased, wherever they lie.

use std::time::Duration;

use crate::directory::copy;
use crate::places::{ALL, Place, SOME, Scene};
use crate::support::{AT_LEISURE, WITHIN, assert_erased, assert_there, by_hand, clock, erase_some};

const KEY: [&str; 2] = ["marked-key", "marked-value"];
const TTL: Duration = Duration::from_secs(5);

/// Gives the marked key the time that it has left.
fn limit(scene: &Scene, ttl: Duration) {
    let value: String = scene.session.get("marked-key").unwrap().unwrap();
    let limited = scene.session.set_with_ttl("marked-key", &value, ttl);
    limited.unwrap();
}

#[test]
fn a_key_whose_time_is_over_is_erased_from_each_place() {
    for place in ALL {
        let scene = Scene::new(place);
        limit(&scene, TTL);
        if place != Place::Journal {
            scene.db.erase().unwrap();
            assert_there(scene.path(), "marked-value");
        }
        scene.clock.advance(2 * TTL);
        scene.assert_erases(&KEY, &format!("{place:?}"));
    }
}

#[test]
fn a_key_that_is_set_for_no_time_at_all_is_erased() {
    for place in SOME {
        let scene = Scene::new(place);
        limit(&scene, Duration::ZERO);
        scene.assert_erases(&KEY, &format!("{place:?}"));
    }
}

#[test]
fn a_key_that_had_a_time_and_was_overwritten_is_erased() {
    for place in SOME {
        let scene = Scene::new(place);
        limit(&scene, TTL);
        scene.session.set("marked-key", "another value").unwrap();
        scene.clock.advance(2 * TTL);
        scene.assert_erases(&["marked-value"], &format!("{place:?}"));
    }
}

/// Nothing of it is ever in the segments: only the journal knows of it.
#[test]
fn a_key_of_a_new_session_whose_time_is_over_before_any_checkpoint_has_an_age() {
    for is_checkpointed in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let clock = clock();
        let db = by_hand(&clock).open(directory.path()).unwrap();
        let session = db.create_session();
        let filled = session.transaction(|tx| {
            tx.set("kept-key", "kept-value")?;
            tx.set_with_ttl("marked-key", "marked-value", TTL)
        });
        filled.unwrap();
        assert_eq!(db.stats().erasure_age, None);
        clock.advance(3 * TTL);
        if is_checkpointed {
            db.checkpoint().unwrap();
        }
        assert_there(directory.path(), "marked-value");
        assert_eq!(db.stats().erasure_age, Some(2 * TTL));
        db.erase().unwrap();
        assert_eq!(db.stats().erasure_age, None);
        assert_erased(directory.path(), "marked-value", "");
        assert_there(directory.path(), "kept-value");
    }
}

#[test]
fn the_age_of_a_key_whose_time_is_over_in_a_page_is_that_of_its_end() {
    let scene = Scene::new(Place::Page);
    limit(&scene, TTL);
    scene.db.erase().unwrap();
    assert_eq!(scene.db.stats().erasure_age, None);
    scene.clock.advance(TTL * 4 / 5);
    assert_eq!(scene.db.stats().erasure_age, None);
    scene.clock.advance(TTL / 5 + WITHIN);
    assert_eq!(scene.db.stats().erasure_age, Some(WITHIN));
    scene.assert_erases(&KEY, "");
}

/// The second key of a page becomes its first: when its time is over, too, it
/// must not stay as the fence.
#[test]
fn keys_whose_time_is_over_are_no_fences_though_the_page_behind_lost_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(directory.path()).unwrap();
    let session = db.create_session();
    let large = "p".repeat(3000);
    let filled = session.transaction(|tx| {
        tx.set("a", &large)?;
        tx.set("b", &large)?;
        tx.set_with_ttl("c-marked-key", &large, TTL)?;
        tx.set("d", &large)?;
        tx.set("e", &large)
    });
    filled.unwrap();
    db.checkpoint().unwrap();
    clock.advance(2 * TTL);
    // Its page joins the one before, which is written again without its key.
    session.delete("d").unwrap();
    db.checkpoint().unwrap();
    db.verify().unwrap();
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    assert_erased(directory.path(), "c-marked-key", "");
    let keys: Vec<String> = session.keys().unwrap().map(Result::unwrap).collect();
    assert_eq!(keys, ["a", "b", "e"]);
    db.verify().unwrap();
}

/// Rows are looked at some hundred at a time.
#[test]
fn a_look_for_keys_that_is_cut_off_by_a_close_forgets_none() {
    let prepared = tempfile::tempdir().unwrap();
    let clock = clock();
    let db = by_hand(&clock).open(prepared.path()).unwrap();
    let at_leisure = db.with_durability(AT_LEISURE);
    for number in 0..1100 {
        let session = at_leisure.create_session();
        let value = format!("marked-value-{number}");
        let filled = session.transaction(|tx| {
            tx.set_with_ttl("over", &value, TTL)?;
            tx.set_with_ttl("later", "staying-value", WITHIN)
        });
        filled.unwrap();
    }
    db.close().unwrap();
    clock.advance(2 * TTL);
    for steps in 2..8 {
        let directory = tempfile::tempdir().unwrap();
        copy(prepared.path(), directory.path());
        let db = by_hand(&clock).open(directory.path()).unwrap();
        assert!(!erase_some(&db, steps));
        db.close().unwrap();
        let db = by_hand(&clock).open(directory.path()).unwrap();
        assert_eq!(db.stats().erasure_age, Some(TTL));
        db.erase().unwrap();
        assert_eq!(db.stats().erasure_age, None);
        let what = format!("cut off after {steps} steps");
        assert_erased(directory.path(), "marked-value", &what);
    }
}
