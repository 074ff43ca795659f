//! Rule 15: a damaged frame in a committed batch makes what it is about
//! `Corrupted`, never an older version of it, and the others go on. Damage
//! that no footer attributes makes a rebuild refuse.

use sessiondb::{Crash, Database, Error, IndexFate, SessionId, SimulatedDisk};

use crate::support::{cut, flip, open, places, refusal, session, simulated};

/// Marks that can be found in the raw bytes.
const OLD: &str = "the older version of the value";
const NEW: &str = "the newer version of the value";
const OTHER: &str = "the value of another session";

struct Stored {
    disk: SimulatedDisk,
    damaged: SessionId,
    other: SessionId,
}

/// Two versions of one session, in two batches, and another session; with
/// pages, the marked value is in one that is not the image.
fn stored(with_pages: bool) -> Stored {
    let disk = simulated(24);
    let db = open(&disk).unwrap();
    let other = db.create_session();
    other.set("value", OTHER).unwrap();
    let damaged = db.create_session();
    if with_pages {
        for number in 0..60 {
            damaged
                .set(&format!("key-{number:02}"), &"x".repeat(300))
                .unwrap();
        }
    }
    damaged.set("value", OLD).unwrap();
    db.checkpoint().unwrap();
    damaged.set("value", NEW).unwrap();
    db.checkpoint().unwrap();
    let (damaged, other) = (damaged.id(), other.id());
    let disk = cut(db, &disk, Crash::KeepNothing, IndexFate::Kept);
    Stored {
        disk,
        damaged,
        other,
    }
}

/// A place in the footer of the first batch: where the digest of the session
/// stands for the last time before its newer image.
fn first_footer(disk: &SimulatedDisk, id: &SessionId) -> usize {
    let newer = places(disk, NEW.as_bytes());
    let digests = places(disk, &id.digest().to_bytes());
    let mut before = digests.iter().map(|(_, offset)| *offset);
    let newer = newer.first().map_or(0, |(_, offset)| *offset);
    let image = before.clone().rfind(|offset| *offset < newer).unwrap();
    before.rfind(|offset| *offset < image).unwrap()
}

fn value(db: &Database, id: &SessionId) -> Result<Option<String>, Error> {
    match db.open_session(id)? {
        Some(handle) => handle.get("value"),
        None => Ok(None),
    }
}

fn is_corrupted<T: std::fmt::Debug>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Corrupted { .. }))
}

#[test]
fn a_damaged_image_makes_its_session_corrupted_and_no_other() {
    for index in [IndexFate::Kept, IndexFate::Lost] {
        let Stored {
            disk,
            damaged,
            other,
        } = stored(false);
        let found = places(&disk, NEW.as_bytes());
        assert_eq!(found.len(), 1);
        flip(&disk, &found[0].0, found[0].1);
        let disk = disk.crash(Crash::KeepAll, index).unwrap();
        let db = open(&disk).unwrap();
        for _ in 0..2 {
            let looked = value(&db, &damaged);
            assert!(is_corrupted(&looked), "{index:?}: {looked:?}");
            assert_eq!(value(&db, &other).unwrap().as_deref(), Some(OTHER));
        }
        let new = db.create_session();
        new.set("value", OTHER).unwrap();
        db.checkpoint().unwrap();
        assert!(is_corrupted(&db.verify()), "verify tells of the damage");
        assert_eq!(value(&db, &new.id()).unwrap().as_deref(), Some(OTHER));
    }
}

