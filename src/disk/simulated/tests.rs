use super::*;

const SECTOR: usize = 512;
const ALL: [Crash; 4] = [
    Crash::KeepNothing,
    Crash::KeepAll,
    Crash::Random(1),
    Crash::Prefix(1),
];

fn disk() -> SimulatedDisk {
    SimulatedDisk::new(7).unwrap()
}

fn path(text: &str) -> &Path {
    Path::new(text)
}

fn after(disk: &SimulatedDisk, how: Crash) -> SimulatedDisk {
    disk.crash(how, IndexFate::Lost).unwrap()
}

/// A file of which the name is durable and the bytes are not.
fn created(disk: &SimulatedDisk, name: &str) -> Arc<dyn DiskFile> {
    let file = disk.create(path(name)).unwrap();
    disk.sync_directory(path("")).unwrap();
    file
}

fn fault(operation: Operation, effect: FaultEffect) -> Fault {
    Fault {
        operation,
        path_contains: String::new(),
        after: 0,
        times: 1,
        kind: io::ErrorKind::Other,
        effect,
    }
}

#[test]
fn unsynced_bytes_are_lost_when_nothing_is_kept() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(b"synced", 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(b"SYN and more", 0).unwrap();
    assert_eq!(disk.unsynced_bytes(), 12);
    assert_eq!(disk.read_file("a").unwrap(), b"SYN and more");
    let survivor = after(&disk, Crash::KeepNothing);
    assert_eq!(survivor.read_file("a").unwrap(), b"synced");
    let everything = after(&disk, Crash::KeepAll);
    assert_eq!(everything.read_file("a").unwrap(), b"SYN and more");
}

#[test]
fn synced_bytes_survive_every_crash() {
    let disk = disk();
    disk.create_directory(path("journal")).unwrap();
    disk.sync_directory(path("")).unwrap();
    let file = disk.create(path("journal/1")).unwrap();
    let bytes: Vec<u8> = (0..5000_u32).map(|value| value.to_le_bytes()[0]).collect();
    file.write_all_at(&bytes, 0).unwrap();
    file.sync_all().unwrap();
    disk.sync_directory(path("journal")).unwrap();
    let other = disk.create(path("journal/2")).unwrap();
    other.write_all_at(&bytes, 100).unwrap();
    file.write_all_at(&bytes, 5000).unwrap();
    for how in ALL {
        let survivor = after(&disk, how);
        let found = survivor.read_file("journal/1").unwrap();
        assert_eq!(found[..5000], bytes, "{how:?}");
    }
    for seed in 0..200 {
        for how in [Crash::Random(seed), Crash::Prefix(seed)] {
            let survivor = after(&disk, how);
            let found = survivor.read_file("journal/1").unwrap();
            // The sector of byte 5000 is dirty, but its synced part has not changed.
            assert_eq!(found[..5000], bytes, "{how:?}");
        }
    }
}

#[test]
fn torn_sectors_are_only_among_the_unsynced_ones() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(&[1; 8 * SECTOR], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[2; 4 * SECTOR], 2 * SECTOR as u64)
        .unwrap();
    let (mut torn, mut old, mut new) = (0, 0, 0);
    for seed in 0..200 {
        let found = after(&disk, Crash::Random(seed)).read_file("a").unwrap();
        assert_eq!(found.len(), 8 * SECTOR);
        for (number, sector) in found.chunks(SECTOR).enumerate() {
            let fresh = sector.iter().take_while(|byte| **byte == 2).count();
            assert!(sector[fresh..].iter().all(|byte| *byte == 1));
            if !(2..6).contains(&number) {
                assert_eq!(fresh, 0);
            } else if fresh == SECTOR {
                new += 1;
            } else if fresh == 0 {
                old += 1;
            } else {
                torn += 1;
            }
        }
    }
    assert!(torn > 20 && old > 100 && new > 100, "{torn} {old} {new}");
}

