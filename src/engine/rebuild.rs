//! The index, made anew from the footers, or caught up with them.
//!
//! The newest frame of an identity wins, tombstones hide what is older, pages
//! of a generation that no live session has are garbage. What a session's
//! image says about its pages (how many, and the hash of their rows) has to
//! be true of what was found: otherwise a page is lost, and that is damage.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::expiry::Timeouts;
use super::lookup::Setback;
use super::retirement::RetiredSums;
use crate::error::{Error, Result};
use crate::format::identity::{Batch, Generation, Location, PageNumber, Timestamp};
use crate::format::record::{PageRow, RowContent, SessionRecord, SessionRow, page_key};
use crate::format::retired_rows::{RetiredId, ShortDigest};
use crate::format::segment_frame::{Footer, FooterEntry, Identity, Kind};
use crate::index::{Index, Put, hint_of};
use crate::segments::Segments;
use crate::session_id::SessionDigest;

/// Page rows looked at together.
const PAGES_TOGETHER: usize = 256;
/// How many frames lie between two reports of progress.
const REPORT_EVERY: u64 = 4096;
/// How many hints are put together at most, in groups of one time each.
const HINTS_TOGETHER: usize = 1 << 20;
/// How many entries of a footer are applied together: what their hints are is
/// known before the first row is put.
const ENTRIES_TOGETHER: usize = 1 << 14;

/// The newest frame of an identity.
#[derive(Debug, Clone)]
struct Newest {
    kind: Kind,
    generation: Generation,
    sequence: Batch,
    location: Location,
}

impl Newest {
    fn of(entry: &FooterEntry, generation: Generation) -> Self {
        Self {
            kind: entry.kind,
            generation,
            sequence: entry.sequence,
            location: entry.location,
        }
    }

    fn age(&self) -> (Batch, Location) {
        (self.sequence, self.location)
    }
}

/// What the footers say is alive.
#[derive(Debug, Default)]
pub(super) struct Survey {
    sessions: HashMap<SessionDigest, Newest>,
    pages: HashMap<(Generation, PageNumber), (Newest, Box<str>)>,
    retired: HashSet<RetiredId>,
}

/// What a rebuild made.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// The hash of the session rows.
    pub(super) hash: u64,
    /// The sums of the retired IDs.
    pub(super) retired: RetiredSums,
    /// Sessions whose image cannot be read.
    pub(super) damaged: Vec<SessionDigest>,
}

/// What rows depend on besides the segments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// For the hints of the purge.
    pub(super) timeouts: Timeouts,
    /// What has passed by then is not retired any more.
    pub(super) now: Timestamp,
}

impl Survey {
    /// Takes in the footers of all batches. Retirements that have passed at
    /// `now` are left out.
    pub(super) fn of<'f>(footers: impl Iterator<Item = &'f Footer>, now: Timestamp) -> Self {
        let mut survey = Self::default();
        for footer in footers {
            footer.entries.iter().for_each(|entry| survey.add(entry));
            let lasting = footer.retirements.iter().filter(|some| some.until > now);
            for some in lasting {
                let digests = some.digests.iter();
                survey
                    .retired
                    .extend(digests.map(|digest| (some.until, ShortDigest::of(*digest))));
            }
        }
        survey
    }

    fn add(&mut self, entry: &FooterEntry) {
        match &entry.identity {
            Identity::Session(digest, generation) => {
                keep_newer(self.sessions.entry(*digest), Newest::of(entry, *generation));
            }
            Identity::Page(generation, number, lower) => {
                let newest = Newest::of(entry, *generation);
                match self.pages.entry((*generation, *number)) {
                    Entry::Occupied(mut old) if old.get().0.age() < newest.age() => {
                        old.insert((newest, lower.clone()));
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(place) => {
                        place.insert((newest, lower.clone()));
                    }
                }
            }
        }
    }
}

fn keep_newer(entry: Entry<'_, SessionDigest, Newest>, newest: Newest) {
    match entry {
        Entry::Occupied(mut old) if old.get().age() < newest.age() => {
            old.insert(newest);
        }
        Entry::Occupied(_) => {}
        Entry::Vacant(place) => {
            place.insert(newest);
        }
    }
}

