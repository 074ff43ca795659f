//! A flipped byte is a prefix or a refusal, never a wrong value; and where a
//! later frame or header says that it was synced, a refusal.

use crate::history::is_clear_refusal;
use crate::layout::{self, HEADER};
use crate::scene::{Expected, Scene, file_before_an_opening, first_file, recycled_file};
use crate::support::{stride, without_hanging};

/// Flips a byte: all its bits, and one of them.
fn flip(scene: &Scene, offset: usize, expected: Expected) {
    let one = 1 << fastrand::Rng::with_seed(offset as u64).u8(..8);
    for mask in [0xff, one] {
        let mut bytes = scene.bytes().to_vec();
        bytes[offset] ^= mask;
        scene.check(&bytes, &format!("byte {offset} xor {mask:#04x}"), expected);
    }
}

fn flip_every_byte_of_the_frames(scene: &Scene) {
    let whole = Expected::Place(scene.history.len());
    let frames = scene.frames();
    assert!(frames.len() > 6, "{} frames", frames.len());
    for (frame, expected) in frames {
        // Of a long payload not every byte.
        let step = if frame.bytes.len() > 1000 {
            stride(997)
        } else {
            1
        };
        for offset in frame.bytes.clone().step_by(step) {
            flip(scene, offset, expected);
        }
        for padding in frame.bytes.end..frame.end() {
            flip(scene, padding, whole);
        }
    }
}

/// Behind the frames there is nothing, or nothing that counts any more.
fn flip_bytes_behind_the_frames(scene: &Scene) {
    let whole = Expected::Place(scene.history.len());
    let end = layout::end(scene.bytes());
    for offset in (end..end + 64).step_by(stride(7)) {
        flip(scene, offset, whole);
    }
    for offset in (end + 64..scene.bytes().len()).step_by(stride(1999)) {
        flip(scene, offset, whole);
    }
}

fn flip_the_header(scene: &Scene, expected: Expected) {
    let sealed = layout::sealed_header(scene.bytes());
    assert!(sealed.len() > 40 && sealed.end < HEADER, "{sealed:?}");
    for offset in sealed.clone() {
        flip(scene, offset, expected);
    }
    for offset in (sealed.end..HEADER).step_by(stride(13)) {
        flip(scene, offset, Expected::Place(scene.history.len()));
    }
}

#[test]
fn a_flipped_byte_in_a_frame_of_the_first_file_is_a_prefix_or_a_refusal() {
    without_hanging(|| flip_every_byte_of_the_frames(&first_file()));
}

#[test]
fn a_flipped_byte_in_the_header_of_the_first_file_is_a_refusal() {
    without_hanging(|| flip_the_header(&first_file(), Expected::Refusal));
}

#[test]
fn a_flipped_byte_behind_the_frames_of_the_first_file_changes_nothing() {
    without_hanging(|| flip_bytes_behind_the_frames(&first_file()));
}

#[test]
fn a_flipped_byte_in_a_frame_that_a_later_header_declares_synced_is_a_refusal() {
    without_hanging(|| {
        let scene = file_before_an_opening();
        let refused = |(_, expected): &(_, Expected)| *expected == Expected::Refusal;
        assert!(scene.frames().iter().all(refused));
        flip_every_byte_of_the_frames(&scene);
    });
}

#[test]
fn a_flipped_byte_in_a_frame_of_a_recycled_file_is_a_prefix_or_a_refusal() {
    without_hanging(|| flip_every_byte_of_the_frames(&recycled_file()));
}

#[test]
fn a_flipped_byte_in_the_header_of_a_recycled_file_is_a_refusal() {
    without_hanging(|| flip_the_header(&recycled_file(), Expected::Refusal));
}

#[test]
fn a_flipped_byte_in_the_old_frames_of_a_recycled_file_changes_nothing() {
    without_hanging(|| flip_bytes_behind_the_frames(&recycled_file()));
}

#[test]
fn a_flipped_byte_in_a_file_before_the_last_loses_nothing_silently() {
    without_hanging(|| {
        let scenes = recycled_file().others();
        assert!(!scenes.is_empty());
        for scene in scenes {
            let length = scene.bytes().len();
            let few = (0..HEADER + 128).step_by(stride(5));
            for offset in few.chain((HEADER..length).step_by(stride(1499))) {
                let mut bytes = scene.bytes().to_vec();
                bytes[offset] ^= 0xff;
                let context = format!("{} byte {offset}", scene.file);
                match scene.open_with(&bytes, &context) {
                    Ok(place) => assert_eq!(place, scene.history.len(), "{context}"),
                    Err(error) => assert!(is_clear_refusal(&error), "{context}: {error}"),
                }
            }
        }
    });
}