#[test]
fn an_unsynced_length_survives_or_does_not() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(&[1; SECTOR], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[2; SECTOR], SECTOR as u64).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let found = after(&disk, Crash::Random(seed)).read_file("a").unwrap();
        assert!(found[..SECTOR].iter().all(|byte| *byte == 1));
        seen.insert((found.len(), found.get(SECTOR).copied()));
    }
    let expected = [(SECTOR, None), (2 * SECTOR, Some(0)), (2 * SECTOR, Some(2))];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_prefix_is_in_the_order_of_operations_across_files() {
    let disk = disk();
    let first = created(&disk, "a");
    let second = created(&disk, "b");
    for round in 0..10_u64 {
        let offset = round * SECTOR as u64 * 2;
        first.write_all_at(&[1; 2 * SECTOR], offset).unwrap();
        second.write_all_at(&[1; 2 * SECTOR], offset).unwrap();
    }
    let mut lengths = std::collections::BTreeSet::new();
    let mut torn = 0;
    for seed in 0..200 {
        let survivor = after(&disk, Crash::Prefix(seed));
        let first = survivor.read_file("a").unwrap().len() / SECTOR;
        let second = survivor.read_file("b").unwrap().len() / SECTOR;
        assert!(second <= first && first <= second + 2, "{first} {second}");
        torn += usize::from(first % 2 == 1 || second % 2 == 1);
        lengths.insert(first + second);
    }
    assert!(torn > 20 && lengths.len() > 20);
}

#[test]
fn a_created_file_vanishes_without_a_sync_of_its_directory() {
    let disk = disk();
    let file = disk.create(path("a")).unwrap();
    file.write_all_at(b"bytes", 0).unwrap();
    file.sync_all().unwrap();
    assert!(after(&disk, Crash::KeepNothing).files().is_empty());
    assert_eq!(after(&disk, Crash::KeepAll).files(), ["a"]);
    let both = (0..50).map(|seed| after(&disk, Crash::Random(seed)).files().len());
    assert!((10..40).contains(&both.sum::<usize>()));
}

