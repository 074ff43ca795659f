//! Segment files are short while there are few of them: while one is copied,
//! its copy takes little beside all others.

use std::sync::Arc;

use sessiondb::SimulatedDisk;

use crate::support::{Model, builder, files};

const SHORTEST: usize = 4 << 10;
const LONGEST: usize = 32 << 10;
/// What a session takes at most, and with it a file is longer than it should be.
const SESSION: usize = 4 << 10;

#[test]
fn they_grow_with_all_that_there_is_up_to_the_longest() {
    let disk = SimulatedDisk::new(1).unwrap();
    let builder = builder().segment_bytes(u32::try_from(LONGEST).unwrap());
    let builder = builder.shortest_segment_bytes(u32::try_from(SHORTEST).unwrap());
    let db = builder.open_on(Arc::new(disk.clone())).unwrap();
    let mut model = Model::default();
    for _ in 0..120 {
        for _ in 0..4 {
            model.add(&db, 4);
        }
        db.checkpoint().unwrap();
    }
    let mut lengths: Vec<usize> = (files(&disk).iter())
        .map(|file| disk.read_file(file).unwrap().len())
        .collect();
    // The last one is not full.
    lengths.pop();
    let mut all = 0;
    for length in &lengths {
        let share = (all / 16).clamp(SHORTEST, LONGEST);
        assert!((share..share + SESSION).contains(length), "{lengths:?}");
        all += length;
    }
    assert!(all > 17 * LONGEST, "{all}");
    assert_eq!(lengths.first().map(|length| length / SHORTEST), Some(1));
    assert_eq!(lengths.last().map(|length| length / LONGEST), Some(1));
    model.check(&db, "all");
}
