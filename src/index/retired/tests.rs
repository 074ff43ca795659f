use std::collections::BTreeSet;

use super::*;

fn digest(number: u32) -> SessionDigest {
    let mut bytes = [0; 16];
    // Spread, as digests are.
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    SessionDigest::from_bytes(bytes)
}

fn id(until: Timestamp, number: u32) -> RetiredId {
    (until, ShortDigest::of(digest(number)))
}

fn sum_of(ids: impl IntoIterator<Item = RetiredId>) -> u64 {
    let hashes = ids.into_iter().map(retired_hash);
    hashes.fold(0, u64::wrapping_add)
}

fn open() -> (tempfile::TempDir, Index) {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(&directory.path().join("index"), 1 << 20).unwrap();
    (directory, index)
}

fn rows(index: &Index) -> Vec<usize> {
    let rows = index.retired.iter().values();
    rows.map(|row| decode_retired(&row.unwrap()).unwrap().len())
        .collect()
}

#[test]
fn every_id_is_found_however_many_there_are_and_no_other() {
    let (_directory, index) = open();
    let times = [Timestamp(5), Timestamp(9)];
    for chunk in 0..20 {
        let numbers = chunk * 50..chunk * 50 + 50;
        let ids = numbers.map(|number| id(times[number as usize % 2], number));
        index.retire(ids.collect()).unwrap();
    }
    for number in 0..1000 {
        let until = times[number as usize % 2];
        let before = Timestamp(until.0 - 1);
        assert!(index.is_retired(digest(number), before).unwrap());
        let is_still = index.is_retired(digest(number), until).unwrap();
        assert!(!is_still, "its time has passed");
    }
    for number in 1000..1200 {
        assert!(!index.is_retired(digest(number), Timestamp(0)).unwrap());
    }
    let rows = rows(&index);
    assert!(
        rows.iter().all(|members| *members <= ROW_MEMBERS),
        "{rows:?}"
    );
    assert_eq!(rows.iter().sum::<usize>(), 1000);
    assert!(rows.len() < 1000 / 24, "{}", rows.len());
}

#[test]
fn the_sum_is_that_of_the_ids_whatever_rows_they_are_in() {
    let until = Timestamp(5);
    let ids: Vec<_> = (0..500).map(|number| id(until, number)).collect();
    let [(_one, one), (_other, other), (_packed, packed)] = [open(), open(), open()];
    one.retire(ids.clone()).unwrap();
    for id in ids.iter().rev() {
        other.retire(vec![*id]).unwrap();
        other.retire(vec![*id]).unwrap();
    }
    for ids in ids.chunks(200) {
        packed.pack_retired(ids.to_vec()).unwrap();
        packed.pack_retired(ids.to_vec()).unwrap();
    }
    assert_ne!(rows(&one), rows(&other));
    assert_ne!(rows(&one), rows(&packed));
    let expected = sum_of(ids);
    for index in [one, other, packed] {
        assert_eq!(index.sum_retired_until(until).unwrap(), expected);
        let sums = index.sum_retired(Timestamp(0)).unwrap().sums;
        assert_eq!(sums, BTreeMap::from([(until, expected)]));
    }
}

#[test]
fn what_a_crash_leaves_twice_counts_once() {
    let (_directory, index) = open();
    let until = Timestamp(5);
    index
        .retire((0..20).map(|number| id(until, number)).collect())
        .unwrap();
    let sum = index.sum_retired_until(until).unwrap();
    // The row is cut, and the higher piece only is there.
    let mut part = index.part_of(id(until, 0)).unwrap();
    let higher = part.members.split_off(10);
    index
        .put(
            &index.retired,
            &retired_key((until, higher[0])),
            encode_retired(&higher),
        )
        .unwrap();
    assert_eq!(index.sum_retired_until(until).unwrap(), sum);
    for number in 0..20 {
        assert!(index.is_retired(digest(number), Timestamp(0)).unwrap());
        assert_eq!(index.not_yet_retired(&[id(until, number)]).unwrap(), []);
    }
    index.retire(vec![id(until, 77)]).unwrap();
    assert!(index.is_retired(digest(77), Timestamp(0)).unwrap());
}