#[test]
fn a_file_vanishes_with_its_unsynced_directory() {
    let disk = disk();
    disk.create_directory(path("journal")).unwrap();
    disk.create(path("journal/1")).unwrap();
    disk.sync_directory(path("journal")).unwrap();
    let survivor = after(&disk, Crash::KeepNothing);
    assert!(survivor.files().is_empty());
    let error = survivor.list(path("journal")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_rename_is_durable_only_after_a_sync_of_its_directory() {
    let disk = disk();
    disk.write_file("a", b"old").unwrap();
    let file = created(&disk, "a.new");
    file.write_all_at(b"new", 0).unwrap();
    file.sync_all().unwrap();
    disk.rename(path("a.new"), path("a")).unwrap();
    assert_eq!(disk.read_file("a").unwrap(), b"new");
    let survivor = after(&disk, Crash::KeepNothing);
    assert_eq!(survivor.files(), ["a", "a.new"]);
    assert_eq!(survivor.read_file("a").unwrap(), b"old");

    let disk = after(&disk, Crash::KeepNothing);
    disk.rename(path("a.new"), path("a")).unwrap();
    disk.sync_directory(path("")).unwrap();
    for how in ALL {
        let survivor = after(&disk, how);
        assert_eq!(survivor.files(), ["a"], "{how:?}");
        assert_eq!(survivor.read_file("a").unwrap(), b"new");
    }
}

#[test]
fn a_rename_never_leaves_both_names_gone() {
    let disk = disk();
    for directory in ["x", "y"] {
        disk.create_directory(path(directory)).unwrap();
    }
    disk.sync_directory(path("")).unwrap();
    disk.write_file("x/a", b"kept").unwrap();
    disk.rename(path("x/a"), path("x/b")).unwrap();
    disk.rename(path("x/b"), path("y/a")).unwrap();
    disk.create(path("x/a")).unwrap();
    for seed in 0..200 {
        for how in [Crash::Random(seed), Crash::Prefix(seed)] {
            let survivor = after(&disk, how);
            let kept = survivor
                .files()
                .iter()
                .filter(|name| survivor.read_file(name).unwrap() == b"kept")
                .count();
            assert_eq!(kept, 1, "{how:?}");
        }
    }
    let disk = after(&disk, Crash::KeepNothing);
    disk.rename(path("x/a"), path("y/a")).unwrap();
    disk.create(path("x/a")).unwrap();
    disk.sync_directory(path("x")).unwrap();
    assert_eq!(after(&disk, Crash::KeepNothing).files(), ["x/a", "y/a"]);
}

#[test]
fn a_removed_file_returns_without_a_sync_of_its_directory() {
    let disk = disk();
    disk.write_file("a", b"bytes").unwrap();
    disk.remove(path("a")).unwrap();
    assert!(disk.files().is_empty());
    let survivor = after(&disk, Crash::KeepNothing);
    assert_eq!(survivor.read_file("a").unwrap(), b"bytes");
    survivor.remove(path("a")).unwrap();
    survivor.sync_directory(path("")).unwrap();
    assert!(after(&survivor, Crash::KeepNothing).files().is_empty());
}

#[test]
fn a_sync_covers_the_names_that_were_there_when_it_began() {
    let disk = disk();
    disk.create(path("before")).unwrap();
    let begun = disk.operations();
    disk.create(path("meanwhile")).unwrap();
    disk.sync_through("", begun).unwrap();
    let survivor = after(&disk, Crash::KeepNothing);
    assert_eq!(survivor.files(), ["before"]);
}

#[test]
fn a_removed_directory_returns_with_what_was_in_it_until_the_one_above_is_synced() {
    let disk = disk();
    disk.create_directory(path("outer")).unwrap();
    disk.create_directory(path("outer/index")).unwrap();
    disk.create(path("outer/index/rows")).unwrap();
    for directory in ["", "outer", "outer/index"] {
        disk.sync_directory(path(directory)).unwrap();
    }
    let error = disk.remove_directory("outer/index").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
    disk.remove(path("outer/index/rows")).unwrap();
    disk.remove_directory("outer/index").unwrap();
    assert_eq!(disk.directories(), ["outer"]);
    let returned = disk.copy(Crash::KeepNothing, IndexFate::Lost).unwrap();
    assert_eq!(returned.directories(), ["outer", "outer/index"]);
    assert_eq!(returned.files(), ["outer/index/rows"]);

    disk.sync_directory(path("outer")).unwrap();
    disk.create_directory(path("outer/index")).unwrap();
    disk.sync_directory(path("outer")).unwrap();
    for how in ALL {
        let survivor = disk.copy(how, IndexFate::Lost).unwrap();
        assert_eq!(survivor.directories(), ["outer", "outer/index"], "{how:?}");
        assert!(survivor.files().is_empty(), "{how:?}");
    }
}

#[test]
fn pages_lost_by_a_failed_sync_stay_lost_after_a_later_one() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(&[1; SECTOR], 0).unwrap();
    for operation in [Operation::SyncData, Operation::SyncAll] {
        disk.inject(fault(operation, FaultEffect::LosePages));
    }
    file.sync_data().unwrap_err();
    assert_eq!(disk.unsynced_bytes(), 0);
    file.write_all_at(&[2; SECTOR], SECTOR as u64).unwrap();
    file.sync_all().unwrap_err();
    file.write_all_at(&[3; SECTOR], 2 * SECTOR as u64).unwrap();
    file.sync_data().unwrap();
    let seen = disk.read_file("a").unwrap();
    assert_eq!((seen[0], seen[SECTOR], seen[2 * SECTOR]), (1, 2, 3));
    let kept = after(&disk, Crash::KeepAll).read_file("a").unwrap();
    assert_eq!((kept[0], kept[SECTOR], kept[2 * SECTOR]), (0, 0, 3));
}

#[test]
fn a_failed_sync_may_lose_any_of_the_pages_and_leaves_the_others_to_the_next() {
    const PAGE: usize = 4096;
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let disk = disk();
        let file = created(&disk, "a");
        // Two writes to each page, and neither begins or ends with one.
        file.write_all_at(&[1; 3 * PAGE], 100).unwrap();
        file.write_all_at(&[2; 3 * PAGE], 200).unwrap();
        disk.inject(fault(Operation::SyncData, FaultEffect::LoseSomePages(seed)));
        file.sync_data().unwrap_err();
        assert_eq!(disk.read_file("a").unwrap()[PAGE], 2, "still seen");
        let bytes = |how| after(&disk.twin(IndexFate::Lost).unwrap(), how).read_file("a");
        assert!(bytes(Crash::KeepNothing).unwrap().is_empty());
        let kept = bytes(Crash::KeepAll).unwrap();
        assert_eq!(kept.len(), 3 * PAGE + 200, "the length is no page");
        file.sync_data().unwrap();
        assert_eq!(bytes(Crash::KeepNothing).unwrap(), kept);
        let pages = kept.chunks(PAGE).enumerate();
        let fates = pages.map(|(number, page)| {
            let skipped = if number == 0 { 100 } else { 0 };
            let written = &page[skipped..];
            let is_lost = written.iter().all(|byte| *byte == 0);
            assert!(is_lost || !written.contains(&0), "a page fares as a whole");
            is_lost
        });
        met.insert(fates.collect::<Vec<_>>());
    }
    assert_eq!(met.len(), 16, "{met:?}");
}

