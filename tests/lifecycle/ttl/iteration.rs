//! An iteration passes over keys whose time is over, however many.

use std::time::Duration;

use sessiondb::Session;

use super::{TTL, holds};
use crate::support::{Fate, INSTANT, Scene};

/// Enough for several pages and several chunks of the memtable.
const KEYS: i64 = 1500;

fn key(number: i64) -> String {
    format!("key {number:05}")
}

/// A session of many keys of which those that `is_limited` names have a limit.
fn many(scene: &Scene, is_limited: impl Fn(i64) -> bool) -> Session {
    let session = scene.db.create_session();
    let fill = session.transaction(|tx| {
        (0..KEYS).try_for_each(|number| {
            if is_limited(number) {
                tx.set_with_ttl(&key(number), &number, TTL)
            } else {
                tx.set(&key(number), &number)
            }
        })
    });
    fill.unwrap();
    session
}

/// Asserts, after every fate, that the keys without a limit are what is left.
fn leaves_the_others(is_limited: fn(i64) -> bool) {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = many(&scene, is_limited).id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.wait(TTL - INSTANT);
        assert_eq!(
            session.len().unwrap(),
            usize::try_from(KEYS).unwrap(),
            "{fate}"
        );
        scene.wait(INSTANT);
        let left: Vec<(String, i64)> = (0..KEYS)
            .filter(|number| !is_limited(*number))
            .map(|number| (key(number), number))
            .collect();
        let left: Vec<(&str, i64)> = left.iter().map(|(key, n)| (&**key, *n)).collect();
        holds(&session, &left);
        scene.is_sound();
        holds(&session, &left);
    }
}

#[test]
fn every_other_key() {
    leaves_the_others(|number| number % 2 == 0);
}

#[test]
fn all_but_the_last() {
    leaves_the_others(|number| number < KEYS - 1);
}

#[test]
fn all_but_the_first() {
    leaves_the_others(|number| number > 0);
}

#[test]
fn all_but_a_few_in_the_middle() {
    leaves_the_others(|number| !(700..=702).contains(&number));
}

#[test]
fn all() {
    leaves_the_others(|_| true);
}

#[test]
fn what_expires_meanwhile_comes_at_most_once_and_the_others_exactly_once() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let id = many(&scene, |number| number % 3 == 0).id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        scene.wait(TTL - INSTANT);
        let mut keys = session.keys().unwrap();
        let mut seen: Vec<String> = keys.by_ref().take(10).map(Result::unwrap).collect();
        scene.wait(INSTANT);
        seen.extend(keys.map(Result::unwrap));
        assert!(seen.is_sorted_by(|a, b| a < b), "{fate}");
        let unlimited = (0..KEYS).filter(|number| number % 3 != 0);
        for number in unlimited {
            assert!(seen.binary_search(&key(number)).is_ok(), "{number}, {fate}");
        }
        // Nobody reads far ahead: most of those that expired did not come.
        let expired = seen.len() - usize::try_from(KEYS / 3 * 2).unwrap();
        assert!(
            expired < usize::try_from(KEYS / 3).unwrap(),
            "{expired}, {fate}"
        );
    }
}

#[test]
fn keys_of_several_limits_go_one_after_the_other() {
    for fate in Fate::ALL {
        let scene = Scene::new();
        let session = scene.db.create_session();
        let fill = session.transaction(|tx| {
            (1..=50_u32).try_for_each(|number| {
                let ttl = Duration::from_secs(number.into());
                tx.set_with_ttl(&key(number.into()), &number, ttl)
            })
        });
        fill.unwrap();
        let id = session.id();
        let scene = scene.after(fate);
        let session = scene.handle(&id);
        for left in (0..50_usize).rev() {
            scene.wait(Duration::from_secs(1));
            assert_eq!(session.len().unwrap(), left, "{fate}");
        }
    }
}
