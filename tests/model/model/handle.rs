//! Handles, and what the model knows of them.

use std::sync::Arc;

use sessiondb::Session;

use super::draft::Draft;
use super::lease::Lease;
use super::run::Run;
use super::session;
use super::state::{Moment, Name};

/// What a handle was opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its session was never written; what waits for that.
    Unborn {
        owner: Option<Arc<str>>,
        lease: Lease,
    },
    /// Its session was there; which of those under this ID.
    Bound { birth: u64 },
    /// It destroyed its session.
    Spent,
}

impl Life {
    /// Of a handle for which nothing waits.
    pub(crate) fn unborn() -> Self {
        Self::Unborn {
            owner: None,
            lease: Lease::Default,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) session: Session,
    pub(crate) name: Name,
    pub(crate) life: Life,
    pub(crate) immediate: bool,
    /// Where in the history its last write is.
    pub(crate) written: u64,
}

impl Handle {
    /// Whether what waits is too old for a first write: whoever tries one is
    /// told that the session is gone, and so is everybody after.
    pub(crate) fn comes_too_late(&self, draft: &Draft, moment: &Moment) -> bool {
        matches!(self.life, Life::Unborn { .. }) && draft.is_over(moment) && !draft.says_lease
    }
}

impl Run {
    pub(crate) fn hold(&mut self, slot: usize, handle: Handle) {
        if let Some(held) = self.handles.get_mut(slot) {
            *held = Some(handle);
        }
    }

    /// The handle of a slot, out of it; a new one where it is empty.
    pub(crate) fn take(&mut self, slot: usize) -> Option<Handle> {
        if self.handles.get(slot)?.is_none() {
            self.create(slot, slot % 2 == 1);
        }
        self.handles.get_mut(slot)?.take()
    }

    /// The session of a handle, also one whose time is over; `None` when it
    /// was removed or never written.
    pub(crate) fn kept(&self, handle: &Handle) -> Option<&Arc<session::Session>> {
        let Life::Bound { birth } = handle.life else {
            return None;
        };
        let session = self.history.now().sessions.get(&handle.name)?;
        (session.birth == birth).then_some(session)
    }

    /// The same, but only one whose time is not over.
    pub(crate) fn living(
        &self,
        handle: &Handle,
        moment: &Moment,
    ) -> Option<&Arc<session::Session>> {
        self.kept(handle).filter(|session| moment.sees(session))
    }

    /// What a transaction of a handle sees first; `None` when its session is
    /// gone.
    pub(crate) fn draft(&self, handle: &Handle, moment: &Moment) -> Option<Draft> {
        match &handle.life {
            Life::Unborn { owner, lease } => {
                Some(Draft::waiting(moment.now, owner.clone(), *lease))
            }
            Life::Bound { .. } => {
                let session = self.living(handle, moment)?;
                Some(Draft::of(session, moment.now))
            }
            Life::Spent => None,
        }
    }
}
