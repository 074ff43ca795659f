//! A purge may be cut off anywhere.

use std::time::Duration;

use crate::model::{Action, Config, Durabilities, Operation, Run, Terms, Turn};
use crate::power::{at_every_operation, both, fill, set, text};

const MINUTE: Duration = Duration::from_secs(60);

/// Sessions whose time is over, with pages and without, in the segments and
/// not yet there, and others that were seen since.
fn prepare(run: &mut Run) {
    let for_a_while = Action::SetWithTtl("for a while".to_owned(), text(30), MINUTE / 2);
    let operations = [
        fill(0, 40),
        set(1, "small", 10),
        set(2, "seen again", 10),
        fill(3, 20),
        Operation::Act {
            slot: 3,
            action: for_a_while,
        },
        Operation::Checkpoint,
        set(4, "not in the segments", 10),
        Operation::Clock(Turn::Forward(Duration::from_secs(59))),
        set(2, "seen again", 20),
        set(3, "written again", 20),
        Operation::Clock(Turn::Forward(Duration::from_secs(1))),
    ];
    for operation in &operations {
        run.apply(operation);
    }
}

#[test]
fn a_purge_that_is_cut_off_anywhere_removes_nothing_that_lives() {
    for durabilities in [Durabilities::Immediate, Durabilities::Deferred] {
        let topic = format!("purge, {durabilities:?}");
        let config = Config {
            terms: Terms {
                idle: Some(MINUTE),
                ..Terms::default()
            },
            ..both(durabilities)
        };
        let work = [Operation::Purge, Operation::Verify];
        let (taken, total) = at_every_operation(&topic, &config, prepare, &work);
        assert!(taken > 10, "{topic}: only {taken} disk operations");
        assert!(total.life.purged > 2, "{topic}: nothing went: {total:?}");
    }
}
