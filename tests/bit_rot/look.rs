//! What all sessions hold, by every way there is to read them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use sessiondb::{Database, Error, Result, Session, SessionDigest, SessionId};

/// What one session holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    keys: BTreeMap<String, String>,
    owner: Option<String>,
    expires_at: Option<SystemTime>,
}

/// What all sessions hold that there ever were; `None` of those that are gone,
/// or are not there yet.
pub(crate) type State = Vec<(SessionId, Option<Held>)>;

/// The one owner there is.
pub(crate) const OWNER: &str = "user:ada";

/// What the database holds of these sessions.
pub(crate) fn read(db: &Database, ids: &[SessionId]) -> Result<State> {
    ids.iter()
        .map(|id| {
            let session = db.open_session(id)?;
            Ok((*id, session.as_ref().map(held).transpose()?))
        })
        .collect()
}

fn held(session: &Session) -> Result<Held> {
    Ok(Held {
        keys: session.to_map()?,
        owner: session.owner()?,
        expires_at: session.expires_at()?,
    })
}

/// Answers, and how many of them were errors.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) right: usize,
    pub(crate) damaged: usize,
    wrong: Vec<String>,
}

impl Look {
    /// Asks for everything in every way: each answer is right, or is an error
    /// that `tells` of the damage.
    pub(crate) fn at(db: &Database, state: &State, tells: impl Fn(&Error) -> bool) -> Self {
        let mut look = Self::default();
        let mut answer = |what: String, outcome: Result<bool>| match outcome {
            Ok(true) => look.right += 1,
            Err(error) if tells(&error) => look.damaged += 1,
            outcome => look.wrong.push(format!("{what}: {outcome:?}")),
        };
        for (id, expected) in state {
            let digest = id.digest();
            let retired = db.is_retired(id);
            answer(
                format!("{digest} is retired"),
                retired.map(|is| is == expected.is_none()),
            );
            let inspected = db.inspect(&digest).map(|info| info.map(|info| info.owner));
            let owner = expected.as_ref().map(|held| held.owner.clone());
            answer(
                format!("{digest} is inspected"),
                inspected.map(|found| found == owner),
            );
            let session = match (db.open_session(id), expected) {
                (Ok(Some(session)), Some(_)) => session,
                (found, _) => {
                    let is_right = found.map(|found| found.is_some() == expected.is_some());
                    answer(format!("{digest} is opened"), is_right);
                    continue;
                }
            };
            let Some(expected) = expected else { continue };
            for (key, value) in &expected.keys {
                let found = session.get::<String>(key);
                let is_right = found.map(|found| found.as_ref() == Some(value));
                answer(format!("{digest} key {key}"), is_right);
            }
            let absent = session.contains_key("key-99").map(|found| !found);
            answer(format!("{digest} has no key-99"), absent);
            let whole = held(&session).map(|found| found == *expected);
            answer(format!("{digest} as a whole"), whole);
            let length = session.len().map(|length| length == expected.keys.len());
            answer(format!("{digest} is counted"), length);
        }
        let is_whole = |id: &SessionId| matches!(db.inspect(&id.digest()), Ok(Some(_)));
        let living = |of: Option<&str>| {
            let held = state
                .iter()
                .filter_map(|(id, held)| Some((id, held.as_ref()?)));
            let owned = held.filter(|(_, held)| of.is_none() || held.owner.as_deref() == of);
            digests(
                owned
                    .filter(|(id, _)| is_whole(id))
                    .map(|(id, _)| id.digest()),
            )
        };
        let (listed, broken): (Vec<_>, Vec<_>) = db.sessions().partition(Result::is_ok);
        let listed = digests(listed.into_iter().flatten().map(|info| info.digest));
        answer("all are listed".to_owned(), Ok(listed == living(None)));
        for error in broken.into_iter().filter_map(Result::err) {
            answer("all are listed".to_owned(), Err(error));
        }
        let owned = db.sessions_of(OWNER);
        let owned = owned.map(|infos| digests(infos.iter().map(|info| info.digest)));
        let is_right = owned.map(|found| found == living(Some(OWNER)));
        answer("the owner's are listed".to_owned(), is_right);
        look
    }

    /// Panics where an answer was wrong.
    #[track_caller]
    pub(crate) fn assert_right(self, what: &dyn std::fmt::Display) -> Self {
        assert!(self.wrong.is_empty(), "{what}: {:#?}", self.wrong);
        self
    }
}

fn digests(found: impl Iterator<Item = SessionDigest>) -> Vec<SessionDigest> {
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found
}
