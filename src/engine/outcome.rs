//! What a draft makes of its session, and the frame that says so.

use super::Engine;
use super::cell::{Life, State};
use super::commit::{Bound, encode_payload};
use super::draft::Draft;
use crate::error::Result;
use crate::format::effect::{Effect, Payload};
use crate::format::identity::Generation;
use crate::format::record::SessionRecord;
use crate::session_id::SessionDigest;

/// What becomes of a session's ID with a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn<'b> {
    /// Nothing.
    Stays,
    /// The session moves to this one.
    Cycles(SessionDigest),
    /// The session is a new one, and takes the place of this one.
    Replaces(&'b Bound),
}

/// What the journal has to say of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It changes nothing.
    Nothing,
    /// Keys changed, or the session was seen.
    Changes,
    /// The session has another record, and perhaps other keys.
    Record,
}

/// What a draft means to the owner that the session has after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// Nothing, or there is none.
    Same,
    /// One session has another ID.
    Moves,
    /// There is one session more.
    Joins,
}

/// What a draft makes of its session.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Whether this is the session's first write.
    pub(super) is_born: bool,
    /// Whether the session is over with it.
    pub(super) is_over: bool,
    pub(super) says: Says,
    /// Whether it says more than that keys changed or went.
    says_more: bool,
    pub(super) membership: Membership,
    /// The session's ID and record then.
    pub(super) digest: SessionDigest,
    pub(super) record: SessionRecord,
    /// Whose keys it had before.
    buries: Generation,
}

impl Membership {
    fn of(state: &State, record: &SessionRecord, moves: bool) -> Self {
        match record.owner.as_deref() {
            None => Self::Same,
            owner if owner != state.owner() => Self::Joins,
            Some(_) if moves => Self::Moves,
            Some(_) => Self::Same,
        }
    }
}

impl Outcome {
    /// Whether a draft takes away and adds nothing: keys, or all of a session.
    pub(super) fn only_removes(&self, draft: &Draft<'_>) -> bool {
        self.is_over || !self.says_more && !draft.overlay.has_puts()
    }
}

impl Engine {
    /// What a draft makes of its session.
    pub(super) fn outcome(&self, draft: &Draft<'_>, turn: Turn<'_>) -> Outcome {
        let state = draft.cell.state.read();
        let is_born = state.life == Life::Unborn;
        let mut record = state.record.clone();
        if let Some(owner) = &draft.owner {
            record.owner.clone_from(&owner.0);
        }
        record.expiry = draft.expiry.unwrap_or(record.expiry);
        let is_other = record.owner != state.record.owner || record.expiry != state.record.expiry;
        if is_born {
            record.created = draft.now;
        }
        record.last_seen = record.last_seen.max(draft.now);
        if draft.cleared || is_born && !draft.keeps_keys() {
            record.generation = self.new_generation();
        }
        let digest = match turn {
            Turn::Cycles(to) => to,
            Turn::Stays | Turn::Replaces(_) => draft.digest,
        };
        let moves = digest != draft.digest;
        // Asked again: another touch may have come first.
        let timeouts = self.options.timeouts;
        let is_seen = draft.touched && timeouts.wants_touch(&state.record, draft.now);
        let is_over = self.options.timeouts.is_expired(&record, draft.now);
        Outcome {
            is_born,
            is_over,
            says: if is_born || draft.cleared || is_other || moves {
                Says::Record
            } else if is_seen || !draft.keeps_keys() {
                Says::Changes
            } else {
                Says::Nothing
            },
            says_more: is_born || is_other || moves || is_seen,
            membership: if is_over {
                Membership::Same
            } else {
                Membership::of(&state, &record, moves)
            },
            digest,
            record,
            buries: state.record.generation,
        }
    }

    /// A draft's frame, with the ends of other sessions.
    pub(super) fn encode(
        &self,
        draft: &Draft<'_>,
        after: &Outcome,
        ends: &[[Effect<'_>; 2]],
    ) -> Result<Vec<u8>> {
        let mut effects: Vec<Effect<'_>> = ends.iter().flatten().cloned().collect();
        if after.is_over {
            let until = self.retire_until(draft.now);
            let (digest, generation) = (draft.digest, after.buries);
            effects.push(Effect::RemoveSession { digest, generation });
            effects.push(Effect::Retire { digest, until });
            return encode_payload(&Payload::Transaction(effects), 128);
        }
        let moves = !after.is_born && after.digest != draft.digest;
        if after.says == Says::Record {
            effects.push(Effect::PutSession {
                digest: after.digest,
                record: after.record.clone(),
                moved_from: moves.then_some(draft.digest),
            });
        }
        if moves {
            effects.push(Effect::Retire {
                digest: draft.digest,
                until: self.retire_until(draft.now),
            });
        }
        if !draft.overlay.is_empty() || after.says == Says::Changes {
            effects.push(Effect::Change {
                digest: after.digest,
                generation: after.record.generation,
                at: draft.now,
                changes: draft.overlay.changes(),
            });
        }
        let size = usize::try_from(draft.size).unwrap_or(0);
        encode_payload(&Payload::Transaction(effects), size)
    }
}
