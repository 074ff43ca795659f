//! The one error type: categories a caller can act on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A `Result` whose error is [`Error`].
///
/// ```
/// fn user(session: &sessiondb::Session) -> sessiondb::Result<Option<String>> {
///     session.get("user")
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error source whose concrete type is not part of the interface.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Everything that can go wrong, by what the caller can do about it.
///
/// Absence that is not strict is an `Option`, a lost race is a `bool`; neither
/// is an error. Messages name the fact and the remedy, never a stored value or
/// a session token.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// use sessiondb::Error;
///
/// let session = db.create_session();
/// match session.delete("cart") {
///     Ok(()) => println!("removed"),
///     Err(Error::KeyNotFound { key }) => println!("there was no {key}"),
///     Err(Error::SessionGone) => println!("logged out meanwhile"),
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A strict operation named a key that the session does not hold.
    #[error("the session holds no key {key:?}; use `discard` or `pop` where absence is fine")]
    KeyNotFound {
        /// The key that was asked for.
        key: String,
    },
    /// The session was flushed, cycled, destroyed, revoked or has expired
    /// since this handle was opened.
    #[error("the session is gone (logged out or expired elsewhere); treat the visitor as new")]
    SessionGone,
    /// A session with the chosen ID exists already.
    #[error("a session with this ID exists already; choose another ID")]
    SessionExists,
    /// A key is empty or longer than the limit.
    #[error("a key must have 1 to {limit} bytes, this one has {length}; choose another key")]
    InvalidKey {
        /// Bytes of the refused key.
        length: usize,
        /// The most bytes a key may have.
        limit: usize,
    },
    /// An owner's name is empty or longer than the limit.
    #[error("an owner must have 1 to {limit} bytes, this one has {length}; choose another name")]
    InvalidOwner {
        /// Bytes of the refused name.
        length: usize,
        /// The most bytes a name may have.
        limit: usize,
    },
    /// Text or bytes that are not a session ID or digest.
    #[error("not a session ID: {reason}; treat it as that of an unknown session")]
    InvalidId {
        /// What is wrong with it, without quoting it.
        reason: &'static str,
    },
    /// Something is larger than its limit; nothing was applied.
    #[error(
        "{what} of {size} bytes is over the limit of {limit} bytes; nothing was written, divide it"
    )]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size in bytes, or the size at which it was refused.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A value could not be turned into its stored form.
    #[error("the value of key {key:?} cannot be stored, change it: {source}")]
    Encode {
        /// The key the value was meant for.
        key: String,
        /// What the encoder said.
        source: Source,
    },
    /// A stored value is not what the caller asked for; it is left in place.
    #[error(
        "the value of key {key:?} is not of the requested type, ask for the one it was written with: {source}"
    )]
    Decode {
        /// The key of the value.
        key: String,
        /// What the decoder said.
        source: Source,
    },
    /// Stored bytes are damaged.
    #[error("damaged data in {} at byte {offset}: {reason}; restore this directory from a backup, or save the rest of it with `Database::repair`", path.display())]
    Corrupted {
        /// The damaged file.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What does not hold.
        reason: String,
    },
    /// There is no space for this write, on disk or within
    /// [`max_disk_bytes`](crate::Builder::max_disk_bytes); nothing was applied.
    /// Writes work again once there is some. What only removes works meanwhile,
    /// 100,000 times at least.
    #[error("no space left to {doing}; free some space, no reopening is needed")]
    StorageFull {
        /// What needed the space.
        doing: &'static str,
        /// What the file system said, where it was asked.
        source: Option<io::Error>,
    },
    /// An earlier write or sync failed. The outcome of writes since then is
    /// unknown: close, mend the cause and open again.
    #[error(
        "the database stopped writing after a failure ({cause}); reopen it once the cause is mended"
    )]
    Poisoned {
        /// The failure that stopped it.
        cause: String,
    },
    /// The database was used inside a transaction's closure.
    #[error(
        "the database was used inside a transaction's closure; use the closure's own `Transaction`"
    )]
    Reentrant,
    /// Another process, or another handle in this one, has the directory open.
    #[error("{} is in use by another process or handle; close it there first", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The database was closed.
    #[error("the database is closed; open it again")]
    Closed,
    /// The directory was written by a newer format.
    #[error("{} has format version {found}, this library reads up to {supported}; use a newer release", path.display())]
    Version {
        /// The file that states the version.
        path: PathBuf,
        /// The version it states.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// The path exists and is not a directory.
    #[error("{} is not a directory; give the path of a directory, existing or not", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory cannot be written to.
    #[error("{} cannot be written to; check its owner, its mode and its file system", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refused a file operation.
    #[error("cannot {doing} {}: {source}; mend the cause and try again", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// An I/O error on `path`; a full file system becomes `StorageFull`.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::StorageFull {
                doing,
                source: Some(source),
            },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable {
                    path: path.to_path_buf(),
                    source,
                }
            }
            _ => Self::Io {
                doing,
                path: path.to_path_buf(),
                source,
            },
        }
    }

    /// A sync that failed, also one that names a full disk: what is on disk
    /// is not known any more, and it must not be tried again.
    pub(crate) fn failed_sync(path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing: "sync",
            path: path.to_path_buf(),
            source,
        }
    }

    /// Damage in `path` at `offset`.
    pub(crate) fn corrupted(path: &Path, offset: u64, reason: impl fmt::Display) -> Self {
        Self::Corrupted {
            path: path.to_path_buf(),
            offset,
            reason: reason.to_string(),
        }
    }
}