#[test]
fn a_refused_sync_keeps_the_bytes_for_the_next_one() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(b"bytes", 0).unwrap();
    disk.inject(fault(Operation::SyncData, FaultEffect::Refuse));
    file.sync_data().unwrap_err();
    file.sync_data().unwrap();
    let survivor = after(&disk, Crash::KeepNothing);
    assert_eq!(survivor.read_file("a").unwrap(), b"bytes");
}

#[test]
fn a_fault_strikes_as_often_as_it_says_and_by_the_name_of_now() {
    let disk = disk();
    let file = disk.create(path("a.new")).unwrap();
    disk.inject(Fault {
        path_contains: "moved".into(),
        after: 1,
        times: 2,
        kind: io::ErrorKind::PermissionDenied,
        ..fault(Operation::Write, FaultEffect::ShortWrite)
    });
    file.write_all_at(b"....", 0).unwrap();
    disk.rename(path("a.new"), path("moved")).unwrap();
    file.write_all_at(b"1111", 0).unwrap();
    let error = file.write_all_at(b"2222", 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(disk.read_file("moved").unwrap(), b"2211");
    file.write_all_at(b"3333", 0).unwrap_err();
    file.write_all_at(b"4444", 0).unwrap();
    disk.inject(fault(Operation::Read, FaultEffect::Refuse));
    disk.clear_faults();
    file.read_exact_at(&mut [0; 4], 0).unwrap();
}

#[test]
fn a_file_that_would_grow_beyond_the_capacity_is_refused_whole() {
    let disk = disk();
    assert_eq!(disk.free_bytes(), u64::MAX);
    disk.set_capacity(Some(1000));
    let file = disk.create(path("a")).unwrap();
    file.write_all_at(&[1; 900], 0).unwrap();
    assert_eq!(disk.free_bytes(), 100);
    let error = file.write_all_at(&[2; 200], 850).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read_file("a").unwrap(), [1; 900]);
    let error = file.set_length(1001).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    file.write_all_at(&[2; 150], 850).unwrap();
    assert_eq!(disk.free_bytes(), 0);
    file.write_all_at(&[3; 1000], 0).unwrap();
    assert_eq!(after(&disk, Crash::KeepNothing).free_bytes(), 1000);
    disk.remove_file("a").unwrap();
    assert_eq!(disk.free_bytes(), 1000);
}

