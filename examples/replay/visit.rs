//! What one request does to its session.

use sessiondb::{Database, Error, Result, Session, SessionId};

/// How many paths a session keeps.
pub(crate) const LAST_PAGES: usize = 10;
pub(crate) const LAST: &str = "last pages";
pub(crate) const FLASH: &str = "flash";
pub(crate) const TOKEN: &str = "form token";

/// Loads, counts a page, keeps it among the last, pops and sets a message,
/// deletes and sets a token.
pub(crate) const OPERATIONS: u64 = 7;

/// What a request got to know from its session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The message that the request before left.
    pub(crate) flash: Option<String>,
    /// Whether there was a token to delete.
    pub(crate) token_deleted: bool,
}

/// The key under which a page is counted.
pub(crate) fn counter(page: &str) -> String {
    format!("views {page}")
}

/// The message that the next request is shown.
pub(crate) fn farewell(page: &str) -> String {
    format!("You come from {page}")
}

/// The session of a visitor who has a cookie; a new one for who has none.
/// `None` where the cookie's session is not there.
pub(crate) fn load(db: &Database, cookie: Option<SessionId>) -> Result<Option<Session>> {
    match cookie {
        Some(id) => db.open_session(&id),
        None => Ok(Some(db.create_session())),
    }
}

/// A request's changes, in one transaction: all of them or none, one fsync.
pub(crate) fn visit(session: &Session, page: &str) -> Result<Answer> {
    session.transaction(|tx| {
        tx.update(&counter(page), |views: Option<u64>| {
            Some(views.unwrap_or(0).saturating_add(1))
        })?;
        tx.update(LAST, |last: Option<Vec<String>>| {
            let mut last = last.unwrap_or_default();
            last.insert(0, page.to_owned());
            last.truncate(LAST_PAGES);
            Some(last)
        })?;
        let flash = tx.pop(FLASH)?;
        tx.set(FLASH, &farewell(page))?;
        let token_deleted = match tx.delete(TOKEN) {
            Ok(()) => true,
            // A session's first request has none.
            Err(Error::KeyNotFound { .. }) => false,
            Err(error) => return Err(error),
        };
        tx.set(TOKEN, page)?;
        Ok(Answer {
            flash,
            token_deleted,
        })
    })
}
