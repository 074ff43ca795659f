//! The change to the next journal file may be cut off anywhere.

use crate::model::{Durabilities, Operation, Run};
use crate::power::{at_every_operation, both, set};

/// Two thirds of a journal file of 64 KiB.
fn prepare(run: &mut Run) {
    for key in 0..11 {
        run.apply(&set(0, key, 4000));
    }
}

/// The same with files that a checkpoint made unnecessary, so that they are
/// used again.
fn prepare_recycled(run: &mut Run) {
    for key in 0..34 {
        run.apply(&set(0, key % 4, 4000));
    }
    run.apply(&Operation::Checkpoint);
    for key in 0..11 {
        run.apply(&set(0, key, 4000));
    }
}

fn work(durabilities: Durabilities) -> Vec<Operation> {
    let mut work: Vec<Operation> = (20..31).map(|key| set(1, key, 4000)).collect();
    if durabilities == Durabilities::Deferred {
        // Frames of two files under way at once.
        work.push(Operation::Commit { slot: None });
    }
    work
}

fn check(topic: &str, prepare: impl Fn(&mut Run)) {
    for durabilities in [Durabilities::Immediate, Durabilities::Deferred] {
        let topic = format!("{topic}, {durabilities:?}");
        let config = both(durabilities);
        let (taken, total) = at_every_operation(&topic, &config, &prepare, &work(durabilities));
        assert!(taken > 2, "{topic}: only {taken} disk operations");
        assert!(
            total.journal_files > 1,
            "{topic}: no second file: {total:?}"
        );
    }
}

#[test]
fn a_new_journal_file_may_be_cut_off_anywhere() {
    check("a new journal file", prepare);
}

#[test]
fn a_recycled_journal_file_may_be_cut_off_anywhere() {
    check("a recycled journal file", prepare_recycled);
}
