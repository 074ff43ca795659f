//! Writers that have to wait for space get it.

use std::time::Duration;

use crate::support::{Ground, rounds, small, together, watched};

const NEVER: Duration = Duration::from_secs(3600);

#[test]
fn a_writer_that_meets_a_full_memtable_is_let_in_by_a_checkpoint() {
    watched(|| {
        let ground = Ground::simulated(1);
        let database = ground.open_with(small().idle_checkpoint_after(NEVER));
        let session = database.create_session();
        for round in 0..8_u32 {
            // One write fills it; nobody but the next writer can tell the
            // background.
            session.set_bytes("large", &vec![7; 100 << 10]).unwrap();
            session.set("round", &round).unwrap();
        }
        assert!(database.stats().batches > 0);
        database.close().unwrap();
    });
}

#[test]
fn a_large_transaction_gets_its_space_while_many_wait_for_its_session() {
    watched(|| {
        let ground = Ground::simulated(2);
        let builder = small().journal_segment_bytes(64 << 10);
        let database = ground.open_with(builder.memtable_bytes(1 << 20));
        let id = {
            let session = database.create_session();
            session.set("born", &true).unwrap();
            session.id()
        };
        let each = rounds(20);
        together(24, |thread| {
            let session = database.open_session(&id).unwrap().unwrap();
            for round in 0..each {
                if thread % 4 == 0 {
                    let large = vec![7; 48 << 10];
                    session
                        .transaction(|tx| tx.set_bytes(&format!("large {thread}"), &large))
                        .unwrap();
                } else {
                    let value = vec![7; 4 << 10];
                    session
                        .set_bytes(&format!("small {thread} {round}"), &value)
                        .unwrap();
                }
            }
        });
        let again = database.open_session(&id).unwrap().unwrap();
        assert_eq!(again.len().unwrap(), 1 + 6 + 18 * each);
        database.close().unwrap();
    });
}
