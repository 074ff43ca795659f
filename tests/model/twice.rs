//! Crashes right after, and during, an opening after a crash.

use sessiondb::{Crash, IndexFate};

use crate::model::{Accident, Blow, Durabilities, Operation, Run};
use crate::power::{both, fill, set};

fn written(label: String, seed: u64, durabilities: Durabilities) -> Run {
    let mut run = Run::simulated(label, seed, both(durabilities));
    let operations = [
        fill(0, 20),
        Operation::Checkpoint,
        set(0, "one", 3000),
        set(1, "two", 3000),
        Operation::Commit { slot: None },
        set(1, "three", 700),
        set(0, "four", 700),
        set(2, "five", 7000),
    ];
    for operation in &operations {
        run.apply(operation);
    }
    // The first write or sync of the next commit is torn.
    run.arm(
        seed % 3 + 1,
        Blow::new(Crash::Random(seed), IndexFate::Kept).into(),
    );
    run
}

#[test]
fn what_was_found_after_a_torn_crash_is_found_after_the_next() {
    for durabilities in [Durabilities::Immediate, Durabilities::Deferred] {
        for seed in 0..12 {
            let label = format!("torn twice, seed {seed}, {durabilities:?}");
            let mut run = written(label, seed, durabilities);
            let blows = [
                Blow::new(Crash::Random(seed), IndexFate::Kept),
                Blow::new(Crash::Random(seed + 100), IndexFate::Kept),
                Blow::new(Crash::Prefix(seed + 200), IndexFate::Lost),
            ];
            run.arm(
                seed % 3 + 1,
                Accident {
                    blows: blows.to_vec(),
                    verify: true,
                },
            );
            run.apply(&set(3, "under way", 2000));
            run.apply(&Operation::Commit { slot: None });
            run.finish();
        }
    }
}

#[test]
fn an_opening_after_a_crash_may_be_cut_off_anywhere() {
    let mut done = false;
    for after in 0..200 {
        let label = format!("opening, power off after {after}");
        let mut run = written(label, after, Durabilities::Both);
        let first = Blow {
            opening: Some(after),
            ..Blow::new(Crash::Random(after), IndexFate::Kept)
        };
        let second = Blow::new(Crash::Random(after + 1000), IndexFate::Lost);
        let blows = vec![first, second];
        run.apply(&Operation::Crash(Accident {
            blows,
            verify: true,
        }));
        if run.finish().openings_cut == 0 {
            done = true;
            assert!(after > 3, "only {after} disk operations");
            break;
        }
    }
    assert!(done, "no opening was ever finished");
}