/// Fills an empty index.
pub(super) fn fill(
    index: &Index,
    segments: &Segments,
    survey: &Survey,
    circumstances: Circumstances,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Filled, Setback> {
    let total = (survey.sessions.len() + survey.pages.len()) as u64;
    let mut done = 0_u64;
    let mut step = || {
        done += 1;
        if done.is_multiple_of(REPORT_EVERY) {
            progress(done, total);
        }
    };
    let mut filled = Filled::default();
    // What each live generation's image promises; `None` when it is damaged.
    let mut promised = HashMap::new();
    // The order does not matter here: nobody uses an index that is half made.
    let mut hints = Vec::new();
    for (digest, newest) in &survey.sessions {
        step();
        if newest.kind == Kind::SessionTombstone {
            continue;
        }
        let row = session_row(segments, newest, circumstances.timeouts)?;
        let hash = row.hash(*digest).map_err(|_| undecodable())?;
        filled.hash = filled.hash.wrapping_add(hash);
        let table = match &row.content {
            RowContent::Whole { table, .. } => Some((*table, newest.location)),
            RowContent::Damaged { .. } => {
                filled.damaged.push(*digest);
                None
            }
        };
        promised.insert(newest.generation, table);
        index.put_session(digest, &row)?;
        hints.extend(hint_of(*digest, &row));
        if hints.len() >= HINTS_TOGETHER {
            index.put_hints(std::mem::take(&mut hints))?;
        }
    }
    index.put_hints(hints)?;
    let mut found: HashMap<Generation, (u32, u64)> = HashMap::new();
    for ((generation, number), (newest, lower)) in &survey.pages {
        step();
        if newest.kind != Kind::Page || !promised.contains_key(generation) {
            continue;
        }
        let row = PageRow {
            location: newest.location,
            sequence: newest.sequence,
            number: *number,
        };
        let row_hash = row
            .hash(&page_key(*generation, lower))
            .map_err(|_| undecodable())?;
        let sum = found.entry(*generation).or_default();
        *sum = (sum.0.saturating_add(1), sum.1.wrapping_add(row_hash));
        index.put_page(*generation, lower, &row)?;
    }
    check_promises(segments, &promised, &found)?;
    survey.retired.iter().for_each(|id| filled.retired.add(*id));
    index.pack_retired(survey.retired.iter().copied().collect())?;
    progress(total, total);
    Ok(filled)
}

fn check_promises(
    segments: &Segments,
    promised: &HashMap<Generation, Option<(crate::format::record::PageTable, Location)>>,
    found: &HashMap<Generation, (u32, u64)>,
) -> Result<()> {
    for (generation, table) in promised {
        let Some((table, location)) = table else {
            continue;
        };
        let (pages, hash) = found.get(generation).copied().unwrap_or_default();
        if pages != table.pages || hash != table.hash {
            return Err(Error::corrupted(
                &segments.path(location.segment),
                location.offset.into(),
                "pages of this session are missing",
            ));
        }
    }
    Ok(())
}

/// The row of an image; a damaged image has a row that says so (15).
fn session_row(segments: &Segments, newest: &Newest, timeouts: Timeouts) -> Result<SessionRow> {
    let damaged = RowContent::Damaged {
        generation: newest.generation,
    };
    let content = match newest.kind {
        Kind::Image => match segments.read_image(newest.location) {
            Ok((head, _)) => RowContent::Whole {
                table: head.table,
                record: SessionRecord {
                    hint_at: timeouts.latest_hint(&head.record),
                    ..head.record
                },
            },
            Err(Error::Corrupted { .. }) => damaged,
            Err(error) => return Err(error),
        },
        _ => damaged,
    };
    Ok(SessionRow {
        location: newest.location,
        sequence: newest.sequence,
        content,
    })
}

fn undecodable() -> Setback {
    crate::index::Trouble::new("a row cannot be encoded").into()
}

/// Applies the footers of batches that the index may not have seen.
pub(super) fn catch_up(
    index: &Index,
    segments: &Segments,
    footer: &Footer,
    circumstances: Circumstances,
) -> Result<(), Setback> {
    for entries in footer.entries.chunks(ENTRIES_TOGETHER) {
        let rows = missed_rows(index, segments, entries, circumstances.timeouts)?;
        let hints = rows
            .iter()
            .filter_map(|(digest, row)| hint_of(*digest, row));
        index.put_hints(hints.collect())?;
        apply(index, entries, rows)?;
    }
    let retirements = footer.retirements.iter();
    for lasting in retirements.filter(|some| some.until > circumstances.now) {
        let digests = lasting.digests.iter();
        let ids = digests.map(|digest| (lasting.until, ShortDigest::of(*digest)));
        index.retire(ids.collect())?;
    }
    Ok(())
}

/// The rows of those images of a footer that the index has not seen, in order.
fn missed_rows(
    index: &Index,
    segments: &Segments,
    entries: &[FooterEntry],
    timeouts: Timeouts,
) -> Result<Vec<(SessionDigest, SessionRow)>, Setback> {
    let mut rows = Vec::new();
    for entry in entries {
        let (Identity::Session(digest, generation), Kind::Image | Kind::SessionDamage) =
            (&entry.identity, entry.kind)
        else {
            continue;
        };
        // Most rows are there already: the image is not even read.
        let is_there =
            |old: SessionRow| (old.sequence, old.location) >= (entry.sequence, entry.location);
        if !index.session(digest)?.is_some_and(is_there) {
            let newest = Newest::of(entry, *generation);
            rows.push((*digest, session_row(segments, &newest, timeouts)?));
        }
    }
    Ok(rows)
}

/// Applies entries of a footer whose missed rows are known.
fn apply(
    index: &Index,
    entries: &[FooterEntry],
    rows: Vec<(SessionDigest, SessionRow)>,
) -> Result<(), Setback> {
    let mut rows = rows.into_iter().peekable();
    let mut gone = HashMap::new();
    // Images before tombstones and in one order: pages are put high to low by
    // the writer, and nobody reads while this runs.
    for entry in entries {
        match (&entry.identity, entry.kind) {
            (Identity::Session(digest, generation), Kind::Image | Kind::SessionDamage) => {
                let is_its = |(owner, row): &(SessionDigest, SessionRow)| {
                    owner == digest && row.location == entry.location
                };
                let Some((_, row)) = rows.next_if(is_its) else {
                    continue;
                };
                if let Put::Replaced(old) = index.put_session(digest, &row)?
                    && old.generation() != *generation
                    && old.sequence < entry.sequence
                {
                    index.bury(old.generation())?;
                }
            }
            (Identity::Session(digest, generation), _) => {
                let removed = index.remove_session(digest, entry.sequence)?;
                if removed.is_some() && *generation != Generation(0) {
                    index.bury(*generation)?;
                }
            }
            (Identity::Page(generation, number, lower), Kind::Page) => {
                let row = PageRow {
                    location: entry.location,
                    sequence: entry.sequence,
                    number: *number,
                };
                index.put_page(*generation, lower, &row)?;
            }
            (Identity::Page(generation, number, _), _) => {
                let gone: &mut GonePages = gone.entry(*generation).or_default();
                gone.insert(*number, entry.sequence);
            }
        }
    }
    for (generation, pages) in gone {
        remove_pages(index, generation, &pages)?;
    }
    Ok(())
}

/// Pages that are gone since a batch. Their numbers are not given again.
type GonePages = HashMap<PageNumber, Batch>;

/// Looks at all pages of the generation: a tombstone does not say where its
/// page began.
fn remove_pages(index: &Index, generation: Generation, gone: &GonePages) -> Result<(), Setback> {
    let mut from = String::new();
    loop {
        let pages = index.pages(generation, &from, PAGES_TOGETHER)?;
        let Some((last, _)) = pages.last() else {
            return Ok(());
        };
        from = [last, "\0"].concat();
        for (lower, row) in &pages {
            if let Some(sequence) = gone.get(&row.number) {
                index.remove_page(generation, lower, row.number, *sequence)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
