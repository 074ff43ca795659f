//! What a round does, step by step.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::super::ballast::INDEX_ROOM;
use super::super::testing::rebuild;
use super::*;
use crate::index::Trouble;
use crate::{Builder, Crash, Database, IndexFate, ManualClock, Session, SimulatedDisk, Upkeep};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn clock() -> Arc<ManualClock> {
    let begin = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    Arc::new(ManualClock::new(begin))
}

fn builder(clock: &Arc<ManualClock>) -> Builder {
    Database::builder()
        .background(false)
        .segment_bytes(32 << 10)
        .journal_segment_bytes(256 << 10)
        .clock(Arc::<ManualClock>::clone(clock))
}

fn open(builder: Builder, disk: &SimulatedDisk) -> Database {
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// A session of many pages, each of one key.
fn large_session(db: &Database) -> Session {
    let session = db.create_session();
    let filled = session.transaction(|tx| {
        (0..40).try_for_each(|number| tx.set_bytes(&format!("marked-{number:02}"), &[7; 3000]))
    });
    filled.unwrap();
    db.checkpoint().unwrap();
    session
}

/// Most of all files is zeros.
fn contains(bytes: &[u8], text: &str) -> bool {
    const BLOCK: usize = 4096;
    let starts = (0..bytes.len()).step_by(BLOCK);
    starts.into_iter().any(|start| {
        let end = bytes.len().min(start + BLOCK + text.len());
        let block = &bytes[start..end];
        block != &[0; BLOCK + 64][..block.len()]
            && block
                .windows(text.len())
                .any(|part| part == text.as_bytes())
    })
}

/// Whether any file holds a text, those of the index included.
fn holds(disk: &SimulatedDisk, text: &str) -> bool {
    let mut files = disk.files().into_iter();
    files.any(|file| contains(&disk.read_file(&file).unwrap(), text)) || index_holds(disk, text)
}

fn index_holds(disk: &SimulatedDisk, text: &str) -> bool {
    let mut directories = vec![disk.index_root()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if contains(&std::fs::read(path).unwrap(), text) {
                return true;
            }
        }
    }
    false
}

/// How often somebody is asked whether to go on.
fn steps(db: &Database) -> usize {
    let mut steps = 0;
    let is_erased = db.erase_with(|_, _, _| {
        steps += 1;
        ControlFlow::Continue(())
    });
    assert!(is_erased.unwrap());
    steps
}

/// Steps until the round is at its files.
fn erase_until(db: &Database, is_there: impl Fn(&Stage) -> bool) {
    for _ in 0..1000 {
        db.engine().erase_step().unwrap();
        let round = db.engine().erasure.round.lock();
        if is_there(&round.as_ref().unwrap().stage) {
            return;
        }
    }
    panic!("it never comes there");
}

#[test]
fn a_round_begins_when_half_of_the_time_has_passed() {
    let clock = clock();
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(builder(&clock).erase_within(Some(2 * MINUTE)), &disk);
    let session = large_session(&db);
    clock.advance(2 * MINUTE);
    assert!(!db.engine().wants_erasure(), "nothing was removed");
    session.delete("marked-07").unwrap();
    clock.advance(59 * SECOND);
    assert!(!db.engine().wants_erasure());
    clock.advance(SECOND);
    assert!(db.engine().wants_erasure());
    while db.engine().erase_step().unwrap() {
        assert!(db.engine().wants_erasure(), "until it is over");
    }
    assert!(!db.engine().wants_erasure());
    assert!(!holds(&disk, "marked-07"));
}

#[test]
fn less_than_a_minute_counts_as_one() {
    for within in [Duration::ZERO, SECOND, MINUTE] {
        let clock = clock();
        let disk = SimulatedDisk::new(2).unwrap();
        let db = open(builder(&clock).erase_within(Some(within)), &disk);
        large_session(&db).delete("marked-07").unwrap();
        clock.advance(29 * SECOND);
        assert!(!db.engine().wants_erasure());
        clock.advance(SECOND);
        assert!(db.engine().wants_erasure());
    }
}

#[test]
fn without_a_time_nothing_is_erased_by_itself() {
    let clock = clock();
    let disk = SimulatedDisk::new(3).unwrap();
    let upkeep = Upkeep::default().purge(false);
    let db = open(builder(&clock).erase_within(None).upkeep(upkeep), &disk);
    large_session(&db).delete("marked-07").unwrap();
    clock.advance(1000 * MINUTE);
    assert!(!db.engine().wants_erasure());
    db.erase().unwrap();
    assert!(!holds(&disk, "marked-07"));
}

