//! The limits of the interface, each stated once.

/// The most bytes a key may have; the least is 1.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use sessiondb::MAX_KEY_BYTES;
///
/// let session = db.create_session();
/// session.set(&"k".repeat(MAX_KEY_BYTES), &1)?;
/// assert!(session.set(&"k".repeat(MAX_KEY_BYTES + 1), &1).is_err());
/// # Ok::<(), sessiondb::Error>(())
/// ```
pub const MAX_KEY_BYTES: usize = 512;
/// The most bytes a value may have once encoded, its tag included.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use sessiondb::MAX_VALUE_BYTES;
///
/// let session = db.create_session();
/// session.set_bytes("avatar", &vec![0; MAX_VALUE_BYTES - 1])?;
/// assert!(session.set_bytes("avatar", &vec![0; MAX_VALUE_BYTES]).is_err());
/// # Ok::<(), sessiondb::Error>(())
/// ```
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// The most bytes of changes in one transaction.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use sessiondb::{Error, MAX_TRANSACTION_BYTES};
///
/// let session = db.create_session();
/// let part = vec![0; 1 << 19];
/// let refused = session.transaction(|tx| {
///     (0..=MAX_TRANSACTION_BYTES / part.len())
///         .try_for_each(|number| tx.set_bytes(&number.to_string(), &part))
/// });
/// assert!(matches!(refused, Err(Error::TooLarge { .. })));
/// assert!(session.is_empty()?);
/// # Ok::<(), sessiondb::Error>(())
/// ```
pub const MAX_TRANSACTION_BYTES: usize = 16 << 20;
/// How deep a value may nest.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use sessiondb::{Error, MAX_VALUE_DEPTH};
///
/// let mut deep = serde_json::json!([]);
/// for _ in 0..MAX_VALUE_DEPTH {
///     deep = serde_json::json!([deep]);
/// }
/// let refused = db.create_session().set("deep", &deep);
/// assert!(matches!(refused, Err(Error::Encode { .. })));
/// # Ok::<(), sessiondb::Error>(())
/// ```
pub const MAX_VALUE_DEPTH: usize = 128;
/// The most bytes an owner's name may have; the least is 1.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use sessiondb::{Error, MAX_OWNER_BYTES};
///
/// let session = db.create_session();
/// session.set_owner(Some(&"o".repeat(MAX_OWNER_BYTES)))?;
/// let refused = session.set_owner(Some(&"o".repeat(MAX_OWNER_BYTES + 1)));
/// assert!(matches!(refused, Err(Error::InvalidOwner { .. })));
/// # Ok::<(), sessiondb::Error>(())
/// ```
pub const MAX_OWNER_BYTES: usize = 512;
