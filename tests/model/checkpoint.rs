//! A checkpoint may be cut off anywhere.

use sessiondb::{Crash, IndexFate};

use crate::model::{Blow, Config, Durabilities, Ending, Operation};
use crate::power::{at_every_operation, at_every_operation_into, both, fill, remove_prefix, set};

/// Sessions that have pages in the segments, and changes that split some of
/// them, join others, end a session and move another.
fn prepare(run: &mut crate::model::Run) {
    let operations = [
        fill(0, 60),
        fill(1, 40),
        set(2, "small", 10),
        set(3, "to be cycled", 10),
        Operation::Checkpoint,
        remove_prefix(0, "key 02"),
        remove_prefix(0, "key 03"),
        set(0, "key 010x", 6000),
        set(0, "key 011x", 6000),
        Operation::End {
            slot: 1,
            ending: Ending::Flush,
        },
        Operation::End {
            slot: 3,
            ending: Ending::Cycle,
        },
        fill(4, 30),
    ];
    for operation in &operations {
        run.apply(operation);
    }
}

#[test]
fn a_checkpoint_that_is_cut_off_anywhere_loses_nothing_that_was_promised() {
    for durabilities in [Durabilities::Immediate, Durabilities::Deferred] {
        let topic = format!("checkpoint, {durabilities:?}");
        // Small enough that a batch goes on in other files.
        let config = Config {
            segment_bytes: (8 << 10, 8 << 10),
            ..both(durabilities)
        };
        let work = [Operation::Checkpoint];
        let (taken, total) = at_every_operation(&topic, &config, prepare, &work);
        assert!(taken > 5, "{topic}: only {taken} disk operations");
        assert!(total.pages > 5, "{topic}: no pages: {total:?}");
    }
}

/// A footer of one or two sectors, which a torn disk often holds in whole.
#[test]
fn a_footer_never_outlives_the_frames_that_it_commits() {
    let prepare = |run: &mut crate::model::Run| run.apply(&set(0, "key", 3000));
    let config = both(Durabilities::Immediate);
    let futures = |after| {
        let seeds = (0..12).map(|seed| Crash::Random(100 * after + seed));
        seeds
            .map(|crash| Blow::new(crash, IndexFate::Kept))
            .collect()
    };
    let topic = "a small checkpoint";
    let work = [Operation::Checkpoint];
    let (taken, _) = at_every_operation_into(topic, &config, prepare, &work, futures);
    assert!(taken > 5, "{topic}: only {taken} disk operations");
}