#[test]
fn allocated_space_is_taken_at_once_and_for_good() {
    let disk = disk();
    disk.set_capacity(Some(1000));
    let file = created(&disk, "a");
    file.write_all_at(b"kept", 0).unwrap();
    file.allocate(900).unwrap();
    assert_eq!((disk.file_bytes(), disk.free_bytes()), (900, 100));
    let error = file.allocate(1001).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    // It can be written, and other files cannot have it.
    let other = created(&disk, "b");
    other.write_all_at(&[1; 101], 0).unwrap_err();
    other.write_all_at(&[1; 100], 0).unwrap();
    file.write_all_at(b"more", 896).unwrap();
    assert_eq!(file.length().unwrap(), 900);
    let seen = disk.read_file("a").unwrap();
    assert_eq!((&seen[..4], &seen[896..]), (&b"kept"[..], &b"more"[..]));
    let mut between = [1; 892];
    file.read_exact_at(&mut between, 4).unwrap();
    assert_eq!(between, [0; 892]);
    file.read_exact_at(&mut [0; 2], 899).unwrap_err();
    file.set_length(500).unwrap();
    assert_eq!(disk.file_bytes(), 600);
    // Only what was synced is kept by a crash.
    file.sync_all().unwrap();
    file.allocate(800).unwrap();
    let kept = after(&disk, Crash::KeepNothing).read_file("a").unwrap();
    assert_eq!(kept.len(), 500);
}

#[test]
fn an_unsynced_allocation_survives_or_does_not() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(&[1; SECTOR], 0).unwrap();
    file.sync_all().unwrap();
    file.allocate(4 * SECTOR as u64).unwrap();
    let other = created(&disk, "b");
    other.write_all_at(&[1; SECTOR], 0).unwrap();
    for how in [Crash::Random, Crash::Prefix] {
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..60 {
            let survivor = after(&disk, how(seed));
            let found = survivor.read_file("a").unwrap();
            assert_eq!(found[..SECTOR], [1; SECTOR]);
            assert!(found[SECTOR..].iter().all(|byte| *byte == 0));
            // In their order the allocation comes before the other file's bytes.
            let is_later = survivor
                .read_file("b")
                .is_some_and(|other| !other.is_empty());
            if is_later && how(seed) == Crash::Prefix(seed) {
                assert_eq!(found.len(), 4 * SECTOR);
            }
            lengths.insert(found.len());
        }
        let lengths: Vec<_> = lengths.into_iter().collect();
        assert_eq!(lengths, [SECTOR, 4 * SECTOR], "{:?}", how(0));
    }
    let kept = after(&disk, Crash::KeepAll).read_file("a").unwrap();
    assert_eq!(kept.len(), 4 * SECTOR);
}

#[test]
fn a_twin_crashes_as_the_disk_would_have_at_that_moment() {
    let disk = disk();
    disk.write_file("old", b"old").unwrap();
    let file = disk.create(path("a")).unwrap();
    file.write_all_at(&[1; 3 * SECTOR], 0).unwrap();
    disk.rename(path("old"), path("new")).unwrap();
    let ways = (0..20).map(Crash::Random).chain((0..20).map(Crash::Prefix));
    let ways: Vec<Crash> = ways.chain(ALL).collect();
    let futures = |disk: &SimulatedDisk| -> Vec<_> {
        let copies = ways
            .iter()
            .map(|how| disk.copy(*how, IndexFate::Lost).unwrap());
        copies.map(|copy| copy.snapshot()).collect()
    };
    let expected = futures(&disk);
    let twin = disk.twin(IndexFate::Lost).unwrap();
    assert_eq!(twin.unsynced_bytes(), disk.unsynced_bytes());
    // Neither changes with the other.
    file.write_all_at(&[2; SECTOR], 0).unwrap();
    file.sync_all().unwrap();
    disk.sync_directory(path("")).unwrap();
    assert_eq!(futures(&twin), expected);
    assert_ne!(futures(&disk), expected);
    twin.open(path("a")).unwrap().sync_all().unwrap();
    let kept = after(&disk, Crash::KeepNothing).read_file("a").unwrap();
    assert_eq!((kept[0], kept[SECTOR]), (2, 1));
}

#[test]
fn images_are_told_apart_by_their_names_their_lengths_and_their_bytes() {
    let image = |name: &str, bytes: &[u8]| {
        let disk = disk();
        disk.write_file(name, bytes).unwrap();
        disk.image_hash()
    };
    let base = image("a", b"bytes");
    assert_eq!(image("a", b"bytes"), base);
    let others = [
        image("b", b"bytes"),
        image("a", b"bytez"),
        image("a", b"bytes\0"),
    ];
    assert!(others.iter().all(|other| *other != base), "{others:?}");
    let synced = disk();
    let file = created(&synced, "a");
    file.write_all_at(b"bytes", 0).unwrap();
    assert_eq!(synced.image_hash(), base);
}

