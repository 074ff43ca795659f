//! What a repair could not save.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::format::identity::Generation;
use crate::session_id::SessionDigest;

/// What kind of thing a [`Loss`] is.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let (old, new) = (directory.path().join("old"), directory.path().join("new"));
/// # sessiondb::Database::open(&old)?.close()?;
/// use sessiondb::{Database, LossKind};
///
/// let repaired = Database::repair(&old, &new)?;
/// let lost = |kind| repaired.losses.iter().filter(|loss| loss.kind == kind).count();
/// println!("{} sessions are damaged", lost(LossKind::Session));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LossKind {
    /// A session of which something cannot be read. It is not saved.
    Session,
    /// A session that was written before damage in which it may have ended, or
    /// changed. It is not saved: it may be one that was flushed.
    Doubt,
    /// A session that was alive behind the last damage in the journal. It is
    /// saved with what was written to it since; what it held before is missing.
    Part,
    /// Which IDs died at a time. Of those that are not known otherwise it is
    /// forgotten, for
    /// [`create_session_with_id`](crate::Database::create_session_with_id).
    DeadIds,
    /// Bytes, a file or part of a file of which nobody knows what they held.
    Bytes,
}

/// Something that a repair could not save, and why.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let (old, new) = (directory.path().join("old"), directory.path().join("new"));
/// # sessiondb::Database::open(&old)?.close()?;
/// for loss in sessiondb::Database::repair(&old, &new)?.losses {
///     println!("{}, byte {}: {}", loss.path.display(), loss.offset, loss.reason);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The file that is damaged, or that holds what is in doubt.
    pub path: PathBuf,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What it is.
    pub kind: LossKind,
    /// Which session, where it is known.
    pub session: Option<SessionDigest>,
    /// Why, in words.
    pub reason: String,
}

/// Losses, of each session one.
#[derive(Debug, Default)]
pub(super) struct Losses {
    sessions: BTreeMap<SessionDigest, (Loss, Option<Generation>)>,
    others: Vec<Loss>,
}

impl Losses {
    /// Something is lost that is no session.
    pub(super) fn add(&mut self, kind: LossKind, path: &Path, offset: u64, reason: &str) {
        self.others.push(Loss {
            path: path.to_path_buf(),
            offset,
            kind,
            session: None,
            reason: reason.to_owned(),
        });
    }

    /// A session is lost; what was said of it before stays said.
    pub(super) fn add_session(
        &mut self,
        digest: SessionDigest,
        generation: Option<Generation>,
        kind: LossKind,
        (path, offset, reason): (&Path, u64, &str),
    ) {
        self.sessions.entry(digest).or_insert_with(|| {
            let loss = Loss {
                path: path.to_path_buf(),
                offset,
                kind,
                session: Some(digest),
                reason: reason.to_owned(),
            };
            (loss, generation)
        });
    }

    /// The generation that a lost session had.
    pub(super) fn generation(&self, digest: SessionDigest) -> Option<Generation> {
        let (_, generation) = self.sessions.get(&digest)?;
        *generation
    }

    /// A lost session has another ID from now on; whether it was lost.
    pub(super) fn rename(&mut self, from: SessionDigest, to: SessionDigest) -> bool {
        let Some((mut loss, generation)) = self.sessions.remove(&from) else {
            return false;
        };
        loss.session = Some(to);
        self.sessions.insert(to, (loss, generation));
        true
    }

    /// A session is not lost: it has ended, or was made anew.
    pub(super) fn forget(&mut self, digest: SessionDigest) {
        self.sessions.remove(&digest);
    }

    /// All of them, by file and place.
    pub(super) fn list(self) -> Vec<Loss> {
        let sessions = self.sessions.into_values().map(|(loss, _)| loss);
        let mut losses: Vec<Loss> = self.others.into_iter().chain(sessions).collect();
        losses.sort_by(|one, other| {
            let one = (&one.path, one.offset, one.kind, one.session);
            one.cmp(&(&other.path, other.offset, other.kind, other.session))
        });
        losses
    }
}

/// Where an error says that something is damaged, and what.
pub(super) fn place_of(error: &Error) -> Option<(&Path, u64, &str)> {
    match error {
        Error::Corrupted {
            path,
            offset,
            reason,
        } => Some((path, *offset, reason)),
        _ => None,
    }
}
