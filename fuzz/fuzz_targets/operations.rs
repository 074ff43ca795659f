//! A stream of bytes as operations of a database, among them crashes, reopenings
//! and settings of the clock, against the model of `tests/model`.
//!
//! Two bytes are one choice, the first of them how the database is opened.

#![no_main]

#[path = "../../tests/model/model.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use the rest")]
mod model;

use libfuzzer_sys::fuzz_target;
use model::{Bytes, Config, Operation, Run};
use sessiondb_fuzz::limited;

/// What a run may allocate, in bytes: its disk is in memory, and its values have
/// at most 100 KiB.
const MEMORY: usize = 256 << 20;
/// How many operations of an input are run.
const MOST: usize = 300;

fuzz_target!(|bytes: &[u8]| {
    limited(MEMORY, || {
        let mut source = Bytes(bytes);
        let config = Config::draw(&mut source);
        let mut run = Run::simulated("the input".to_owned(), 1, config);
        for _ in 0..MOST {
            if source.is_spent() {
                break;
            }
            run.apply(&Operation::draw(&mut source));
        }
        run.finish();
    });
});
