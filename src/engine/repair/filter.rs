//! Which effects of the journal's transactions can be replayed over what is
//! saved.
//!
//! Behind the last gap nothing is missing, so what is put there is right, and
//! a session that a record is put of there is alive. What it held before is
//! not known any more. Without a gap each effect meets the state that it was
//! made for, unless its session is lost.

use std::collections::HashMap;
use std::path::PathBuf;

use super::losses::{LossKind, Losses};
use super::target::Target;
use crate::error::Result;
use crate::format::effect::Effect;
use crate::format::identity::{Generation, Sequence};
use crate::format::record::SessionRecord;
use crate::session_id::SessionDigest;

pub(super) struct Filter<'f> {
    target: &'f Target,
    losses: &'f mut Losses,
    /// The first frame that is missing in the last gap.
    gap: Option<Sequence>,
    /// A session of a generation below this may have been written in a hole
    /// of the segments.
    unknown_below: Generation,
    /// The sessions that the journal has changed: as which they live, if so.
    lives: HashMap<SessionDigest, Option<Generation>>,
}

/// Where a frame lies.
pub(super) struct At {
    pub(super) sequence: Sequence,
    pub(super) path: PathBuf,
    pub(super) offset: u64,
}

impl<'f> Filter<'f> {
    pub(super) fn new(
        target: &'f Target,
        losses: &'f mut Losses,
        gap: Option<Sequence>,
        unknown_below: Generation,
    ) -> Self {
        Self {
            target,
            losses,
            gap,
            unknown_below,
            lives: HashMap::new(),
        }
    }

    /// What of a transaction is to be replayed.
    pub(super) fn pass<'e>(
        &mut self,
        at: &At,
        effects: Vec<Effect<'e>>,
    ) -> Result<Vec<Effect<'e>>> {
        let mut passed = Vec::with_capacity(effects.len());
        for effect in effects {
            let is_before_gap = self.gap.is_some_and(|gap| at.sequence <= gap);
            if is_before_gap {
                passed.extend(self.before_gap(at, effect));
            } else {
                passed.extend(self.effect(at, effect)?);
            }
        }
        Ok(passed)
    }

    /// Whatever follows may have ended in the gap. That an ID died stays true.
    fn before_gap<'e>(&mut self, at: &At, effect: Effect<'e>) -> Option<Effect<'e>> {
        match effect {
            Effect::PutSession {
                digest, moved_from, ..
            } => {
                if let Some(from) = moved_from {
                    self.losses.forget(from);
                }
                self.doubt(at, digest, None);
            }
            Effect::RemoveSession { digest, .. } => self.losses.forget(digest),
            Effect::Change { digest, .. } => self.doubt(at, digest, None),
            Effect::Retire { .. } => return Some(effect),
        }
        None
    }

    fn effect<'e>(&mut self, at: &At, effect: Effect<'e>) -> Result<Option<Effect<'e>>> {
        Ok(match effect {
            Effect::PutSession {
                digest,
                record,
                moved_from,
            } => self.put(at, digest, record, moved_from)?,
            Effect::RemoveSession { digest, generation } => {
                let is_alive = self.life(digest)? == Some(generation);
                self.lives.insert(digest, None);
                // Whatever it was, it is not lost but gone.
                self.losses.forget(digest);
                is_alive.then_some(effect)
            }
            Effect::Change {
                digest, generation, ..
            } => {
                let is_alive = self.life(digest)? == Some(generation);
                if !is_alive {
                    self.doubt(at, digest, Some(generation));
                }
                is_alive.then_some(effect)
            }
            Effect::Retire { .. } => Some(effect),
        })
    }

    fn put<'e>(
        &mut self,
        at: &At,
        digest: SessionDigest,
        record: SessionRecord,
        moved_from: Option<SessionDigest>,
    ) -> Result<Option<Effect<'e>>> {
        let generation = record.generation;
        let from = moved_from.unwrap_or(digest);
        let life = self.life(from)?;
        let goes_on = life == Some(generation);
        // A session that moves with another generation was cleared with it.
        let moves = moved_from.is_some() && life.is_some();
        let is_known = goes_on
            || moves
            || (moved_from.is_none() && self.is_made_here(digest, life, generation));
        if let Some(from) = moved_from {
            self.lives.insert(from, None);
            self.losses.rename(from, digest);
        }
        if !is_known && self.gap.is_none() {
            self.doubt(at, digest, Some(generation));
            return Ok(None);
        }
        self.lives.insert(digest, Some(generation));
        if !is_known {
            self.losses.forget(digest);
            let reason = "what it held before the damage in the journal is not known";
            let place = (at.path.as_path(), at.offset, reason);
            self.losses
                .add_session(digest, Some(generation), LossKind::Part, place);
        } else if !goes_on {
            self.losses.forget(digest);
        }
        Ok(Some(Effect::PutSession {
            digest,
            record,
            moved_from: moved_from.filter(|_| moves),
        }))
    }

    /// Whether a session begins, or begins anew, with this record of it.
    fn is_made_here(
        &self,
        digest: SessionDigest,
        life: Option<Generation>,
        generation: Generation,
    ) -> bool {
        let is_other_life = life.is_some() || self.losses.generation(digest) != Some(generation);
        let can_be_of_hole = life.is_none() && generation < self.unknown_below;
        self.gap.is_none() && is_other_life && !can_be_of_hole
    }

    /// As which a session that is saved lives at this point.
    fn life(&self, digest: SessionDigest) -> Result<Option<Generation>> {
        if let Some(life) = self.lives.get(&digest) {
            return Ok(*life);
        }
        let row = self.target.on_index(|index| index.session(&digest))?;
        Ok(row.map(|row| row.generation()))
    }

    fn doubt(&mut self, at: &At, digest: SessionDigest, generation: Option<Generation>) {
        let reason = "it was written here, and damage may have held more of it, or its end";
        let place = (at.path.as_path(), at.offset, reason);
        self.losses
            .add_session(digest, generation, LossKind::Doubt, place);
    }
}
