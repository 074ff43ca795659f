//! What has to be on disk before a file is used again.

use super::*;
use crate::disk::{Crash, IndexFate};

#[test]
fn a_file_is_given_up_only_when_the_batch_that_has_its_frames_is_declared_on_disk() {
    let disk = empty_disk();
    let journal = start(&options(Arc::new(disk.clone()), SEGMENT));
    for batch in 1..8 {
        for _ in 0..5 {
            append(&journal, 20_000);
        }
        let position = journal.position();
        journal.wait(position.sequence).unwrap();
        journal.declare(Batch(batch), position).unwrap();
        // The power is cut, and the batch is lost besides.
        let cut = disk.copy(Crash::KeepNothing, IndexFate::Lost).unwrap();
        let options = options(Arc::new(cut), SEGMENT);
        let before = Batch(batch - 1);
        let after = position.sequence;
        let recovered = recover(&options, after, before, &missing, &mut |_, _| Ok(()));
        assert!(
            matches!(&recovered, Err(Error::Corrupted { path, .. }) if path == Path::new("segments")),
            "nobody misses batch {batch}: {recovered:?}"
        );
    }
    journal.close().unwrap();
}
