//! Repair: what can be proved right of a damaged directory, in a new one.
//!
//! The files are one long log: the segments in order, then the journal. What
//! is newest of an identity counts, and a session that has ended must not come
//! back. So there is one rule:
//!
//! INVARIANT: damage of which nobody can tell what it held may have been the
//! end, or a later version, of any session written before it. A session is
//! saved only if its image lies behind all such damage, and nothing of it is
//! damaged itself. Compaction copies what lives, so a copy proves that, too.
//!
//! What a whole footer names is attributed: only that session is lost. A footer
//! that is damaged by itself hides nothing, since its frames tell what they
//! are, but it takes the memory of dead IDs along. A gap in the journal that is
//! not checkpointed yet lies behind all segments: of what is older nothing can
//! be proved. A session that is alive behind the last gap is saved with what
//! was put since, and listed.
//!
//! What is lost without a trace is not missed: the last file of the journal
//! with all that was in it, or the end of one, cut between two frames or with
//! the head of the last one zeroed; and the last segment file, if the footer
//! before it, which would tell, is damaged and the journal needs neither any
//! more. And where a footer cannot be read, its frames are told by their heads:
//! one that has the kind of a footer, its own length, and more damage, passes
//! for the damaged footer. Where the kind alone is damaged the checksum tells it.
//!
//! The new directory gets copies of the frames, and the transactions that came
//! after them as its journal; then it is opened, checkpointed and verified
//! like any other. What is kept in memory is the list of losses, what one file
//! or batch names, and which sessions the journal changed.

mod filter;
mod losses;
mod target;
mod whose;

use std::sync::Arc;

use self::filter::{At, Filter};
use self::losses::{Losses, place_of};
use self::target::{Target, append};
use self::whose::whose;
use super::current::marked;
use super::examine::Examiner;
use super::lookup::Setback;
use super::meter::Meter;
use super::open::lock;
use super::rebuild::{self, Circumstances};
use super::{Counts, Engine, Options};
use crate::disk::Disk;
use crate::error::Result;
use crate::format::effect::Payload;
use crate::format::header::{CleanMark, Declaration};
use crate::format::identity::{Batch, Generation, Location, SegmentNumber, Sequence, Timestamp};
use crate::format::record::{RowContent, SessionRow};
use crate::format::segment_frame::{Footer, Identity, Kind, Retirement};
use crate::journal::{Found, Gap, JournalOptions, Salvage};
use crate::segments::{Hole, Salvaged, SegmentOptions, Segments, end_of};
use crate::session_id::SessionDigest;

pub use losses::{Loss, LossKind};

/// Session rows looked at together.
const ROWS: usize = 512;
/// Later than everything in the segments.
const END: Location = Location {
    segment: SegmentNumber(u32::MAX),
    offset: u32::MAX,
    length: u32::MAX,
};

/// What a repair did.
#[derive(Debug)]
pub(crate) struct Repair {
    /// What the new directory holds.
    pub(crate) saved: Counts,
    pub(crate) losses: Vec<Loss>,
}

/// The old directory.
struct Old {
    segments: Segments,
    footer: Option<(Location, Footer)>,
    journal: Salvage,
    /// What a clean stop, or else the journal, says is checkpointed.
    declared: Declaration,
    /// After a clean stop the journal holds nothing that counts.
    is_clean: bool,
}

/// A repair under way.
struct Work<'w> {
    old: Old,
    target: Target,
    circumstances: Circumstances,
    retire_until: Timestamp,
    losses: Losses,
    /// The last damage of which nobody can tell what it held.
    doubt: Option<Location>,
    /// Whether batches behind the last footer that can be read are in doubt, so
    /// that nobody knows which generations they had.
    is_tail_in_doubt: bool,
    meter: Meter<'w>,
}

