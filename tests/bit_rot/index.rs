//! A flipped bit in a file of sled's: all is right, since the index can be made
//! anew.

use std::fs;
use std::path::{Path, PathBuf};

use sessiondb::{IndexFate, SimulatedDisk};

use crate::look::Look;
use crate::scene::Scene;
use crate::support::{discard, masks, open, stride, without_hanging};

/// All files of the index, by their paths under its root.
pub(crate) fn files(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let root = disk.index_root();
    let mut found = Vec::new();
    find(&root, &mut found);
    let below = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_owned();
    let mut found: Vec<PathBuf> = found.iter().map(below).collect();
    found.sort_unstable();
    found
}

fn find(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Where a file holds something, and some places where it does not.
fn places(bytes: &[u8]) -> Vec<usize> {
    let written = (0..bytes.len()).filter(|at| bytes[*at] != 0);
    let empty = (0..bytes.len()).step_by(bytes.len() / 8 + 1);
    let mut places: Vec<usize> = written.step_by(stride(5)).chain(empty).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Flips the bytes of all files of the index, each in a fresh copy.
fn flip_each(scene: &Scene) {
    let mut flips = 0;
    let mut answers = 0;
    let pristine = scene.copied(IndexFate::Kept);
    for file in files(&pristine) {
        let bytes = fs::read(pristine.index_root().join(&file)).unwrap();
        for offset in places(&bytes) {
            for mask in masks(offset) {
                let disk = scene.copied(IndexFate::Kept);
                let mut damaged = bytes.clone();
                damaged[offset] ^= mask;
                fs::write(disk.index_root().join(&file), damaged).unwrap();
                let what = format!("{} byte {offset} xor {mask:#04x}", file.display());
                let db = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
                let look = Look::at(&db, scene.last(), |_| false).assert_right(&what);
                db.verify()
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                discard(&disk, db);
                flips += 1;
                answers += look.right;
            }
        }
    }
    println!("index: {flips} flips, {answers} right answers");
    assert!(flips > 100);
}

#[test]
fn a_flipped_bit_of_the_index_after_a_kill_changes_no_answer() {
    without_hanging(|| flip_each(&Scene::killed()));
}

#[test]
fn a_flipped_bit_of_the_index_after_a_clean_stop_changes_no_answer() {
    without_hanging(|| flip_each(&Scene::closed()));
}