#[test]
fn a_damaged_page_makes_its_session_corrupted_where_it_is_needed_and_no_other() {
    for index in [IndexFate::Kept, IndexFate::Lost] {
        let Stored {
            disk,
            damaged,
            other,
        } = stored(true);
        let found = places(&disk, NEW.as_bytes());
        assert_eq!(found.len(), 1);
        flip(&disk, &found[0].0, found[0].1);
        let disk = disk.crash(Crash::KeepAll, index).unwrap();
        let db = open(&disk).unwrap();
        let looked = value(&db, &damaged);
        assert!(is_corrupted(&looked), "{index:?}: {looked:?}");
        let handle = session(&db, &damaged);
        let walked: Result<Vec<_>, _> = handle.keys().and_then(Iterator::collect);
        assert!(is_corrupted(&walked), "{index:?}: {walked:?}");
        assert_eq!(value(&db, &other).unwrap().as_deref(), Some(OTHER));
        assert!(is_corrupted(&db.verify()));
    }
}

#[test]
fn verify_tells_of_damage_to_a_version_that_nobody_reads_any_more() {
    let Stored { disk, damaged, .. } = stored(false);
    let found = places(&disk, OLD.as_bytes());
    assert_eq!(found.len(), 1);
    flip(&disk, &found[0].0, found[0].1);
    let db = open(&disk).unwrap();
    assert_eq!(value(&db, &damaged).unwrap().as_deref(), Some(NEW));
    let verified = db.verify();
    assert!(is_corrupted(&verified), "{verified:?}");
}

#[test]
fn a_flip_anywhere_in_the_segments_gives_no_wrong_answer() {
    let Stored {
        disk,
        damaged,
        other,
    } = stored(false);
    let path = "segments/000001.seg";
    let whole = disk.read_file(path).unwrap();
    let (mut refused, mut opened) = (0, 0);
    for offset in (0..whole.len()).step_by(3) {
        let index = if offset % 2 == 0 {
            IndexFate::Lost
        } else {
            IndexFate::Kept
        };
        let copy = disk.crash(Crash::KeepAll, index).unwrap();
        flip(&copy, path, offset);
        let db = match open(&copy) {
            Ok(db) => db,
            Err(error) => {
                let plain = matches!(error, Error::Corrupted { .. } | Error::Version { .. });
                assert!(plain, "byte {offset}: {error}");
                refused += 1;
                // What cannot be opened is left as it was found.
                let mut kept = whole.clone();
                kept[offset] ^= 0x20;
                assert_eq!(copy.read_file(path).unwrap(), kept, "byte {offset}");
                continue;
            }
        };
        opened += 1;
        for (id, expected) in [(&damaged, NEW), (&other, OTHER)] {
            let looked = value(&db, id);
            let right = matches!(&looked, Ok(Some(found)) if found == expected);
            assert!(right || is_corrupted(&looked), "byte {offset}: {looked:?}");
        }
        // One frame is damaged: the other session is whole.
        let wrong = [&damaged, &other]
            .into_iter()
            .filter(|id| value(&db, id).is_err());
        assert!(wrong.count() <= 1, "byte {offset}");
    }
    assert!(
        refused > 0 && opened > 0,
        "{refused} refused, {opened} opened"
    );
}

#[test]
fn damage_that_no_footer_attributes_makes_open_refuse() {
    let Stored { disk, damaged, .. } = stored(false);
    flip(&disk, "segments/000001.seg", first_footer(&disk, &damaged));
    let before = disk.read_file("segments/000001.seg").unwrap();
    for index in [IndexFate::Lost, IndexFate::Kept] {
        let copy = disk.crash(Crash::KeepAll, index).unwrap();
        let error = refusal(open(&copy), "a footer is damaged");
        assert!(
            matches!(error, Error::Corrupted { .. }),
            "{index:?}: {error}"
        );
        assert_eq!(copy.read_file("segments/000001.seg").unwrap(), before);
    }
}

#[test]
fn damage_that_no_footer_attributes_is_no_absence_in_use() {
    let Stored { disk, damaged, .. } = stored(false);
    let db = open(&disk).unwrap();
    db.verify().unwrap();
    flip(&disk, "segments/000001.seg", first_footer(&disk, &damaged));
    assert!(is_corrupted(&db.verify()), "verify tells of it");
    assert_eq!(value(&db, &damaged).unwrap().as_deref(), Some(NEW));
}
