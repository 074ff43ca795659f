//! Any bytes as the journal of a small database: opening it is `Ok` or an
//! error, never a panic, and what it opens is sound.
//!
//! The first byte of an input says what the others are:
//! - bit 0: changes of the real journal, three bytes each (where, what to
//!   flip), instead of a whole file. Then all sessions are as they were after
//!   some transaction.
//! - bit 1: headers and checksums are mended afterwards, so that the decoders
//!   behind them are reached. Then nothing is promised of what is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessiondb_fuzz::{SmallDatabase, limited, mend_journal};

/// What an opening of a database of some kilobytes, and its use, may allocate,
/// in bytes: the caches and the index have 4 MiB.
const MEMORY: usize = 32 << 20;

fuzz_target!(|input: &[u8]| {
    let small = SmallDatabase::get();
    let (how, bytes) = input.split_first().unwrap_or((&0, &[]));
    let (is_changed, is_mended) = (how & 1 != 0, how & 2 != 0);
    let mut journal = if is_changed {
        small.changed(SmallDatabase::JOURNAL, bytes)
    } else {
        bytes.to_vec()
    };
    if is_mended {
        mend_journal(&mut journal, small.id());
    }
    limited(MEMORY, || {
        let Ok(db) = small.open_with(SmallDatabase::JOURNAL, &journal) else {
            return;
        };
        if is_changed && !is_mended {
            assert!(small.reads_as_of_some_time(&db), "it never was so");
        }
        let verified = db.verify();
        let used = small.use_all(&db);
        // Mended frames may say what no database ever wrote.
        assert!(verified.is_ok() || is_mended, "{verified:?}");
        assert!(used.is_ok() || is_mended, "{used:?}");
    });
});
