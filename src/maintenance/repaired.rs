//! The result of a repair.

use super::Verified;
use crate::engine::{Loss, Repair};

/// What [`Database::repair`](crate::Database::repair) saved, and what it could
/// not.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let (old, new) = (directory.path().join("old"), directory.path().join("new"));
/// use sessiondb::Database;
///
/// let db = Database::open(&old)?;
/// db.create_session().set("user", "ada")?;
/// db.close()?;
/// let repaired = Database::repair(&old, &new)?;
/// assert_eq!((repaired.saved.sessions, repaired.losses.len()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Repaired {
    /// What the new directory holds, verified.
    pub saved: Verified,
    /// What could not be saved, or not all of it, by file and place. Empty
    /// where nothing was damaged that is still needed.
    pub losses: Vec<Loss>,
}

impl From<Repair> for Repaired {
    fn from(repair: Repair) -> Self {
        Self {
            saved: repair.saved.into(),
            losses: repair.losses,
        }
    }
}
