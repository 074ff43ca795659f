//! Any bytes as a segment of a small database without an index: opening it is
//! `Ok` or an error, never a panic, and what it opens can be read and written.
//!
//! The first byte of an input says what the others are:
//! - bit 0: changes of the real segment, three bytes each (where, what to
//!   flip), instead of a whole file. Then each session reads right, or is
//!   damaged.
//! - bit 1: headers and checksums are mended afterwards, so that the decoders
//!   behind them are reached. Then nothing is promised of what is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessiondb_fuzz::{SmallDatabase, limited, mend_segment};

fuzz_target!(|input: &[u8]| {
    let small = SmallDatabase::get();
    let file = small.file_from(input, SmallDatabase::SEGMENT, |segment| {
        mend_segment(segment, SmallDatabase::SEGMENT_NUMBER, small.id());
    });
    limited(SmallDatabase::MEMORY, || {
        let Ok(db) = small.open_with(SmallDatabase::SEGMENT, &file.bytes) else {
            return;
        };
        if file.is_changed && !file.is_mended {
            assert!(small.reads_right_or_damaged(&db), "a wrong value");
        }
        let _ = db.verify();
        let _ = small.use_all(&db);
    });
});
