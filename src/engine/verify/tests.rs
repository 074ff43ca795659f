//! What `verify` finds when the index is not what the segments say.

use crate::error::Error;
use crate::format::identity::{Batch, Generation};
use crate::index::Index;
use crate::session_id::SessionDigest;
use crate::{Database, SessionId};

const LAST: Batch = Batch(u64::MAX);

/// A small session, and one of several pages.
fn settled() -> (Database, [SessionId; 2]) {
    let database = Database::builder().background(false).temporary().unwrap();
    let (small, large) = (database.create_session(), database.create_session());
    small.set("user", "ada").unwrap();
    for number in 0..60 {
        let key = format!("key-{number:02}");
        large.set(&key, &"x".repeat(300)).unwrap();
    }
    let verified = database.verify().unwrap();
    assert_eq!((verified.sessions, verified.keys), (2, 61));
    assert!(verified.pages > 2, "{verified:?}");
    let ids = [small.id(), large.id()];
    (database, ids)
}

/// Asserts what `verify` says of a spoilt index.
#[track_caller]
fn is_found(expected: &str, spoil: impl FnOnce(&Index, [SessionDigest; 2])) {
    let (database, ids) = settled();
    let index = database.engine().index.get().unwrap();
    spoil(&index, ids.map(|id| id.digest()));
    match database.verify() {
        Err(Error::Corrupted { path, reason, .. }) => {
            assert!(path.ends_with("index-0001"), "{}", path.display());
            assert_eq!(reason, expected);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_row_that_is_missing_is_found() {
    is_found("its hash is not the footer's", |index, [small, _]| {
        index.remove_session(&small, LAST).unwrap().unwrap();
    });
}

#[test]
fn a_session_row_that_says_otherwise_is_found() {
    is_found("its hash is not the footer's", |index, [small, _]| {
        let mut row = index.remove_session(&small, LAST).unwrap().unwrap();
        row.sequence = row.sequence.next();
        index.put_session(&small, &row).unwrap();
    });
}

#[test]
fn a_session_row_that_leads_elsewhere_is_found() {
    let (database, [id, _]) = settled();
    let index = database.engine().index.get().unwrap();
    let mut row = index.remove_session(&id.digest(), LAST).unwrap().unwrap();
    row.location.offset += 8;
    row.location.length -= 8;
    index.put_session(&id.digest(), &row).unwrap();
    let Err(Error::Corrupted { path, .. }) = database.verify() else {
        panic!("there is no frame");
    };
    assert!(path.ends_with("000001.seg"), "{}", path.display());
}

#[test]
fn a_session_row_that_leads_to_a_file_that_does_not_count_is_found() {
    is_found(
        "a row leads to where nothing is any more",
        |index, [small, _]| {
            let mut row = index.remove_session(&small, LAST).unwrap().unwrap();
            row.location.segment = row.location.segment.next();
            index.put_session(&small, &row).unwrap();
        },
    );
}

#[test]
fn a_page_row_that_leads_to_a_file_that_does_not_count_is_found() {
    let expected = "a page's row leads to where nothing is any more";
    is_found(expected, |index, [_, large]| {
        let generation = index.session(&large).unwrap().unwrap().generation();
        let pages = index.pages(generation, "", 9).unwrap();
        let (lower, mut row) = pages.last().unwrap().clone();
        row.location.segment = row.location.segment.next();
        index.put_page(generation, &lower, &row).unwrap();
    });
}

#[test]
fn a_page_row_that_is_missing_is_found() {
    let expected = "a session's page rows are not what its row says";
    is_found(expected, |index, [_, large]| {
        let generation = index.session(&large).unwrap().unwrap().generation();
        let pages = index.pages(generation, "", 9).unwrap();
        let (lower, row) = pages.last().unwrap();
        let removed = index.remove_page(generation, lower, row.number, LAST);
        removed.unwrap().unwrap();
    });
}

#[test]
fn a_page_row_that_points_to_another_page_is_found() {
    let expected = "a session's pages do not tile";
    is_found(expected, |index, [_, large]| {
        let generation = index.session(&large).unwrap().unwrap().generation();
        let pages = index.pages(generation, "", 9).unwrap();
        let [(first, one), (_, two), ..] = pages.as_slice() else {
            panic!("{} pages", pages.len());
        };
        let removed = index.remove_page(generation, first, one.number, LAST);
        removed.unwrap().unwrap();
        let mut row = *one;
        row.location = two.location;
        index.put_page(generation, first, &row).unwrap();
    });
}

#[test]
fn a_frame_of_the_journal_that_is_damaged_is_found() {
    let database = Database::builder().background(false).temporary().unwrap();
    database.create_session().set("user", "ada").unwrap();
    let verify = || database.engine().verify(&mut |_, _| {});
    assert_eq!(verify().unwrap().journal_frames, 1);
    let path = database.engine().root().join("journal/000001.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(4).position(|window| window == b"user");
    bytes[place.unwrap()] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    match verify() {
        Err(Error::Corrupted { path, offset, .. }) => {
            assert!(
                path.ends_with("journal/000001.log") && offset == 256,
                "{offset}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_that_no_batch_needs_are_counted() {
    let (database, _) = settled();
    assert_eq!(database.verify().unwrap().orphan_files, 0);
    let stray = database.engine().root().join("segments/000009.seg");
    std::fs::write(stray, [7; 100]).unwrap();
    assert_eq!(database.verify().unwrap().orphan_files, 1);
}

#[test]
fn two_sessions_of_one_generation_are_found_among_more_than_are_known_at_a_time() {
    use super::Generations;

    let mut known = Generations::default();
    let mut twice = 0;
    let numbers = || (1..=35).rev().chain([7, 22, 35]).map(Generation);
    let mut looks = 0;
    loop {
        looks += 1;
        twice += numbers().filter(|number| !known.add(*number)).count();
        if !known.go_on() {
            break;
        }
    }
    assert_eq!((twice, looks), (3, 4));
}

#[test]
fn many_sessions_of_several_pages_are_right() {
    let database = Database::builder().background(false).temporary().unwrap();
    for number in 0..25 {
        let session = database.create_session();
        for key in 0..20 {
            session
                .set(&format!("key-{key:02}"), &"x".repeat(300))
                .unwrap();
        }
        session.set("number", &number).unwrap();
    }
    let verified = database.verify().unwrap();
    assert_eq!((verified.sessions, verified.keys), (25, 25 * 21));
    assert!(
        verified.pages >= 25 && verified.dead_pages == 0,
        "{verified:?}"
    );
    let index = database.engine().index.get().unwrap();
    let (_, row) = index.sessions_after(None, 9).unwrap().remove(8);
    index
        .lose_page(
            row.generation(),
            &index.pages(row.generation(), "", 1).unwrap()[0].0,
        )
        .unwrap();
    let outcome = database.verify();
    assert!(
        matches!(&outcome, Err(Error::Corrupted { reason, .. }) if reason == "a session's page rows are not what its row says"),
        "{outcome:?}"
    );
}

#[test]
fn pages_that_wait_for_the_sweep_are_counted() {
    let (database, [_, large]) = settled();
    let pages = database.verify().unwrap().pages;
    let mut session = database.open_session(&large).unwrap().unwrap();
    session.flush().unwrap();
    let verified = database.verify().unwrap();
    assert_eq!((verified.pages, verified.dead_pages), (0, pages));
}

#[test]
fn a_page_of_no_session_is_found() {
    is_found("it has pages of no session", |index, [_, large]| {
        let generation = index.session(&large).unwrap().unwrap().generation();
        let pages = index.pages(generation, "", 1).unwrap();
        let nobody = Generation(u64::MAX);
        index.put_page(nobody, "", &pages[0].1).unwrap();
    });
}

#[test]
fn a_retired_id_that_is_missing_is_found() {
    let (database, ids) = settled();
    let mut session = database.open_session(&ids[0]).unwrap().unwrap();
    session.flush().unwrap();
    database.verify().unwrap();
    let index = database.engine().index.get().unwrap();
    let digest = ids[0].digest();
    let now = database.engine().now();
    let until = *index.sum_retired(now).unwrap().sums.keys().next().unwrap();
    index.forget_retired(digest, until).unwrap();
    let outcome = database.verify();
    assert!(
        matches!(&outcome, Err(Error::Corrupted { reason, .. }) if reason == "a retired ID is missing"),
        "{outcome:?}"
    );
}
