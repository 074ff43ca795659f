//! Bad input: each a clear error of its own variant, nothing written, nothing
//! lost.

mod directories;
mod held;
mod ids;
mod keys;
mod sizes;
mod versions;
