//! Iteration holds no lock: untouched keys come exactly once, changed ones at
//! most once, and a flush elsewhere ends it with one `SessionGone`.

use std::collections::{BTreeMap, BTreeSet};

use sessiondb::{Error, Result, Session};

use super::support::{Stage, promptly};

/// Enough for several pages and several chunks of the memtable.
const KEYS: i64 = 1500;

fn key(number: i64) -> String {
    format!("key {number:05}")
}

fn many(session: &Session) {
    let fill = session.transaction(|tx| (0..KEYS).try_for_each(|n| tx.set(&key(n), &n)));
    fill.unwrap();
}

fn few(session: &Session) {
    for number in 0..3 {
        session.set(&key(number), &number).unwrap();
    }
}

#[test]
fn every_key_comes_exactly_once_and_in_order() {
    for stage in Stage::each(many) {
        let expected: Vec<String> = (0..KEYS).map(key).collect();
        let keys: Vec<String> = stage
            .session
            .keys()
            .unwrap()
            .collect::<Result<_>>()
            .unwrap();
        assert_eq!(keys, expected, "{stage}");
        let values: Vec<i64> = stage
            .session
            .iter()
            .unwrap()
            .map(|entry| entry.unwrap().decode().unwrap())
            .collect();
        assert_eq!(values, (0..KEYS).collect::<Vec<_>>(), "{stage}");
        assert_eq!(stage.session.len().unwrap(), expected.len());
        let map: BTreeMap<String, i64> = stage.session.to_map().unwrap();
        assert_eq!(map.len(), expected.len());
        assert!(!stage.session.is_empty().unwrap());
    }
}

#[test]
fn keys_come_in_the_order_of_their_utf_8_bytes() {
    let keys = [
        "a",
        "B",
        "b",
        "aa",
        "\0",
        " ",
        "é",
        "z",
        "zz",
        "\u{ffff}",
        "\u{10000}",
        "ß",
        "Ä",
        "~",
    ];
    let mut sorted = keys;
    sorted.sort_by_key(|key| key.as_bytes());
    for stage in Stage::each(|session| keys.iter().for_each(|key| session.set(key, &1).unwrap())) {
        let found: Vec<String> = stage
            .session
            .keys()
            .unwrap()
            .collect::<Result<_>>()
            .unwrap();
        assert_eq!(found, sorted, "{stage}");
    }
}

#[test]
fn an_empty_session_iterates_over_nothing() {
    let emptied = |session: &Session| {
        session.set("a", &1).unwrap();
        session.clear().unwrap();
    };
    for stage in Stage::each(emptied) {
        assert!(stage.session.iter().unwrap().next().is_none());
        assert!(stage.session.keys().unwrap().next().is_none());
        assert_eq!(stage.session.len().unwrap(), 0);
        assert!(stage.session.is_empty().unwrap());
        assert!(stage.session.to_map::<i64>().unwrap().is_empty());
    }
}

#[test]
fn an_iteration_holds_no_lock() {
    for stage in Stage::each(many) {
        let mut iter = stage.session.iter().unwrap();
        iter.next().unwrap().unwrap();
        let (other, db) = (stage.handle(), stage.db.clone());
        promptly(move || {
            other.set("key 00001 and more", &1).unwrap();
            other.delete(&key(KEYS - 1)).unwrap();
            db.checkpoint().unwrap();
        });
        // Also from this thread, in the middle.
        stage.session.set("zzz", &1).unwrap();
        assert!(iter.count() > 0);
    }
}

/// Walks while `disturb` runs after every so many entries.
fn walk(stage: &Stage, mut disturb: impl FnMut(&Stage, usize)) -> Vec<(String, i64)> {
    let mut seen = Vec::new();
    for (count, entry) in stage.session.iter().unwrap().enumerate() {
        let entry = entry.unwrap();
        seen.push((entry.key().to_owned(), entry.decode().unwrap()));
        if count % 100 == 0 {
            disturb(stage, count / 100);
        }
    }
    seen
}

/// More may be asked for.
fn seeds() -> u64 {
    let wanted = std::env::var("SESSIONDB_TEST_SEEDS");
    wanted.map_or(2, |wanted| wanted.parse().unwrap())
}