/// What was removed in a round waits for the next one, and that for its time.
#[test]
fn rounds_do_not_follow_each_other_at_once_under_load() {
    let clock = clock();
    let disk = SimulatedDisk::new(4).unwrap();
    let db = open(builder(&clock).erase_within(Some(2 * MINUTE)), &disk);
    let session = large_session(&db);
    let mut rounds = 0;
    for number in 0..240 {
        session.set_bytes("marked-07", &[number; 3000]).unwrap();
        clock.advance(SECOND);
        if db.engine().wants_erasure() {
            while db.engine().erase_step().unwrap() {
                session.set_bytes("marked-07", &[number; 3000]).unwrap();
            }
            rounds += 1;
        }
    }
    assert!((3..=4).contains(&rounds), "{rounds}");
}

#[test]
fn a_round_where_nothing_was_removed_comes_to_its_end_and_copies_nothing() {
    let clock = clock();
    let disk = SimulatedDisk::new(5).unwrap();
    let db = open(builder(&clock), &disk);
    // More of them where the next file of the journal is waited for.
    assert!(steps(&db) < 200);
    large_session(&db);
    assert!(steps(&db) < 200);
    let copied = db.stats().segment_bytes;
    let files = disk.files();
    assert!(steps(&db) < 200);
    let others: Vec<_> = disk
        .files()
        .into_iter()
        .filter(|file| !files.contains(file))
        .collect();
    assert!(
        others.iter().all(|file| file.starts_with("journal/")),
        "{others:?}"
    );
    // A batch without frames says through where the journal is not needed.
    assert!(db.stats().segment_bytes < copied + 1000);
}

/// Its successor holds names that were removed since it began.
#[test]
fn a_copy_of_the_index_that_was_under_way_is_not_the_one_that_erases() {
    for copied in 1..7 {
        let clock = clock();
        let disk = SimulatedDisk::new(6).unwrap();
        let db = open(builder(&clock), &disk);
        let session = large_session(&db);
        for _ in 0..copied {
            db.engine().renew_step().unwrap();
        }
        for number in 5..35 {
            session.delete(&format!("marked-{number:02}")).unwrap();
        }
        session.set_owner(Some("marked-owner")).unwrap();
        db.checkpoint().unwrap();
        session.set_owner(None).unwrap();
        db.erase().unwrap();
        assert!(!holds(&disk, "marked-owner"), "{copied}");
        for key in ["marked-05", "marked-20", "marked-34"] {
            assert!(!holds(&disk, key), "{copied}: {key}");
        }
        db.verify().unwrap();
    }
}

#[test]
fn an_index_that_is_rebuilt_or_copied_within_a_round_changes_nothing() {
    let clock = clock();
    for step in 0..18_u32 {
        for is_rebuilt in [false, true] {
            let disk = SimulatedDisk::new(7).unwrap();
            let db = open(builder(&clock), &disk);
            let session = large_session(&db);
            let ttl = SECOND;
            session.set_with_ttl("marked-ttl", "value", ttl).unwrap();
            db.checkpoint().unwrap();
            session.delete("marked-07").unwrap();
            clock.advance(2 * SECOND);
            let mut left = step;
            let outcome = db.erase_with(|_, _, _| {
                if left == 0 && is_rebuilt {
                    rebuild(db.engine());
                } else if left == 0 {
                    while db.engine().renew_step().unwrap() {}
                }
                left = left.wrapping_sub(1);
                ControlFlow::Continue(())
            });
            assert!(outcome.unwrap());
            let what = format!("{step}, {is_rebuilt}");
            // The rows that a rebuild finds may tell of keys that go then.
            let age = db.stats().erasure_age;
            assert!(age.is_none() || is_rebuilt, "{what}: {age:?}");
            assert!(!holds(&disk, "marked-07"), "{what}");
            assert!(!holds(&disk, "marked-ttl"), "{what}");
            assert_eq!(session.len().unwrap(), 39, "{what}");
            db.verify().unwrap();
        }
    }
}