#[test]
fn what_has_passed_goes_in_slices() {
    let (_directory, index) = open();
    let ids = (0..400).map(|number| id(Timestamp(5 + u64::from(number % 2)), number));
    index.retire(ids.collect()).unwrap();
    while index.forget_passed(Timestamp(5), 2).unwrap() == 2 {}
    for number in 0..400 {
        let is_there = index.is_retired(digest(number), Timestamp(0)).unwrap();
        assert_eq!(is_there, number % 2 == 1);
    }
}

#[test]
fn ids_of_one_short_digest_are_one() {
    let (_directory, index) = open();
    let until = Timestamp(5);
    let twins = [1, 2].map(|last| {
        let mut bytes = [7; 16];
        bytes[15] = last;
        SessionDigest::from_bytes(bytes)
    });
    let [one, other] = twins.map(|digest| (until, ShortDigest::of(digest)));
    assert_eq!(index.not_yet_retired(&[one]).unwrap(), [one]);
    index.retire(vec![one]).unwrap();
    assert_eq!(index.not_yet_retired(&[other]).unwrap(), []);
    index.retire(vec![other]).unwrap();
    assert_eq!(rows(&index), [1]);
    assert_eq!(index.sum_retired_until(until).unwrap(), retired_hash(one));
    for digest in twins {
        assert!(index.is_retired(digest, Timestamp(0)).unwrap());
    }
    let later = (Timestamp(6), one.1);
    assert_eq!(index.not_yet_retired(&[one, later]).unwrap(), [later]);
}

#[test]
fn many_ids_at_once_get_full_rows_and_one_that_is_added_cuts_its_own() {
    let (_directory, index) = open();
    let until = Timestamp(5);
    let mut ids: Vec<_> = (0..20_000).map(|number| id(until, number)).collect();
    ids.sort_unstable();
    for ids in ids.chunks(5000) {
        index.pack_retired(ids.to_vec()).unwrap();
    }
    let full = rows(&index);
    assert!(full.iter().all(|members| *members <= PACKED_MEMBERS));
    assert!(full.len() <= 20_000 / PACKED_MEMBERS + 8, "{}", full.len());
    index.retire(vec![id(until, 20_000)]).unwrap();
    let cut = rows(&index);
    assert_eq!(cut.len(), full.len() + 3);
    let is_short = |members: &&usize| **members <= ROW_MEMBERS;
    assert_eq!(cut.iter().filter(is_short).count(), 4);
    assert_eq!(cut.iter().sum::<usize>(), 20_001);
    index.retire(vec![id(until, 20_000)]).unwrap();
    assert_eq!(rows(&index), cut, "it was there");
    for number in 0..=20_000 {
        assert!(index.is_retired(digest(number), Timestamp(0)).unwrap());
    }
}

