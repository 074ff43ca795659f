//! A directory from a newer format is refused, untouched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sessiondb::{Error, SimulatedDisk};

use super::super::support::{Stage, contents, named, open_on, quiet};

/// CRC-32 (IEEE), a bit at a time.
fn crc(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A sealed head as a later release would write it: magic, version, length,
/// checksum, payload.
fn with_version(bytes: &[u8], version: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
    let end = 20 + usize::try_from(length).unwrap();
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let crc = crc(&[&bytes[..16], &bytes[20..end]]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn everything(disk: &SimulatedDisk) -> BTreeMap<String, Vec<u8>> {
    let files = disk.files().into_iter();
    files
        .map(|path| (path.clone(), disk.read_file(&path).unwrap()))
        .collect()
}

/// Makes one file of a newer format, sees it refused, and takes it back.
#[track_caller]
fn is_refused(disk: &SimulatedDisk, file: &str, version: u32) {
    let old = disk.read_file(file).unwrap();
    assert_eq!(
        with_version(&old, 1),
        old,
        "{file}: the seal is as this test knows it"
    );
    disk.write_file(file, &with_version(&old, version)).unwrap();
    let before = everything(disk);
    match quiet().open_on(Arc::new(disk.clone())) {
        Err(Error::Version {
            path,
            found,
            supported,
        }) => {
            assert!(path.ends_with(Path::new(file)), "{}", path.display());
            assert_eq!((found, supported), (version, 1));
        }
        other => panic!("{file}: {other:?}"),
    }
    let after = everything(disk);
    let mut changed: Vec<_> = before.keys().chain(after.keys()).collect();
    changed.retain(|name| before.get(*name) != after.get(*name));
    if file != "CURRENT" {
        // The index, which is derived, was opened by then.
        changed.retain(|name| *name != "CLEAN");
    }
    assert!(changed.is_empty(), "{file}: {changed:?} changed");
    disk.write_file(file, &old).unwrap();
}

#[test]
fn a_directory_from_a_newer_format_is_refused_and_loses_nothing() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let (disk, id, state) = (stage.disk.clone(), stage.session.id(), stage.state);
        drop(stage);
        for version in [2, 3, u32::MAX] {
            is_refused(&disk, "CURRENT", version);
        }
        let session = open_on(&disk).open_session(&id).unwrap().unwrap();
        assert_eq!(contents(&session), named(&[("a", 1)]), "{state:?}");
    }
}

#[test]
fn a_directory_with_one_file_from_a_newer_format_is_refused_and_loses_nothing() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let (disk, id) = (stage.disk.clone(), stage.session.id());
        stage.db.close().unwrap();
        drop(stage);
        let files = disk.files().into_iter();
        let files: Vec<String> = files
            .filter(|path| path.starts_with("segments/") || path.starts_with("journal/"))
            .filter(|path| disk.read_file(path).unwrap().iter().any(|byte| *byte != 0))
            .collect();
        assert!(
            files.iter().any(|path| path.starts_with("segments/")),
            "{files:?}"
        );
        assert!(
            files.iter().any(|path| path.starts_with("journal/")),
            "{files:?}"
        );
        for file in &files {
            is_refused(&disk, file, 2);
        }
        let session = open_on(&disk).open_session(&id).unwrap().unwrap();
        assert_eq!(contents(&session), named(&[("a", 1)]));
    }
}

#[test]
fn the_refusal_names_the_file_and_the_remedy() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()).take(1) {
        let disk = stage.disk.clone();
        drop(stage);
        let current = disk.read_file("CURRENT").unwrap();
        disk.write_file("CURRENT", &with_version(&current, 9))
            .unwrap();
        let error = quiet().open_on(Arc::new(disk)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/simulated/CURRENT has format version 9, this library reads up to 1; \
             use a newer release"
        );
    }
}

#[test]
fn the_checksum_of_this_test_is_the_standard_one() {
    assert_eq!(crc(&[b"1234", b"56789"]), 0xcbf4_3926);
}
