//! Two handles writing different keys of one session both keep their writes.

use std::sync::{Arc, Barrier};
use std::thread;

use sessiondb::Session;

use super::support::{Stage, contents, named};

fn one_key(session: &Session) {
    session.set("a", &1).unwrap();
}

#[test]
fn two_handles_that_write_different_keys_both_keep_their_writes() {
    for stage in Stage::each(one_key) {
        let (left, right) = (stage.handle(), stage.handle());
        left.set("left", &1).unwrap();
        right.set("right", &2).unwrap();
        left.set("left too", &3).unwrap();
        assert_eq!(right.get::<i64>("left").unwrap(), Some(1), "{stage}");
        drop((left, right));
        stage.holds(&[("a", 1), ("left", 1), ("left too", 3), ("right", 2)]);
    }
}

#[test]
fn two_handles_that_were_read_before_the_write_both_keep_their_writes() {
    for stage in Stage::each(one_key) {
        let (left, right) = (stage.handle(), stage.handle());
        assert_eq!(contents(&left), contents(&right));
        left.set("left", &1).unwrap();
        stage.db.checkpoint().unwrap();
        right.set("right", &2).unwrap();
        right.delete("a").unwrap();
        drop((left, right));
        stage.holds(&[("left", 1), ("right", 2)]);
    }
}

#[test]
fn handles_see_each_others_writes_at_once() {
    for stage in Stage::each(one_key) {
        let other = stage.handle();
        stage.session.set("a", &2).unwrap();
        assert_eq!(other.get::<i64>("a").unwrap(), Some(2));
        assert_eq!(other.pop::<i64>("a").unwrap(), Some(2));
        assert_eq!(stage.session.pop::<i64>("a").unwrap(), None);
        drop(other);
        stage.holds(&[]);
    }
}

#[test]
fn a_handle_that_saw_the_first_write_belongs_to_the_same_session() {
    let (_disk, db) = super::support::fresh();
    let first = db.create_session();
    first.set("a", &1).unwrap();
    let second = db.open_session(&first.id()).unwrap().unwrap();
    second.set("b", &2).unwrap();
    first.set("c", &3).unwrap();
    let expected = named(&[("a", 1), ("b", 2), ("c", 3)]);
    assert_eq!(contents(&first), expected);
    assert_eq!(contents(&second), expected);
}

#[test]
fn threads_that_write_different_keys_all_keep_their_writes() {
    const THREADS: i64 = 4;
    const ROUNDS: i64 = 25;
    for stage in Stage::each(one_key) {
        let barrier = Arc::new(Barrier::new(usize::try_from(THREADS).unwrap()));
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (handle, barrier) = (stage.handle(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    for round in 0..ROUNDS {
                        handle.set(&format!("{number} {round:02}"), &round).unwrap();
                        handle
                            .update("sum", |sum: Option<i64>| Some(sum.unwrap_or(0) + 1))
                            .unwrap();
                    }
                })
            })
            .collect();
        stage.db.checkpoint().unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        let mut expected: Vec<(String, i64)> = (0..THREADS)
            .flat_map(|number| {
                (0..ROUNDS).map(move |round| (format!("{number} {round:02}"), round))
            })
            .collect();
        expected.extend(named(&[("a", 1), ("sum", THREADS * ROUNDS)]));
        assert_eq!(contents(&stage.session), expected, "{stage}");
        let again = stage.reopened();
        assert_eq!(contents(&again.session), expected, "{again}");
    }
}

#[test]
fn one_of_many_callers_gets_a_popped_value() {
    for stage in Stage::each(one_key) {
        let barrier = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, barrier) = (stage.handle(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    handle.pop::<i64>("a").unwrap()
                })
            })
            .collect();
        let popped = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap());
        assert_eq!(popped.collect::<Vec<_>>(), [1], "{stage}");
        stage.holds(&[]);
    }
}
