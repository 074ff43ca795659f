//! What a database shows of itself.

use std::collections::{BTreeMap, BTreeSet};

use sessiondb::{Database, Error, SessionDigest, SessionId, SessionInfo};

use super::answer::entries;
use super::lease::Lease;
use super::operation::Owner;
use super::session::Session;
use super::state::Name;
use super::terms::Terms;
use super::time::Time;
use super::value::Value;

/// What is told of a session without its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) digest: SessionDigest,
    pub(crate) created: Time,
    pub(crate) last_seen: Time,
    pub(crate) expires_at: Option<Time>,
    pub(crate) owner: Option<String>,
}

impl From<&SessionInfo> for Info {
    fn from(info: &SessionInfo) -> Self {
        Self {
            digest: info.digest,
            created: info.created.into(),
            last_seen: info.last_seen.into(),
            expires_at: info.expires_at.map(Time::from),
            owner: info.owner.clone(),
        }
    }
}

impl Info {
    /// What has to be told of a session.
    pub(crate) fn of(session: &Session, id: &SessionId, terms: &Terms) -> Self {
        Self {
            digest: id.digest(),
            created: session.created,
            last_seen: session.last_seen,
            expires_at: terms.expires_at(session),
            owner: session.owner.as_deref().map(str::to_owned),
        }
    }
}

/// All of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) info: Info,
    pub(crate) lease: Lease,
    pub(crate) keys: BTreeMap<String, Value>,
}

/// All of a database, as far as the IDs are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) sessions: BTreeMap<Name, Seen>,
    /// The IDs that are known to be dead.
    pub(crate) retired: BTreeSet<Name>,
}

impl Found {
    /// Reads everything. Each session is asked for in three ways, which have
    /// to agree.
    pub(crate) fn read(database: &Database, ids: &[SessionId]) -> Result<Self, Error> {
        let mut found = Self::default();
        for (number, id) in ids.iter().enumerate() {
            let name = Name(number);
            if database.is_retired(*id)? {
                found.retired.insert(name);
            }
            let info = database.inspect(&id.digest())?;
            let session = database.open_session(id)?;
            assert_eq!(
                info.is_some(),
                session.is_some(),
                "{name:?}: inspect and open disagree"
            );
            if let Some((info, session)) = info.zip(session) {
                let told = (session.expires_at()?, session.owner()?);
                let same = (info.expires_at, info.owner.clone());
                assert_eq!(told, same, "{name:?}: the handle and inspect disagree");
                let seen = Seen {
                    info: Info::from(&info),
                    lease: session.expiry()?.into(),
                    keys: entries(session.iter())?.into_iter().collect(),
                };
                found.sessions.insert(name, seen);
            }
        }
        let listed: Result<Vec<Info>, Error> = database
            .sessions()
            .map(|info| info.map(|info| Info::from(&info)))
            .collect();
        let mut expected: Vec<Info> = found
            .sessions
            .values()
            .map(|seen| seen.info.clone())
            .collect();
        expected.sort_by_key(|info| info.digest.to_bytes());
        assert_eq!(listed?, expected, "the list and inspect disagree");
        for owner in Owner::every().map(Owner::name) {
            let listed = database.sessions_of(&owner)?;
            let mut listed: Vec<Info> = listed.iter().map(Info::from).collect();
            listed.sort_by_key(|info| info.digest.to_bytes());
            let mut expected = expected.clone();
            expected.retain(|info| info.owner.as_deref() == Some(&*owner));
            assert_eq!(listed, expected, "the owner's list and inspect disagree");
        }
        Ok(found)
    }
}
