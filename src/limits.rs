//! The limits of the interface, each stated once.

/// The most bytes a key may have; the least is 1.
pub const MAX_KEY_BYTES: usize = 512;
/// The most bytes a value may have once encoded, its tag included.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// The most bytes of changes in one transaction.
pub const MAX_TRANSACTION_BYTES: usize = 16 << 20;
/// How deep a value may nest.
pub const MAX_VALUE_DEPTH: usize = 128;
