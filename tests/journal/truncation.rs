//! A file that ends too early is a prefix, or a refusal where a later file
//! says that more was synced.

use crate::layout::{self, HEADER};
use crate::scene::{Expected, Scene, file_before_an_opening, first_file, recycled_file};
use crate::support::{stride, without_hanging};

fn truncate(scene: &Scene, length: usize, expected: Expected) {
    let bytes = scene.bytes().get(..length).unwrap();
    scene.check(bytes, &format!("cut to {length} bytes"), expected);
}

/// The lengths that differ most: around headers and frames all of them.
fn lengths(scene: &Scene) -> Vec<usize> {
    let end = layout::end(scene.bytes());
    let mut lengths: Vec<usize> = (0..HEADER).step_by(stride(17)).collect();
    lengths.extend((HEADER..end + 9).step_by(stride(5)));
    for (frame, _) in scene.frames() {
        let edge = frame.bytes.end;
        lengths.extend([edge - 1, edge, frame.end()]);
    }
    lengths.extend((end + 9..=scene.bytes().len()).step_by(stride(6007)));
    lengths
}

fn truncate_everywhere(scene: &Scene) {
    for length in lengths(scene) {
        // Without its header no frame of a file counts.
        let frames_until = if length < HEADER { 0 } else { length };
        let place = scene.place_before(frames_until);
        truncate(scene, length, Expected::Place(place));
    }
}

#[test]
fn a_first_file_cut_at_any_length_is_a_prefix() {
    without_hanging(|| truncate_everywhere(&first_file()));
}

#[test]
fn a_recycled_file_cut_at_any_length_is_a_prefix() {
    without_hanging(|| truncate_everywhere(&recycled_file()));
}

#[test]
fn a_file_cut_before_what_a_later_header_declares_synced_is_a_refusal() {
    without_hanging(|| {
        let scene = file_before_an_opening();
        let frames = scene.frames();
        let synced = frames.last().map_or(0, |(frame, _)| frame.bytes.end);
        for length in lengths(&scene) {
            if length < synced {
                truncate(&scene, length, Expected::Refusal);
            } else {
                truncate(&scene, length, Expected::Place(scene.history.len()));
            }
        }
    });
}
