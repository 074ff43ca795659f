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

/// What an opening of a database of some kilobytes, and its use, may allocate,
/// in bytes: the caches and the index have 4 MiB.
const MEMORY: usize = 32 << 20;

fuzz_target!(|input: &[u8]| {
    let small = SmallDatabase::get();
    let (how, bytes) = input.split_first().unwrap_or((&0, &[]));
    let (is_changed, is_mended) = (how & 1 != 0, how & 2 != 0);
    let mut segment = if is_changed {
        small.changed(SmallDatabase::SEGMENT, bytes)
    } else {
        bytes.to_vec()
    };
    if is_mended {
        mend_segment(&mut segment, SmallDatabase::SEGMENT_NUMBER, small.id());
    }
    limited(MEMORY, || {
        let Ok(db) = small.open_with(SmallDatabase::SEGMENT, &segment) else {
            return;
        };
        if is_changed && !is_mended {
            assert!(small.reads_right_or_damaged(&db), "a wrong value");
        }
        let _ = db.verify();
        let _ = small.use_all(&db);
    });
});
