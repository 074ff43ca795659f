//! What is remembered of rows is what the rows say, whoever reads and changes
//! them meanwhile.

use std::collections::HashMap;

use super::super::guard::Trouble;
use super::*;

fn digest(number: u8) -> SessionDigest {
    let mut bytes = [7; 16];
    // Some of them in one set.
    bytes[0] = number % 4;
    bytes[4] = number;
    SessionDigest::from_bytes(bytes)
}

fn location(number: u32) -> Location {
    Location {
        segment: SegmentNumber(number),
        offset: 64,
        length: 100,
    }
}

/// A row that was read and is not noted yet.
struct Read {
    digest: SessionDigest,
    row: Option<Location>,
    before: Before,
}

#[test]
fn what_is_known_is_what_the_row_says() {
    let mut known = 0;
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let places = Places::new([0, 64 * 160, 64 * 320][random.usize(..3)]);
        let mut rows: HashMap<SessionDigest, Location> = HashMap::new();
        let mut reads: Vec<Read> = Vec::new();
        for number in 0..400 {
            let digest = digest(random.u8(..24));
            match random.u8(..10) {
                0..3 => match places.get(&digest) {
                    Ok(location) => {
                        assert_eq!(rows.get(&digest), Some(&location), "{seed}");
                        known += 1;
                    }
                    Err(before) => reads.push(Read {
                        digest,
                        row: rows.get(&digest).copied(),
                        before,
                    }),
                },
                3..6 if !reads.is_empty() => {
                    let read = reads.swap_remove(random.usize(..reads.len()));
                    if let Some(location) = read.row {
                        places.note(&read.digest, location, read.before);
                    }
                }
                6 => {
                    let removed = places.change(&digest, || {
                        rows.remove(&digest);
                        Ok(((), None))
                    });
                    removed.unwrap();
                }
                7 => {
                    // It fails, and nobody knows whether before or after.
                    let failed: Outcome<()> = places.change(&digest, || {
                        if random.bool() {
                            rows.insert(digest, location(number));
                        }
                        Err(Trouble::new("no space"))
                    });
                    failed.unwrap_err();
                }
                _ => {
                    // Who reads in the midst of it may see either row.
                    let before = places.get(&digest);
                    let put = places.change(&digest, || {
                        let old = rows.insert(digest, location(number));
                        if let (Err(before), Some(old)) = (before, old) {
                            places.note(&digest, old, before);
                        }
                        if let Err(before) = places.get(&digest) {
                            let row = old.filter(|_| random.bool());
                            reads.push(Read {
                                digest,
                                row: row.or(Some(location(number))),
                                before,
                            });
                        }
                        Ok(((), Some(location(number))))
                    });
                    put.unwrap();
                }
            }
        }
        for (digest, row) in rows {
            let known = places.get(&digest);
            assert!(known.is_err() || known.is_ok_and(|known| known == row));
        }
    }
    assert!(known > 1000, "{known}");
}

#[test]
fn as_many_are_known_as_memory_was_given_for() {
    let places = Places::new(64 * 160 * 100);
    for number in 0..64 * 800_u64 {
        let bytes = fastrand::Rng::with_seed(number).u128(..).to_le_bytes();
        let digest = SessionDigest::from_bytes(bytes);
        let put = places.change(&digest, || Ok(((), Some(location(1)))));
        put.unwrap();
    }
    let known = (0..64 * 800_u64).filter(|number| {
        let bytes = fastrand::Rng::with_seed(*number).u128(..).to_le_bytes();
        places.get(&SessionDigest::from_bytes(bytes)).is_ok()
    });
    let known = known.count();
    assert!((64 * 600..=64 * 800).contains(&known), "{known}");
}

#[test]
fn what_was_given_up_is_not_known_again() {
    let places = Places::new(1 << 20);
    let change = || places.change(&digest(1), || Ok(((), Some(location(1)))));
    change().unwrap();
    assert_eq!(places.get(&digest(1)).ok(), Some(location(1)));
    let before = places.get(&digest(2)).unwrap_err();
    places.give_up();
    places.note(&digest(2), location(2), before);
    change().unwrap();
    assert!(places.get(&digest(1)).is_err() && places.get(&digest(2)).is_err());
}
