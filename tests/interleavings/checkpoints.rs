//! Freeze and publish, beside readers and writers: a key is where a lookup
//! looks for it, all the time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessiondb::{Database, Durability, SimulatedDisk};

use crate::support::{act, cut, disk, explore, open, open_as, session, small, together};

const ROUNDS: u32 = 3;

fn deferred(database: &Database) -> Database {
    database.with_durability(Durability::Deferred {
        sync_within: Duration::from_secs(3600),
    })
}

/// The database as it is, and as a power cut leaves it once all is committed.
fn both(disk: &SimulatedDisk, database: &Database, look: impl Fn(&Database)) {
    look(database);
    database.commit().expect("it is committed");
    let cut = cut(disk);
    database.verify().expect("it is sound");
    database.close().expect("it closes");
    let again = open(&cut);
    look(&again);
    again.verify().expect("it is sound");
    again.close().expect("it closes");
}

#[test]
fn a_reader_sees_each_write_beside_checkpoints_and_never_an_older_one_again() {
    explore(300, || {
        let disk = disk();
        let database = deferred(&open(&disk));
        let first = database.create_session();
        first.set("round", &0_u32).expect("it is written");
        first.set("still", "here").expect("it is written");
        let id = first.id();
        let writer = act!(database; {
            let session = session(&database, &id);
            for round in 1..=ROUNDS {
                session.set("round", &round).expect("it is written");
                let seen = session.get("round").expect("it is read");
                assert_eq!(seen, Some(round), "a writer reads its own write");
            }
        });
        let reader = act!(database; {
            let session = session(&database, &id);
            let mut last = 0;
            for _ in 0..4 {
                let seen: Option<u32> = session.get("round").expect("it is read");
                let seen = seen.expect("it is always there");
                assert!(seen >= last, "{seen} after {last}");
                last = seen;
                let still: Option<String> = session.get("still").expect("it is read");
                assert_eq!(still.as_deref(), Some("here"));
            }
        });
        let checkpoints = act!(database; {
            for _ in 0..2 {
                database.checkpoint().expect("it is checkpointed");
            }
        });
        together(vec![writer, reader, checkpoints]);
        both(&disk, &database, |database| {
            let session = session(database, &id);
            assert_eq!(session.get("round").expect("it is read"), Some(ROUNDS));
            assert_eq!(session.len().expect("it is counted"), 2);
        });
    });
}

#[test]
fn of_two_that_pop_beside_a_checkpoint_one_gets_the_value() {
    explore(300, || {
        let disk = disk();
        let database = deferred(&open(&disk));
        let first = database.create_session();
        first.set("ticket", "A 1").expect("it is written");
        first.set("other", &1).expect("it is written");
        let id = first.id();
        database.checkpoint().expect("it is checkpointed");
        first.set("ticket", "A 2").expect("it is written");
        let won = Arc::new(Mutex::new(Vec::<String>::new()));
        let popper = || {
            act!(database, won; {
                let popped = session(&database, &id).pop::<String>("ticket").expect("it pops");
                won.lock().expect("unharmed").extend(popped);
                let left = session(&database, &id).contains_key("ticket").expect("it is read");
                assert!(!left, "what is popped is gone");
            })
        };
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![popper(), popper(), checkpoint]);
        assert_eq!(*won.lock().expect("unharmed"), ["A 2"]);
        both(&disk, &database, |database| {
            let session = session(database, &id);
            assert_eq!(session.pop::<String>("ticket").expect("it pops"), None);
            assert_eq!(session.len().expect("it is counted"), 1);
        });
    });
}

#[test]
fn transactions_beside_checkpoints_lose_no_update() {
    explore(300, || {
        let disk = disk();
        let database = deferred(&open(&disk));
        let first = database.create_session();
        first.set("count", &0_u32).expect("it is written");
        let id = first.id();
        let adder = || {
            act!(database; {
                for _ in 0..2 {
                    let added = session(&database, &id).update("count", |count: Option<u32>| count.map(|count| count + 1));
                    added.expect("it is written");
                }
            })
        };
        let checkpoint = act!(database; database.checkpoint().expect("it is checkpointed"));
        together(vec![adder(), adder(), checkpoint]);
        both(&disk, &database, |database| {
            let count = session(database, &id).get::<u32>("count");
            assert_eq!(count.expect("it is read"), Some(4));
        });
    });
}

#[test]
fn a_writer_that_waits_for_memory_goes_on_once_a_checkpoint_gives_some_back() {
    explore(60, || {
        let disk = disk();
        let database = deferred(&open_as(small().memtable_bytes(64 << 10), &disk));
        let first = database.create_session();
        first.set("first", &0).expect("it is written");
        let id = first.id();
        let writer = |name: &str| {
            let name = name.to_owned();
            act!(database, name; {
                for number in 0..3 {
                    let key = format!("{name} {number}");
                    let written = session(&database, &id).set_bytes(&key, &[7; 12_000]);
                    written.expect("it is written");
                }
            })
        };
        let checkpoints = act!(database; {
            for _ in 0..8 {
                database.checkpoint().expect("it is checkpointed");
                shuttle::thread::yield_now();
            }
        });
        // What the first leaves too little room for, waits for the second.
        together(vec![writer("a"), checkpoints]);
        let checkpoints = act!(database; {
            for _ in 0..8 {
                database.checkpoint().expect("it is checkpointed");
                shuttle::thread::yield_now();
            }
        });
        together(vec![writer("b"), checkpoints]);
        both(&disk, &database, |database| {
            assert_eq!(session(database, &id).len().expect("it is counted"), 7);
        });
    });
}
