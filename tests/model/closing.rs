//! A close may be cut off anywhere.

use crate::model::{Durabilities, Operation};
use crate::power::{at_every_operation, both, fill, set};

fn prepare(run: &mut crate::model::Run) {
    let operations = [
        fill(0, 30),
        Operation::Checkpoint,
        set(0, "after the checkpoint", 500),
        set(1, "another session", 20),
    ];
    for operation in &operations {
        run.apply(operation);
    }
}

#[test]
fn a_close_that_is_cut_off_anywhere_loses_nothing_that_was_promised() {
    for durabilities in [Durabilities::Immediate, Durabilities::Deferred] {
        let topic = format!("close, {durabilities:?}");
        let config = both(durabilities);
        let work = [Operation::Reopen {
            cleanly: true,
            terms: None,
        }];
        let (taken, _) = at_every_operation(&topic, &config, prepare, &work);
        assert!(taken > 10, "{topic}: only {taken} disk operations");
    }
}
