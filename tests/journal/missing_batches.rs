//! Files of the journal were given up because a batch holds what they held.
//! Without that batch an opening refuses (9), and destroys nothing by it.

use sessiondb::{Crash, Error, SimulatedDisk};

use crate::history::{History, Writer};
use crate::scene::newest;
use crate::support::{cut, discard, disk, journal_files, open, without_hanging};

/// Several batches in several segment files, and journal files used again.
fn scene() -> (SimulatedDisk, History) {
    let disk = disk(5);
    let builder = crate::support::builder().segment_bytes(1024);
    let database = builder.open_on(std::sync::Arc::new(disk.clone())).unwrap();
    let mut writer = Writer::new(&database);
    for _ in 0..5 {
        writer.step(60_000).unwrap();
        let filled = newest(&disk);
        while newest(&disk) == filled {
            writer.steps(1);
        }
        database.checkpoint().unwrap();
    }
    assert!(
        !journal_files(&disk).contains(&"journal/000001.log".to_owned()),
        "the first file was not used again"
    );
    writer.steps(2);
    let survivor = cut(&disk, database, Crash::KeepNothing);
    assert!(segments(&survivor).len() > 2);
    (survivor, writer.history)
}

fn segments(disk: &SimulatedDisk) -> Vec<String> {
    let mut files = disk.files();
    files.retain(|path| path.starts_with("segments/"));
    files
}

/// Damages the last segment; the opening refuses, and once the bytes are back
/// everything is there.
fn refuses_and_destroys_nothing(damage: impl Fn(&SimulatedDisk, &str, &[u8])) {
    let (disk, history) = scene();
    let last = segments(&disk).pop().unwrap();
    let original = disk.read_file(&last).unwrap();
    damage(&disk, &last, &original);
    for _ in 0..2 {
        let refused = open(&disk);
        assert!(
            matches!(&refused, Err(Error::Corrupted { .. })),
            "{last}: {refused:?}"
        );
    }
    // Also after a power cut: nothing was destroyed that way either.
    let disk = disk
        .crash(Crash::KeepAll, sessiondb::IndexFate::Kept)
        .unwrap();
    disk.write_file(&last, &original).unwrap();
    let database = open(&disk).unwrap();
    assert_eq!(history.place(&database, "mended"), history.len());
    database.verify().unwrap();
    discard(&disk, database);
}

#[test]
fn a_missing_last_segment_is_refused() {
    without_hanging(|| {
        refuses_and_destroys_nothing(|disk, last, _| disk.remove_file(last).unwrap());
    });
}

#[test]
fn an_emptied_last_segment_is_refused() {
    without_hanging(|| {
        refuses_and_destroys_nothing(|disk, last, _| disk.write_file(last, &[]).unwrap());
    });
}

#[test]
fn a_last_segment_without_its_end_is_refused() {
    without_hanging(|| {
        refuses_and_destroys_nothing(|disk, last, original| {
            let kept = original.get(..original.len() - 16).unwrap();
            disk.write_file(last, kept).unwrap();
        });
    });
}

#[test]
fn a_flipped_byte_in_the_last_footer_is_refused() {
    without_hanging(|| {
        refuses_and_destroys_nothing(|disk, last, original| {
            let mut bytes = original.to_vec();
            let place = bytes.len() - 16;
            bytes[place] ^= 0x10;
            disk.write_file(last, &bytes).unwrap();
        });
    });
}

#[test]
fn all_segments_missing_is_refused() {
    without_hanging(|| {
        let (disk, _) = scene();
        for segment in segments(&disk) {
            disk.remove_file(&segment).unwrap();
        }
        let refused = open(&disk);
        assert!(
            matches!(&refused, Err(Error::Corrupted { .. })),
            "{refused:?}"
        );
    });
}
