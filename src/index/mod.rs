//! The index: sled as the ordered keyspace that says where things are.
//!
//! Owns: the trees `sessions`, `pages`, `dead_generations`, `expiry`, `owners`,
//! `retired` and `meta`, and everything that has to be known about sled. It is derived:
//! whatever goes wrong here is [`Trouble`], which costs a rebuild and never
//! data.
//! Refuses: transactions and batches of sled (they put every later operation
//! behind one lock), its timed flusher (it hides errors), large values.

mod derived;
mod files;
mod guard;
mod hints;
mod live;
mod places;
mod relocation;
mod renewal;
mod retired;
mod rows;
mod scan;
mod sessions;
mod stains;

pub(crate) use derived::Announcement;
pub(crate) use files::{mark, matches, remove_others, set_aside};
pub(crate) use guard::{Outcome, Trouble};
pub(crate) use hints::{Hint, HintGroup, HintMove, hint_of};
pub(crate) use live::{LiveFrames, bytes_of};
pub(crate) use renewal::CopyCursor;
pub(crate) use retired::Remembered;
pub(crate) use rows::{Index, Put};