#[test]
fn untouched_keys_come_exactly_once_and_changed_ones_at_most_once() {
    for seed in 0..seeds() {
        for stage in Stage::each(many) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut touched = BTreeSet::new();
            let seen = walk(&stage, |stage, round| {
                for _ in 0..20 {
                    // Even keys are left alone.
                    let name = key(random.i64(0..KEYS / 2) * 2 + 1);
                    match random.u8(0..4) {
                        0 => drop(stage.session.discard(&name).unwrap()),
                        1 => stage.session.set(&name, &-1).unwrap(),
                        2 => stage.session.set(&format!("{name} new"), &-1).unwrap(),
                        _ => stage.session.remove_prefix(&name).unwrap(),
                    }
                    touched.insert(name);
                }
                if round % 3 == 1 {
                    stage.db.checkpoint().unwrap();
                }
            });
            let context = format!("seed {seed}, {stage}");
            assert!(seen.is_sorted_by(|a, b| a.0 < b.0), "twice, {context}");
            let seen: BTreeMap<String, i64> = seen.into_iter().collect();
            for number in 0..KEYS {
                let name = key(number);
                let found = seen.get(&name);
                if touched.contains(&name) {
                    assert!(
                        matches!(found, None | Some(-1)) || found == Some(&number),
                        "{context}"
                    );
                } else {
                    assert_eq!(found, Some(&number), "{name}, {context}");
                }
            }
        }
    }
}

#[test]
fn keys_that_were_removed_well_ahead_do_not_come() {
    for stage in Stage::each(many) {
        let seen = walk(&stage, |stage, round| {
            if round == 0 {
                stage.session.remove_prefix("key 01").unwrap();
            }
        });
        let last = seen.last().map(|(key, _)| key.clone());
        assert_eq!(last, Some(key(999)), "{stage}");
    }
}

type End = fn(&mut Session);

const ENDS: &[(&str, End)] = &[
    ("flush", |session| {
        session.flush().unwrap();
    }),
    ("destroy", |session| session.destroy().unwrap()),
    ("cycle_id", |session| {
        session.cycle_id().unwrap();
    }),
];

#[test]
fn an_end_elsewhere_ends_an_iteration_with_one_session_gone() {
    for (name, end) in ENDS {
        for (prepare, keys) in [(few as fn(&Session), 3), (many, KEYS)] {
            for before in [0, 2] {
                for mut stage in Stage::each(prepare) {
                    let other = stage.handle();
                    let mut iter = other.iter().unwrap();
                    let mut names = other.keys().unwrap();
                    for _ in 0..before {
                        iter.next().unwrap().unwrap();
                        names.next().unwrap().unwrap();
                    }
                    end(&mut stage.session);
                    let context = format!("{name} after {before} of {keys}, {stage}");
                    let rest: Vec<_> = iter.by_ref().collect();
                    assert!(
                        matches!(rest.as_slice(), [.., Err(Error::SessionGone)]),
                        "{context}: {:?}",
                        rest.last()
                    );
                    let errors = rest.iter().filter(|item| item.is_err()).count();
                    assert_eq!(errors, 1, "{context}");
                    assert!(iter.next().is_none() && iter.next().is_none(), "{context}");
                    assert!(
                        matches!(names.last(), Some(Err(Error::SessionGone))),
                        "{context}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_iteration_that_is_over_stays_over() {
    for mut stage in Stage::each(few) {
        let other = stage.handle();
        let mut iter = other.iter().unwrap();
        assert_eq!(iter.by_ref().count(), 3);
        stage.session.flush().unwrap();
        assert!(iter.next().is_none() && iter.next().is_none());
    }
}

#[test]
fn a_clear_elsewhere_ends_an_iteration_early_and_without_an_error() {
    for stage in Stage::each(many) {
        let other = stage.handle();
        let mut iter = other.iter().unwrap();
        iter.next().unwrap().unwrap();
        stage.session.clear().unwrap();
        stage.session.set("zzz", &7).unwrap();
        let rest: Vec<_> = iter.collect::<Result<_>>().unwrap();
        assert!(rest.len() < 1000, "{stage}");
        assert_eq!(
            rest.last().map(sessiondb::Entry::key),
            Some("zzz"),
            "{stage}"
        );
    }
}

#[test]
fn len_and_to_map_of_a_gone_session_are_session_gone() {
    for mut stage in Stage::each(many) {
        let other = stage.handle();
        stage.session.flush().unwrap();
        assert!(matches!(other.len(), Err(Error::SessionGone)));
        assert!(matches!(other.to_map::<i64>(), Err(Error::SessionGone)));
    }
}
