//! The same operations with the database's own threads, in a real directory.

use std::time::Duration;

use crate::model::{Config, Durabilities, Operation, Place, Run, Tally};
use crate::random::{number, rounds};

const OPERATIONS: usize = 150;
const ROUNDS: u64 = 6;

#[test]
fn random_operations_agree_while_the_background_works() {
    let first = number("SESSIONDB_SEED").unwrap_or(1);
    let mut total = Tally::default();
    for seed in first..first + rounds(ROUNDS) {
        let mut random = fastrand::Rng::with_seed(seed);
        let config = Config {
            background: true,
            durabilities: Durabilities::Both,
            sync_within: Duration::from_millis(1),
            ..Config::draw(&mut random)
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let label = format!("in a directory, SESSIONDB_SEED={seed}");
        let mut run = Run::new(label, Place::Real(directory), config, None);
        for _ in 0..OPERATIONS {
            run.apply(&Operation::draw(&mut random));
        }
        total += run.finish();
    }
    assert!(
        total.changes > 50 && total.reopens > 3,
        "too little happened: {total:?}"
    );
    assert!(
        total.life.sessions_over + total.life.purged > 3 && total.life.revoked > 0,
        "no session came to an end: {total:?}"
    );
}
