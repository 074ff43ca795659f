//! Any bytes as the journal of a small database: opening it is `Ok` or an
//! error, never a panic, and what it opens is sound.
//!
//! The first byte of an input says what the others are:
//! - bit 0: changes of the real journal, three bytes each (where, what to
//!   flip), instead of a whole file. Then all sessions are as they were after
//!   some transaction, and no later frame is as it was.
//! - bit 1: headers and checksums are mended afterwards, so that the decoders
//!   behind them are reached. Then nothing is promised of what is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessiondb_fuzz::{SmallDatabase, limited, mend_journal};

fuzz_target!(|input: &[u8]| {
    let small = SmallDatabase::get();
    let file = small.file_from(input, SmallDatabase::JOURNAL, |journal| {
        mend_journal(journal, small.id());
    });
    limited(SmallDatabase::MEMORY, || {
        let Ok(db) = small.open_with(SmallDatabase::JOURNAL, &file.bytes) else {
            return;
        };
        if file.is_changed && !file.is_mended {
            assert!(
                small.reads_as_of_some_time(&db, &file.bytes),
                "it never was so, or not since what is lost"
            );
        }
        let verified = db.verify();
        let used = small.use_all(&db);
        // Mended frames may say what no database ever wrote.
        assert!(verified.is_ok() || file.is_mended, "{verified:?}");
        assert!(used.is_ok() || file.is_mended, "{used:?}");
    });
});