/// Behind the cursor and before it, of times that are copied and of new ones.
#[test]
fn a_copy_has_every_id_once_whenever_it_was_told() {
    for limit in [1, 7, 100, 1000] {
        let (directory, index) = open();
        let times = [5, 9, 12].map(Timestamp);
        let mut ids: BTreeSet<_> = (0..1500)
            .map(|number| id(times[number as usize % 2], number))
            .collect();
        for some in ids.iter().copied().collect::<Vec<_>>().chunks(300) {
            index.retire(some.to_vec()).unwrap();
        }
        let to = directory.path().join("copy");
        let copy = index.begin_renewal(&to, 1 << 20).unwrap();
        let mut told = BTreeSet::new();
        let mut after = None;
        let mut next = 1500;
        let mut slices = 0;
        loop {
            // Some that are new, and one that is not.
            let new: Vec<_> = [next, next + 1, next + 2, next / 2]
                .map(|number| id(times[number as usize % 3], number))
                .into();
            next += 3;
            index.retire(new.clone()).unwrap();
            told.extend(new.iter().copied());
            ids.extend(new);
            slices += 1;
            after = index.copy_retired(&copy, after, limit).unwrap();
            let Some(last) = &after else { break };
            let through = index
                .part_of(split_retired_key(last).unwrap())
                .unwrap()
                .own()
                .last()
                .unwrap();
            let is_there = |id: &&RetiredId| **id <= through || told.contains(*id);
            for until in times {
                let expected = ids.iter().filter(is_there).copied();
                let expected = sum_of(expected.filter(|id| id.0 == until));
                assert_eq!(copy.sum_retired_until(until).unwrap(), expected);
            }
        }
        assert!(slices > 1500 / (limit + PACKED_MEMBERS), "{slices}");
        // After the last one, too.
        index.retire(vec![id(times[0], next)]).unwrap();
        ids.insert(id(times[0], next));
        let sums = index.sum_retired(Timestamp(0)).unwrap();
        assert_eq!(copy.sum_retired(Timestamp(0)).unwrap(), sums);
        for until in times {
            let expected = ids.iter().copied().filter(|id| id.0 == until);
            assert_eq!(sums.sums[&until], sum_of(expected));
        }
        let all: Vec<_> = ids.into_iter().collect();
        assert_eq!(copy.not_yet_retired(&all).unwrap(), []);
    }
}

#[test]
fn a_copy_forgets_what_has_passed_with_its_index() {
    let (directory, index) = open();
    let ids = (0..400).map(|number| id(Timestamp(5 + u64::from(number % 2)), number));
    index.retire(ids.collect()).unwrap();
    let to = directory.path().join("copy");
    let copy = index.begin_renewal(&to, 1 << 20).unwrap();
    let after = index.copy_retired(&copy, None, 100).unwrap();
    assert!(after.is_some());
    while index.forget_passed(Timestamp(5), 2).unwrap() == 2 {}
    assert_eq!(index.copy_retired(&copy, after, 1000).unwrap(), None);
    for number in 0..400 {
        let is_there = copy.is_retired(digest(number), Timestamp(0)).unwrap();
        assert_eq!(is_there, number % 2 == 1);
    }
    let remembered = index.sum_retired(Timestamp(0)).unwrap();
    assert_eq!(remembered.after, Timestamp(5));
    assert_eq!(copy.sum_retired(Timestamp(0)).unwrap(), remembered);
}

/// What it was not told it would not know of.
#[test]
fn a_copy_that_cannot_take_in_an_id_is_of_no_use() {
    let (directory, index) = open();
    let to = directory.path().join("copy");
    let copy = index.begin_renewal(&to, 1 << 20).unwrap();
    let until = Timestamp(5);
    let key = retired_key((until, FIRST));
    copy.put(&copy.retired, &key, vec![7; 9]).unwrap();
    index.retire(vec![id(until, 1)]).unwrap();
    assert!(index.is_retired(digest(1), Timestamp(0)).unwrap());
    assert!(copy.flush().is_err());
}

#[test]
fn what_a_crash_leaves_twice_takes_no_place_when_its_row_is_cut() {
    let (_directory, index) = open();
    let until = Timestamp(5);
    let short = |byte: u8| ShortDigest::of(SessionDigest::from_bytes([byte; 16]));
    let ids = |bytes: std::ops::Range<u8>| bytes.step_by(2).map(|byte| (until, short(byte)));
    index.retire(ids(0..128).collect()).unwrap();
    // One more has to be put, and the higher piece only is there.
    let higher: Vec<_> = ids(64..128).map(|(_, short)| short).collect();
    let key = retired_key((until, higher[0]));
    let row = encode_retired(&higher);
    index.put(&index.retired, &key, row).unwrap();
    for byte in [65, 1, 127, 3] {
        index.retire(vec![(until, short(byte))]).unwrap();
    }
    let mut all: Vec<_> = ids(0..128).collect();
    all.extend([1, 3, 65, 127].map(|byte| (until, short(byte))));
    assert_eq!(index.not_yet_retired(&all).unwrap(), []);
    assert_eq!(index.sum_retired_until(until).unwrap(), sum_of(all));
}
