//! The end of sessions and of their IDs, through handles, and what handles
//! know besides the keys.

use std::time::SystemTime;

use sessiondb::Error;

use super::answer::{Answer, Failure, answer};
use super::commit::{Changed, Renewed};
use super::draft::Draft;
use super::handle::{Handle, Life};
use super::lease::Lease;
use super::operation::{Ending, Renewal};
use super::run::Run;
use super::session::Session;
use super::time::Time;

impl Run {
    pub(crate) fn end(&mut self, slot: usize, ending: Ending) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        match ending {
            Ending::Cycle => self.cycle(&mut handle),
            Ending::Flush | Ending::Destroy => self.remove(&mut handle, ending),
        }
        self.hold(slot, handle);
    }

    fn cycle(&mut self, handle: &mut Handle) {
        let moment = self.moment();
        let old = handle.name;
        let draft = self.draft(handle, &moment);
        let is_late = draft
            .as_ref()
            .is_some_and(|draft| handle.comes_too_late(draft, &moment));
        let result = handle.session.cycle_id();
        let expected = match &draft {
            Some(_) if !is_late => Answer::Done,
            _ => Failure::SessionGone.into(),
        };
        let actual = answer(result, |_| Answer::Done);
        let agreed = self.agrees(&("cycle", old, &handle.life), &expected, &actual);
        let turn = self.turn(handle, Some(Renewal::Cycle));
        let has_moved = turn != Renewed::Stays;
        if agreed {
            let wanted = expected == Answer::Done;
            assert_eq!(has_moved, wanted, "{}: a cycle and the ID", self.label);
        }
        // One that failed before it had its new ID has done nothing.
        let changed = match draft.filter(|_| has_moved || is_late) {
            Some(draft) => self.conclude(handle, &draft, turn),
            None => Changed::default(),
        };
        if agreed {
            self.acknowledge(handle, changed, &actual);
        }
    }

    fn remove(&mut self, handle: &mut Handle, ending: Ending) {
        let old = handle.name;
        let moment = self.moment();
        let was_bound = matches!(handle.life, Life::Bound { .. });
        let is_kept = self.kept(handle).is_some();
        let result = match ending {
            Ending::Flush => handle.session.flush().map(drop),
            _ => handle.session.destroy(),
        };
        let actual = answer(result, |()| Answer::Done);
        let agreed = self.agrees(&(ending, old, &handle.life), &Answer::Done, &actual);
        let has_moved = self.turn(handle, Some(Renewal::Flush)) != Renewed::Stays;
        if agreed {
            let wanted = ending == Ending::Flush;
            assert_eq!(has_moved, wanted, "{}: {ending:?} and the ID", self.label);
        }
        if is_kept {
            let mut state = self.history.now().clone();
            state.end(old, &moment);
            self.push(state, &[old]);
            handle.written = self.history.position();
            if agreed && handle.immediate {
                self.history.settle_all();
                self.buried.insert(old);
            }
        } else if agreed && handle.immediate && was_bound {
            self.history.settle_name(old);
        }
        if has_moved && let Some(position) = self.ids.len().checked_sub(1) {
            handle.name = super::state::Name(position);
        }
        if agreed {
            handle.life = match ending {
                Ending::Flush => Life::unborn(),
                _ => Life::Spent,
            };
        }
    }

    pub(crate) fn touch(&mut self, slot: usize) {
        let Some(mut handle) = self.take(slot) else {
            return;
        };
        let moment = self.moment();
        let result = handle.session.touch();
        let living = self.living(&handle, &moment).cloned();
        let is_here = living.is_some() || matches!(handle.life, Life::Unborn { .. });
        let expected = if is_here {
            Answer::Done
        } else {
            Failure::SessionGone.into()
        };
        let actual = answer(result, |()| Answer::Done);
        let agreed = self.agrees(&("touch", handle.name), &expected, &actual);
        let mut changed = Changed::default();
        if let Some(session) = living {
            if moment.terms.wants_touch(&session, moment.now) {
                let mut after = Session {
                    last_seen: moment.now,
                    keys: session.visible(moment.now),
                    ..Session::clone(&session)
                };
                after.fade(&session, moment.now);
                let mut state = self.history.now().clone();
                state.sessions.insert(handle.name, after.into());
                self.push(state, &[handle.name]);
                handle.written = self.history.position();
                changed.wrote = true;
                self.tally.life.touched += 1;
            } else {
                self.tally.life.untouched += 1;
            }
        }
        if agreed {
            self.acknowledge(&handle, changed, &actual);
        }
        self.hold(slot, handle);
    }

    /// Asks a handle for everything that is not a key.
    pub(crate) fn ask(&mut self, slot: usize) {
        let Some(handle) = self.take(slot) else {
            return;
        };
        let moment = self.moment();
        let expected = self.draft(&handle, &moment).map(|draft| {
            let kept = self.living(&handle, &moment);
            let expires_at = match kept {
                Some(session) => moment.terms.expires_at(session),
                None => moment.terms.expires_at(&unwritten(&draft)),
            };
            (
                draft.owner.as_deref().map(str::to_owned),
                draft.lease,
                expires_at,
            )
        });
        let told = told(&handle);
        let (told, failure) = match told {
            Ok(told) => (Some(told), None),
            Err(error) => (None, Some(Failure::from(error))),
        };
        let actual = failure.map_or(Answer::Done, Answer::from);
        let wanted = if expected.is_some() {
            Answer::Done
        } else {
            Failure::SessionGone.into()
        };
        if self.agrees(&("ask", handle.name), &wanted, &actual) {
            assert_eq!(told, expected, "{}: {:?}", self.label, handle.name);
            self.acknowledge(&handle, Changed::default(), &actual);
        }
        self.hold(slot, handle);
    }
}

type Told = (Option<String>, Lease, Option<Time>);

fn told(handle: &Handle) -> Result<Told, Error> {
    let session = &handle.session;
    let expires_at: Option<SystemTime> = session.expires_at()?;
    let lease = session.expiry()?.into();
    Ok((session.owner()?, lease, expires_at.map(Time::from)))
}

/// A session as if it were written now.
fn unwritten(draft: &Draft) -> Session {
    Session {
        keys: draft.keys.clone(),
        faded: Vec::new(),
        created: draft.now,
        last_seen: draft.now,
        lease: draft.lease,
        owner: draft.owner.clone(),
        birth: 0,
    }
}