#[test]
fn what_is_written_between_its_steps_stays_and_what_is_removed_has_an_age() {
    let clock = clock();
    let disk = SimulatedDisk::new(8).unwrap();
    let db = open(builder(&clock), &disk);
    let session = large_session(&db);
    session.delete("marked-07").unwrap();
    clock.advance(SECOND);
    let mut number = 0;
    let outcome = db.erase_with(|_, _, _| {
        number += 1;
        session
            .set(&format!("new-{number:02}"), "new value")
            .unwrap();
        session.set("overwritten", &number).unwrap();
        if number % 3 == 0 {
            db.checkpoint().unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(outcome.unwrap());
    assert!(!holds(&disk, "marked-07"));
    assert_eq!(db.stats().erasure_age, Some(Duration::ZERO));
    assert_eq!(session.len().unwrap(), 40 + number);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    let id = session.id();
    let db = open(builder(&clock), &disk);
    let session = db.open_session(&id).unwrap().unwrap();
    assert_eq!(session.len().unwrap(), 40 + number);
    db.verify().unwrap();
}

/// What is committed and not published hides what is over from the purge.
#[test]
fn a_round_does_not_pass_by_a_batch_that_is_not_published() {
    let clock = clock();
    let disk = SimulatedDisk::new(9).unwrap();
    let db = open(builder(&clock).segment_bytes(1 << 20), &disk);
    let session = large_session(&db);
    let over = db.create_session();
    over.set("over", "value").unwrap();
    over.set_expiry(crate::Expiry::Idle(SECOND)).unwrap();
    db.checkpoint().unwrap();
    session.delete("marked-07").unwrap();
    clock.advance(2 * SECOND);
    erase_until(&db, |stage| matches!(stage, Stage::Purge(_)));
    db.engine().ballast.release();
    for number in 0..40 {
        let key = format!("key-{number:02}");
        session.set_bytes(&key, &[8; 1000]).unwrap();
    }
    let files = disk.files().into_iter();
    let used: u64 = files
        .map(|file| disk.read_file(&file).unwrap().len() as u64)
        .sum();
    disk.set_capacity(Some(used + INDEX_ROOM + (32 << 10)));
    let outcome = db.checkpoint();
    assert!(
        matches!(outcome, Err(Error::StorageFull { .. })),
        "{outcome:?}"
    );
    assert!(db.engine().checkpointer.lock().has_plan());
    for _ in 0..3 {
        let outcome = db.engine().erase_step();
        assert!(
            matches!(outcome, Err(Error::StorageFull { .. })),
            "{outcome:?}"
        );
    }
    disk.set_capacity(None);
    db.erase().unwrap();
    assert_eq!(db.stats().erasure_age, None);
    assert!(!holds(&disk, "marked-07"));
    assert_eq!(db.verify().unwrap().sessions, 1);
}

/// Sets keys with times of life to some sessions, removes some, checkpoints.
fn set_and_remove(db: &Database, sessions: &[Session], random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..20) {
        let session = &sessions[random.usize(..sessions.len())];
        let key = format!("key-{:02}", random.usize(..60));
        let value = "v".repeat(random.usize(..800));
        match random.u8(..4) {
            0 => drop(session.discard(&key).unwrap()),
            1 => session.set(&key, &value).unwrap(),
            _ => {
                let ttl = SECOND * random.u32(1..300);
                session.set_with_ttl(&key, &value, ttl).unwrap();
            }
        }
    }
    db.checkpoint().unwrap();
}

/// When the first key ends of all that are in pages, by a look at all pages.
fn first_in_pages(engine: &Engine) -> Option<Timestamp> {
    let footers = engine.segments.scan(&mut |_, _| {}).unwrap();
    let entries = footers.iter().flat_map(|(_, footer)| &footer.entries);
    let index = engine.index.get().unwrap();
    let pages = entries.filter_map(|entry| {
        use crate::format::segment_frame::{Identity, Kind};
        match (&entry.identity, entry.kind) {
            (Identity::Session(digest, _), Kind::Image) => {
                let row = index.session(digest).unwrap()?;
                (row.location == entry.location)
                    .then(|| engine.segments.read_image(entry.location).unwrap().1)
            }
            (Identity::Page(generation, _, lower), Kind::Page) => {
                let row = index.page_row(*generation, lower).unwrap()?;
                (row.location == entry.location)
                    .then(|| engine.segments.read_page(entry.location).unwrap().1)
            }
            _ => None,
        }
    });
    pages.filter_map(|page| page.first_deadline()).min()
}

#[test]
fn no_key_ends_before_the_first_deadline_and_none_is_over_after_a_round() {
    for seed in 0..6 {
        let clock = clock();
        let disk = SimulatedDisk::new(seed).unwrap();
        let db = open(builder(&clock), &disk);
        let mut random = fastrand::Rng::with_seed(seed);
        let sessions: Vec<Session> = (0..4).map(|_| db.create_session()).collect();
        for session in &sessions {
            session.set("key", "value").unwrap();
        }
        for round in 0..24 {
            set_and_remove(&db, &sessions, &mut random);
            clock.advance(SECOND * random.u32(..60));
            let engine = db.engine();
            let what = format!("seed {seed}, round {round}");
            let first = || engine.index.get().unwrap().first_deadline();
            let known = first().map_or(u64::MAX, |first| first.0);
            let truth = first_in_pages(engine).map_or(u64::MAX, |first| first.0);
            assert!(known <= truth, "{what}: {known} is not before {truth}");
            match random.u8(..4) {
                0 => {
                    db.erase().unwrap();
                    let first = first();
                    assert!(first.is_none_or(|first| first > engine.now()), "{what}");
                    let truth = first_in_pages(engine);
                    assert!(truth.is_none_or(|truth| truth > engine.now()), "{what}");
                    assert_eq!(db.stats().erasure_age, None, "{what}");
                }
                1 => {
                    rebuild(engine);
                    let rebuilt = first().map_or(u64::MAX, |first| first.0);
                    assert!((known..=truth).contains(&rebuilt), "{what}");
                }
                _ => {}
            }
        }
        db.verify().unwrap();
    }
}

/// Between the beginning of a round and its first checkpoint.
#[test]
fn a_key_that_is_over_before_the_checkpoint_that_was_to_tell_of_it_has_an_age() {
    let clock = clock();
    let disk = SimulatedDisk::new(12).unwrap();
    let db = open(builder(&clock), &disk);
    let session = db.create_session();
    let filled = session.transaction(|tx| {
        tx.set("kept", "value")?;
        tx.set_with_ttl("marked-key", "value", SECOND)
    });
    filled.unwrap();
    let engine = db.engine();
    let round = engine.begin_round();
    *engine.erasure.round.lock() = Some(round);
    assert_eq!(db.stats().erasure_age, None);
    clock.advance(3 * SECOND);
    assert!(engine.erase_step().unwrap());
    assert_eq!(db.stats().erasure_age, Some(2 * SECOND));
    while engine.erase_step().unwrap() {}
    assert!(!holds(&disk, "marked-key"));
    assert_eq!(db.stats().erasure_age, None);
}

/// All pages are searched then, and each of them tells.
#[test]
fn the_first_deadline_is_exact_after_a_search() {
    let clock = clock();
    let disk = SimulatedDisk::new(10).unwrap();
    let db = open(builder(&clock), &disk);
    let session = large_session(&db);
    for (key, seconds) in [("marked-03x", 5), ("marked-20x", 50), ("marked-30x", 500)] {
        let ttl = SECOND * seconds;
        session.set_with_ttl(key, "value", ttl).unwrap();
    }
    db.checkpoint().unwrap();
    // Its row still says that something ends early.
    session.delete("marked-20x").unwrap();
    db.checkpoint().unwrap();
    clock.advance(10 * SECOND);
    db.erase().unwrap();
    let engine = db.engine();
    let known = engine.index.get().unwrap().first_deadline();
    assert_eq!(known, first_in_pages(engine));
    assert!(known > Some(engine.now().plus(400 * SECOND)));
    rebuild(engine);
    assert_eq!(engine.index.get().unwrap().first_deadline(), known);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let db = open(builder(&clock), &disk);
    assert_eq!(db.engine().index.get().unwrap().first_deadline(), known);
}

#[test]
fn a_fresh_index_holds_nothing_removed_until_a_name_is_taken_out_of_it() {
    let clock = clock();
    let disk = SimulatedDisk::new(11).unwrap();
    let db = open(builder(&clock), &disk);
    let holds_removed = || db.engine().index.get().unwrap().holds_removed();
    let session = large_session(&db);
    assert!(!holds_removed());
    session.set_bytes("marked-07", &[8; 3000]).unwrap();
    db.checkpoint().unwrap();
    assert!(!holds_removed(), "no name went");
    session.delete("marked-07").unwrap();
    db.checkpoint().unwrap();
    assert!(holds_removed());
    let before = db.engine().index.name();
    db.erase().unwrap();
    assert!(!holds_removed());
    assert_ne!(db.engine().index.name(), before);
    session.set_owner(Some("owner")).unwrap();
    db.checkpoint().unwrap();
    assert!(!holds_removed());
    session.set_owner(None).unwrap();
    db.checkpoint().unwrap();
    assert!(holds_removed());
    let trouble = Trouble::new("a test");
    let generation = db.engine().index.generation();
    db.engine().mend_index(generation, &trouble).unwrap();
    assert!(!db.engine().index.get().unwrap().holds_removed());
}

/// Nobody would end it.
#[test]
fn a_round_that_is_stopped_is_given_up_where_nothing_is_erased_by_itself() {
    for steps in 0..12 {
        let disk = SimulatedDisk::new(40).unwrap();
        let db = open(builder(&clock()).erase_within(None), &disk);
        large_session(&db).delete("marked-07").unwrap();
        let mut left = steps;
        let is_over = db.erase_with(|_, _, _| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            ControlFlow::Continue(())
        });
        assert!(!is_over.unwrap());
        assert!(!db.engine().is_erasing(), "{steps} steps");
        assert!(db.stats().erasure_age.is_some());
        db.erase().unwrap();
        assert!(!holds(&disk, "marked-07"));
    }
}