#[test]
fn the_power_goes_off_after_so_many_mutating_operations() {
    let disk = disk();
    let file = created(&disk, "a");
    assert_eq!(disk.operations(), 2);
    disk.power_off_after(2);
    file.write_all_at(b"first", 0).unwrap();
    file.read_exact_at(&mut [0; 5], 0).unwrap();
    assert!(!disk.is_off());
    file.sync_data().unwrap();
    assert!(disk.is_off());
    let error = file.write_all_at(b"second", 0).unwrap_err();
    assert_eq!(error.to_string(), "the power is off");
    file.read_exact_at(&mut [0; 5], 0).unwrap_err();
    file.length().unwrap_err();
    disk.list(path("")).unwrap_err();
    disk.lock(path("lock")).unwrap_err();
    assert_eq!(disk.operations(), 4);
    let survivor = after(&disk, Crash::KeepAll);
    assert!(!survivor.is_off());
    assert_eq!(survivor.read_file("a").unwrap(), b"first");
    survivor.power_off();
    survivor.open(path("a")).unwrap_err();
}

#[test]
fn the_same_seed_gives_the_same_crash() {
    let run = |disk_seed, how| {
        let disk = SimulatedDisk::new(disk_seed).unwrap();
        for number in 0..20_u8 {
            let file = disk.create(path(&format!("file-{number}"))).unwrap();
            file.write_all_at(&[number + 1; 3000], 0).unwrap();
            if number % 3 == 0 {
                file.sync_data().unwrap();
            }
            if number == 10 {
                disk.sync_directory(path("")).unwrap();
            }
            file.set_length(2000).unwrap();
        }
        let survivor = after(&disk, how);
        let files = survivor.files();
        let bytes: Vec<_> = files.iter().map(|name| survivor.read_file(name)).collect();
        (files, bytes)
    };
    assert_eq!(run(1, Crash::Random(5)), run(1, Crash::Random(5)));
    assert_eq!(run(1, Crash::Prefix(5)), run(1, Crash::Prefix(5)));
    assert_ne!(run(1, Crash::Random(5)), run(1, Crash::Random(6)));
    assert_ne!(run(1, Crash::Random(5)), run(2, Crash::Random(5)));
}

#[test]
fn the_index_directory_is_copied_or_empty_after_a_crash() {
    let disk = disk();
    let index = disk.index_directory("index");
    std::fs::create_dir_all(index.join("inner")).unwrap();
    std::fs::write(index.join("inner/data"), b"rows").unwrap();
    let kept = disk.crash(Crash::KeepAll, IndexFate::Kept).unwrap();
    let lost = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    let old_root = disk.index_root();
    drop(disk);
    assert!(!old_root.exists());
    let copy = kept.index_directory("index").join("inner/data");
    assert_eq!(std::fs::read(copy).unwrap(), b"rows");
    assert!(!lost.index_directory("index").exists());
}

#[test]
fn a_lock_is_exclusive_and_a_crash_releases_it() {
    let disk = disk();
    let held = disk.lock(path("lock")).unwrap();
    let error = disk.clone().lock(path("lock")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    after(&disk, Crash::KeepNothing).lock(path("lock")).unwrap();
    drop(held);
    let fresh = self::disk();
    drop(fresh.lock(path("lock")).unwrap());
    fresh.lock(path("lock")).unwrap();
}

#[test]
fn a_cut_that_is_regrown_reads_as_zeros() {
    let disk = disk();
    let file = created(&disk, "a");
    file.write_all_at(&[1; 1000], 0).unwrap();
    file.sync_data().unwrap();
    file.set_length(100).unwrap();
    file.set_length(1000).unwrap();
    file.sync_data().unwrap();
    let found = after(&disk, Crash::KeepNothing).read_file("a").unwrap();
    assert!(found[..100].iter().all(|byte| *byte == 1));
    assert!(found[100..].iter().all(|byte| *byte == 0));
    assert_eq!(found.len(), 1000);
}
