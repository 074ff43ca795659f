//! Who takes part.

mod blob;
mod connections;
mod fjall;
mod lmdb;
mod redb;
mod redis;
mod resp;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod sessiondb;
mod sled;
mod sqlite;
mod striped;

use crate::engine::{Kind, Open};

/// Our own engine in the tables.
pub(crate) const OURS: &str = "sessiondb";

/// An engine that is compiled in can take part anywhere.
fn nothing() -> Option<String> {
    None
}

const fn built_in(name: &'static str, open: Open) -> Kind {
    Kind {
        name,
        is_durable: true,
        try_open: open,
        hindrance: nothing,
    }
}

/// All of them, in the order of the columns.
pub(crate) fn all() -> Vec<Kind> {
    vec![
        built_in(OURS, sessiondb::open),
        Kind {
            is_durable: false,
            ..built_in("sled", sled::open)
        },
        built_in("redb", redb::open),
        built_in("fjall", fjall::open),
        built_in("lmdb", lmdb::open),
        built_in("sqlite", sqlite::open),
        built_in("sqlite-blob", blob::open),
        #[cfg(feature = "rocksdb")]
        built_in("rocksdb", rocksdb::open),
        Kind {
            hindrance: redis::hindrance,
            ..built_in("redis", redis::open)
        },
    ]
}
