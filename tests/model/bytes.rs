//! Any bytes are operations: the seam for a fuzzer.

use crate::model::{Bytes, Config, Operation, Run};

#[test]
fn any_bytes_are_operations_that_the_database_and_the_model_agree_on() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..900).map(|_| random.u8(..)).collect();
        let mut source = Bytes(&bytes);
        let config = Config::draw(&mut source);
        let mut run = Run::simulated(format!("bytes of seed {seed}"), seed, config);
        while !source.is_spent() {
            run.apply(&Operation::draw(&mut source));
        }
        let tally = run.finish();
        assert!(
            tally.operations > 20,
            "seed {seed}: too little happened: {tally:?}"
        );
    }
}
