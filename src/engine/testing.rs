//! What the engine's own tests share.

use std::path::Path;
use std::sync::Arc;

use super::Engine;
use crate::disk::Disk as _;
use crate::format::identity::Location;
use crate::format::segment_frame::Kind;
use crate::index::Trouble;
use crate::{Database, SimulatedDisk};

/// A database whose background is the test.
pub(super) fn open(disk: &SimulatedDisk) -> Database {
    let builder = Database::builder().background(false);
    builder.open_on(Arc::new(disk.clone())).unwrap()
}

/// Where the frames of a kind lie, oldest first.
pub(super) fn locations(db: &Database, wanted: Kind) -> Vec<Location> {
    let footers = db.engine().segments.scan(&mut |_, _| {}).unwrap();
    let entries = footers.iter().flat_map(|(_, footer)| &footer.entries);
    entries
        .filter(|entry| entry.kind == wanted)
        .map(|entry| entry.location)
        .collect()
}

/// Flips a bit of a frame, on disk.
pub(super) fn spoil(disk: &SimulatedDisk, location: Location) {
    let path = format!("segments/{:06}.seg", location.segment.0);
    let mut bytes = disk.read_file(&path).unwrap();
    bytes[location.offset as usize + location.length as usize - 1] ^= 1;
    let file = disk.open(Path::new(&path)).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.sync_all().unwrap();
}

/// Has the index rebuilt.
pub(super) fn rebuild(engine: &Engine) {
    let trouble = Trouble::new("a test");
    engine
        .mend_index(engine.index.generation(), &trouble)
        .unwrap();
}

/// Whether the rows add up to what the engine believes.
pub(super) fn check_hash(db: &Database) {
    let engine = db.engine();
    let index = engine.index.get().unwrap();
    let summary = index
        .check(
            engine.now(),
            |_| true,
            |place| engine.segments.counts(place),
        )
        .unwrap();
    assert_eq!(summary.hash, engine.checkpointer.lock().index_hash);
    assert!(summary.derived_match, "hints and owners");
}
