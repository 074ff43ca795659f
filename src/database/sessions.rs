//! Walking all sessions.

use std::collections::VecDeque;

use super::Database;
use crate::engine::SessionWalk;
use crate::error::Result;
use crate::maintenance::SessionInfo;
use crate::session_id::SessionDigest;

/// All sessions, in the order of their digests; made by
/// [`Database::sessions`]. Ends after an error that is not of one session alone.
///
/// ```
/// # let db = sessiondb::Database::temporary()?;
/// # db.create_session().set("user", "ada")?;
/// let sessions: sessiondb::Sessions = db.sessions();
/// assert_eq!(sessions.count(), 1);
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is asked"]
pub struct Sessions {
    database: Database,
    walk: SessionWalk,
    ready: VecDeque<Result<SessionInfo>>,
    ended: bool,
}

impl Iterator for Sessions {
    type Item = Result<SessionInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.ended {
            let durability = self.database.durable();
            match self
                .database
                .engine()
                .next_sessions(&mut self.walk, durability)
            {
                Ok(Some(known)) => {
                    let known = known.into_iter();
                    let infos = known.map(|known| known.map(SessionInfo::from));
                    self.ready.extend(infos);
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front()
    }
}

impl Database {
    /// All sessions that have been written and are not expired, in the order
    /// of their digests.
    ///
    /// Writers go on meanwhile: a session that is there all the time comes
    /// exactly once; one that comes, goes or changes its ID meanwhile may be
    /// seen or not.
    ///
    /// Costs a read of all rows of the index, some hundreds at a time, and no
    /// more memory than these. What the sessions hold is not loaded.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// # db.create_session().set("user", "ada")?;
    /// for session in db.sessions() {
    ///     let session = session?;
    ///     println!("{} of {:?}: {} keys", session.digest, session.owner, session.keys);
    /// }
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// An item may be `Corrupted` in the place of a session that is damaged as a
    /// whole; the others follow. It may be `Poisoned`, `Closed`, `Reentrant`,
    /// `Io`, or `Corrupted` for more than one session; it is the last one then.
    pub fn sessions(&self) -> Sessions {
        Sessions {
            database: self.clone(),
            walk: SessionWalk::default(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// What is known of a session by its public name; `None` when it is
    /// unknown, gone or expired. Read-only: it renews nothing.
    ///
    /// Costs one lookup in memory, or one in the index.
    ///
    /// ```
    /// # let db = sessiondb::Database::temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// assert!(db.inspect(&session.id().digest())?.is_some());
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Corrupted` when the session is damaged as a whole, `Poisoned`, `Closed`,
    /// `Reentrant`, `Io`.
    pub fn inspect(&self, digest: &SessionDigest) -> Result<Option<SessionInfo>> {
        let known = self.engine().inspect(*digest, self.durable())?;
        Ok(known.map(SessionInfo::from))
    }

    /// Removes all sessions whose time is over. Happens by itself, about each
    /// second; expired sessions are unreadable before.
    ///
    /// Returns how many were removed. Costs two
    /// [checkpoints](Self::checkpoint), and for each of them a share of a
    /// frame and of an fsync.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use sessiondb::{Database, ManualClock};
    ///
    /// let clock = Arc::new(ManualClock::default());
    /// let hour = Duration::from_secs(3600);
    /// let db = Database::builder().clock(clock.clone()).idle_timeout(Some(hour)).temporary()?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// clock.advance(hour);
    /// assert!(db.open_session(&session.id())?.is_none(), "removed or not");
    /// db.purge_expired()?;
    /// assert_eq!(db.verify()?.sessions, 0);
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`checkpoint`](Self::checkpoint).
    pub fn purge_expired(&self) -> Result<u64> {
        self.engine().check()?;
        self.engine().purge_expired()
    }
}
