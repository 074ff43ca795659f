//! What the fuzz targets share.

mod memory;
mod mend;
mod small_database;

pub use memory::limited;
pub use mend::{journal_frames, mend_journal, mend_segment};
pub use small_database::SmallDatabase;