/// Saves in `to`, which is empty, what can be proved right of `from`, which is
/// only read.
pub(crate) fn repair(
    from: &Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
    options: Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Repair> {
    let _lock = lock(&**from)?;
    let old = Old::find(from, &options)?;
    let bytes = old.segments.bytes_there()?;
    let journal_bytes = old.journal.bytes();
    let total = bytes.saturating_mul(3).saturating_add(journal_bytes);
    let now = Timestamp::from(options.clock.now());
    let footer = old.footer.as_ref().map(|(_, footer)| footer);
    let target = Target::create(
        Arc::clone(to),
        &options,
        old.last_batch().max(old.declared.batch),
        footer.map_or(now, |footer| footer.erased_through),
    )?;
    let mut work = Work {
        old,
        target,
        circumstances: Circumstances {
            timeouts: options.timeouts,
            now,
        },
        retire_until: now.plus(options.retire_period()),
        losses: Losses::default(),
        doubt: None,
        is_tail_in_doubt: false,
        meter: Meter::new(total, progress),
    };
    work.meter.begin(bytes);
    work.survey(bytes)?;
    let (after, gaps) = work.join_journal()?;
    work.meter.begin(bytes);
    work.copy_sessions()?;
    work.target.finish_segments()?;
    work.meter.begin(journal_bytes);
    work.copy_journal(after, gaps.last(), &options)?;
    let Work {
        target,
        losses,
        mut meter,
        ..
    } = work;
    target.finish()?;
    meter.begin(bytes);
    let options = Options {
        background: false,
        ..options
    };
    let engine = Engine::open(Arc::clone(to), options)?;
    engine.checkpoint()?;
    let verified = engine.verify(&mut |done, of| meter.set(done, of));
    let saved = verified.and_then(|saved| engine.close().map(|()| saved))?;
    meter.finish();
    Ok(Repair {
        saved,
        losses: losses.list(),
    })
}

impl Old {
    fn find(disk: &Arc<dyn Disk>, options: &Options) -> Result<Self> {
        let database = whose(&**disk)?;
        let segments = Segments::unopened(SegmentOptions {
            disk: Arc::clone(disk),
            database,
            segment_bytes: options.segment_bytes,
            shortest_segment_bytes: options.shortest_segment_bytes,
        });
        let footer = segments.last_readable_footer()?;
        let journal = Salvage::open(JournalOptions {
            disk: Arc::clone(disk),
            database,
            segment_bytes: options.journal_segment_bytes,
            longest_segment_bytes: options.longest_journal_segment_bytes,
        })?;
        let last = footer.as_ref().map_or((Batch(0), 0), |(_, footer)| {
            (footer.batch, footer.index_hash)
        });
        let mark = marked(&**disk).filter(|mark| mark.database == database);
        // Of two copies that went on apart both may have a batch of its number,
        // and an older mark may have been put back.
        let through = footer.as_ref().map(|(_, footer)| footer.journal_through);
        let goes_on = goes_on(&journal, through.unwrap_or(Sequence(0)), last.0)?;
        let fits = |mark: &CleanMark| (mark.batch, mark.index_hash) == last && !goes_on;
        let mark = mark.filter(|mark| mark.batch > last.0 || fits(mark));
        let declared = mark
            .as_ref()
            .map_or(journal.declared(), |mark| Declaration {
                batch: mark.batch,
                through: Sequence(u64::MAX),
            });
        Ok(Self {
            segments,
            footer,
            journal,
            declared,
            is_clean: mark.is_some(),
        })
    }

    fn last_batch(&self) -> Batch {
        self.footer
            .as_ref()
            .map_or(Batch(0), |(_, footer)| footer.batch)
    }

    /// What is missing of the journal behind a frame.
    fn gaps(&self, (after, batch): (Sequence, Batch)) -> Result<Vec<Gap>> {
        let mut gaps = Vec::new();
        if self.is_clean {
            return Ok(gaps);
        }
        self.journal.walk(after, batch, &mut |_, found| {
            if let Found::Gap(gap) = found {
                gaps.push(gap);
            }
            Ok(())
        })?;
        Ok(gaps)
    }
}

/// Whether the journal has a transaction behind a frame that is checkpointed.
fn goes_on(journal: &Salvage, after: Sequence, batch: Batch) -> Result<bool> {
    let mut goes_on = false;
    journal.walk(after, batch, &mut |_, found| {
        goes_on |= matches!(found, Found::Frame(_, Payload::Transaction(_)));
        Ok(())
    })?;
    Ok(goes_on)
}

impl Work<'_> {
    /// Takes in all files that the last footer counts.
    fn survey(&mut self, bytes: u64) -> Result<()> {
        let Some((location, footer)) = &self.old.footer else {
            return Ok(());
        };
        let mut files: Vec<(SegmentNumber, u64)> = Vec::new();
        files.extend(footer.files.iter().map(|file| (file.number, file.end)));
        files.push((location.segment, end_of(*location).into()));
        let mut done = 0_u64;
        for (number, end) in files {
            let salvaged = self.old.segments.salvage(number, end)?;
            self.take_in(salvaged)?;
            done = done.saturating_add(end);
            self.meter.set(done, bytes);
        }
        Ok(())
    }

    fn take_in(&mut self, salvaged: Salvaged) -> Result<()> {
        for hole in salvaged.holes {
            self.note_hole(hole);
        }
        for mut footer in salvaged.footers {
            if footer.is_stand_in() {
                footer.retirements = self.retirements_of(&footer);
            }
            let now = self.circumstances.now;
            footer.retirements.retain(|some| some.until > now);
            for retirement in &footer.retirements {
                self.target.retire(retirement)?;
            }
            let (index, segments) = (&self.target.index, &self.old.segments);
            rebuild::catch_up(index, segments, &footer, self.circumstances)
                .map_err(|setback| self.target.failure(setback))?;
        }
        Ok(())
    }

    /// Who has a tombstone died; until when that is remembered is not known.
    fn retirements_of(&self, stand_in: &Footer) -> Vec<Retirement> {
        let dead = stand_in
            .entries
            .iter()
            .filter_map(|entry| match entry.identity {
                Identity::Session(digest, _) if entry.kind == Kind::SessionTombstone => {
                    Some(digest)
                }
                _ => None,
            });
        vec![Retirement {
            until: self.retire_until,
            digests: dead.collect(),
        }]
    }

    fn note_hole(&mut self, hole: Hole) {
        let path = self.old.segments.path(hole.at.segment);
        let offset = hole.at.offset.into();
        if hole.is_footer {
            let reason = "a footer is damaged, which named IDs that died";
            self.losses.add(LossKind::DeadIds, &path, offset, reason);
        } else {
            let reason = "damaged or missing, and nothing tells what it held";
            self.losses.add(LossKind::Bytes, &path, offset, reason);
            self.doubt = self.doubt.max(Some(hole.at));
        }
    }

    /// Files between two that are there.
    fn note_missing_before(&mut self, number: SegmentNumber) {
        self.note_hole(Hole {
            at: Location {
                segment: SegmentNumber(number.0.saturating_sub(1)),
                offset: 0,
                length: 0,
            },
            is_footer: false,
        });
    }

    /// Behind which frame and batch the journal is to be replayed, and what is
    /// missing of it. Batches behind the last footer that can be read are taken in only
    /// if the journal does not hold all that was in them.
    fn join_journal(&mut self) -> Result<((Sequence, Batch), Vec<Gap>)> {
        let footer = self.old.footer.as_ref();
        let through = footer.map_or(Sequence(0), |(_, footer)| footer.journal_through);
        let mut after = (through, self.old.last_batch());
        let mut gaps = self.old.gaps(after)?;
        let Declaration { batch, through } = self.old.declared;
        let are_needed = self.old.is_clean || gaps.iter().any(|gap| gap.missing <= through);
        if batch > self.old.last_batch() && are_needed {
            self.take_in_tail(batch)?;
            let last = self.old.footer.as_ref().map(|(location, _)| *location);
            self.is_tail_in_doubt = self.doubt > last;
            after = (through.max(after.0), batch);
            gaps = self.old.gaps(after)?;
        }
        for gap in &gaps {
            self.losses
                .add(LossKind::Bytes, &gap.path, gap.offset, gap.reason);
            self.doubt = Some(END);
        }
        Ok((after, gaps))
    }

    /// Takes in batches that were committed and have no footer any more.
    fn take_in_tail(&mut self, last: Batch) -> Result<()> {
        let footer = self.old.footer.as_ref().map(|(location, _)| *location);
        let numbers = self.old.segments.numbers_from(footer)?;
        let mut expected = footer.map_or(SegmentNumber(1), |footer| footer.segment);
        let mut found = 0_u64;
        let mut reaches_last = false;
        for number in &numbers {
            if *number > expected {
                self.note_missing_before(*number);
            }
            expected = number.next();
            let own = footer.filter(|footer| footer.segment == *number);
            let start = own.map_or(0, end_of);
            let salvaged = self.old.segments.salvage_tail(*number, start)?;
            let footers = salvaged.holes.iter().filter(|hole| hole.is_footer);
            // At the end of a file that others follow it may be that of a part.
            let is_part = salvaged.ends_in_hole && numbers.last() != Some(number);
            reaches_last |= numbers.last() == Some(number) && salvaged.holds_one_since(last);
            let ended = footers.count().saturating_sub(is_part.into());
            found = found.saturating_add(ended as u64);
            self.take_in(salvaged)?;
        }
        let expected = last.0.saturating_sub(self.old.last_batch().0);
        if found < expected && !reaches_last {
            let segment = footer.map_or(SegmentNumber(1), |footer| footer.segment);
            let path = self.old.segments.path(segment);
            let offset = footer.map_or(0, end_of).into();
            let reason = "the batches that were written behind this are missing";
            self.losses.add(LossKind::Bytes, &path, offset, reason);
            self.doubt = Some(END);
        }
        Ok(())
    }

    /// Saves the sessions that are beyond doubt and whole. The scratch index
    /// has these alone after it.
    fn copy_sessions(&mut self) -> Result<()> {
        let mut after = None;
        loop {
            let rows = self
                .target
                .on_index(|index| index.sessions_after(after, ROWS))?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after = Some(*last);
            self.meter.pass(*last);
            for (digest, row) in rows {
                if !self.copy_session(digest, &row)? {
                    let remove = Batch(u64::MAX);
                    self.target
                        .on_index(|index| index.remove_session(&digest, remove))?;
                }
            }
        }
    }

    /// Whether a session was saved.
    fn copy_session(&mut self, digest: SessionDigest, row: &SessionRow) -> Result<bool> {
        let segments = &self.old.segments;
        let path = segments.path(row.location.segment);
        let offset = row.location.offset.into();
        let generation = Some(row.generation());
        let losses = &mut self.losses;
        let mut lose = |kind, place| losses.add_session(digest, generation, kind, place);
        if self.doubt.is_some_and(|doubt| row.location <= doubt) {
            let reason = "it may have ended, or changed, in damage that lies behind it";
            lose(LossKind::Doubt, (&path, offset, reason));
            return Ok(false);
        }
        if let RowContent::Damaged { .. } = row.content {
            let is_noted = segments
                .check_frame(row.location, Kind::SessionDamage)
                .is_ok();
            let reason = if is_noted {
                "it was found damaged before"
            } else {
                "its image is damaged"
            };
            lose(LossKind::Session, (&path, offset, reason));
            return Ok(false);
        }
        let examiner = Examiner {
            index: &self.target.index,
            segments,
        };
        match examiner.session(digest, row, &mut |_| Ok(())) {
            Ok(_) => {}
            Err(Setback::Index(trouble)) => {
                lose(LossKind::Session, (&path, offset, &trouble.to_string()));
                return Ok(false);
            }
            Err(Setback::Error(error)) => {
                let Some(place) = place_of(&error) else {
                    return Err(error);
                };
                lose(LossKind::Session, place);
                return Ok(false);
            }
        }
        self.target.save(segments, digest, row)?;
        Ok(true)
    }

    /// Saves what the journal holds of sessions that are saved, or made by it.
    fn copy_journal(
        &mut self,
        (after, batch): (Sequence, Batch),
        gap: Option<&Gap>,
        options: &Options,
    ) -> Result<()> {
        if self.old.is_clean {
            return Ok(());
        }
        let journal = self.target.journal(options)?;
        let next = self
            .old
            .footer
            .as_ref()
            .map(|(_, footer)| footer.next_generation);
        let unknown_below = match (self.doubt, next) {
            (None, _) => Generation(0),
            (Some(_), Some(next)) if !self.is_tail_in_doubt => next,
            (Some(_), _) => Generation(u64::MAX),
        };
        let gap = gap.map(|gap| gap.missing);
        let mut filter = Filter::new(&self.target, &mut self.losses, gap, unknown_below);
        let old = &self.old.journal;
        old.walk(after, batch, &mut |spot, found| {
            if let Found::Frame(sequence, Payload::Transaction(effects)) = found {
                let at = At {
                    sequence,
                    path: old.path(spot.number),
                    offset: spot.offset as u64,
                };
                let passed = filter.pass(&at, effects)?;
                if !passed.is_empty() {
                    append(&journal, passed)?;
                }
            }
            Ok(())
        })?;
        journal.close()
    }
}
