//! What is known of a session besides its keys.

use std::time::SystemTime;

use crate::engine::Known;
use crate::session_id::SessionDigest;

/// What [`Database::inspect`](crate::Database::inspect) and the lists tell of
/// a session, without loading what it holds.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// let session = db.create_session();
/// session.set("user", "ada")?;
/// session.set_owner(Some("user:42"))?;
/// let info = db.inspect(&session.id().digest())?.expect("it was written");
/// assert_eq!(info.owner.as_deref(), Some("user:42"));
/// assert!(info.created <= info.last_seen);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its public name, for [`Database::revoke`](crate::Database::revoke).
    pub digest: SessionDigest,
    /// When it was first written.
    pub created: SystemTime,
    /// When it was last written, or touched as far as that was recorded; see
    /// [`Session::touch`](crate::Session::touch).
    pub last_seen: SystemTime,
    /// When it expires unless it is seen again; `None` when never.
    pub expires_at: Option<SystemTime>,
    /// To whom it belongs.
    pub owner: Option<String>,
    /// Its keys, as of the last checkpoint.
    pub keys: u64,
    /// Bytes of its keys and values, as of the last checkpoint.
    pub bytes: u64,
}

impl From<Known> for SessionInfo {
    fn from(known: Known) -> Self {
        Self {
            digest: known.digest,
            created: known.record.created.into(),
            last_seen: known.record.last_seen.into(),
            expires_at: known.expires_at.map(SystemTime::from),
            owner: known.record.owner.map(String::from),
            keys: known.record.keys,
            bytes: known.record.bytes,
        }
    }
}
