//! Recovery: which frames there are, and where they end.
//!
//! Frames that were not synced may survive in any order, so a bad frame
//! before a valid one is normal after a power cut. Damage is a bad frame that
//! a valid later frame declares synced, or a checkpoint does: that is
//! refused. Otherwise the tail is torn, and is cut (8).

use crate::error::{Error, Result};
use crate::format::codec::{ALIGNMENT, Malformed, VERSION};
use crate::format::effect::Payload;
use crate::format::header::{Declaration, JOURNAL_HEADER_BYTES, JournalHeader};
use crate::format::identity::{Batch, JournalNumber, Sequence};
use crate::format::journal_frame::{self, HEAD_BYTES, JournalFrame, Place};
use crate::format::sums::Sums;

use super::files::JournalOptions;
use super::unproven::Unproven;

/// Further ahead of the expected sequence than this no frame can be.
const SEQUENCE_WINDOW: u64 = 1 << 32;

/// What recovery found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// The last frame.
    pub(crate) last: Sequence,
    /// The file that holds it, and where its frames end.
    pub(crate) end: Option<(JournalNumber, u64)>,
    /// The highest file number in use.
    pub(crate) highest: JournalNumber,
    /// What the journal knows to be checkpointed.
    pub(crate) declaration: Declaration,
    /// Bytes of the frames that were replayed.
    pub(crate) live_bytes: u64,
    /// The files of the frames, each with its last sequence.
    pub(super) files: Vec<(JournalNumber, Sequence)>,
    /// Files that hold nothing that counts.
    pub(super) stale: Vec<JournalNumber>,
}

struct File {
    number: JournalNumber,
    header: JournalHeader,
}

/// Reads the journal and hands over every frame behind `after`.
///
/// # Errors
///
/// `Corrupted` for damage or a gap, and for a checkpoint that the journal relies
/// on and that is not there, what `missing` says of it; `Version` for a newer
/// format.
pub(crate) fn recover(
    options: &JournalOptions,
    after: Sequence,
    last_batch: Batch,
    missing: &dyn Fn(Batch) -> Error,
    apply: &mut dyn FnMut(Sequence, Payload<'_>) -> Result<()>,
) -> Result<Recovered> {
    let numbers = options.numbers()?;
    let headers = read_headers(options, &numbers)?;
    let chain = chain(headers);
    let mut recovered = Recovered {
        last: after,
        highest: numbers.last().copied().unwrap_or_default(),
        ..Recovered::default()
    };
    let mut walk = Walk {
        options,
        after,
        apply,
        chain: &chain,
        expected: Sequence(0),
        first_live: None,
        unproven: Unproven::default(),
        recovered: &mut recovered,
    };
    walk.run()?;
    let first_live = walk.first_live;
    let unproven = walk.unproven;
    if recovered.declaration.batch > last_batch {
        return Err(missing(recovered.declaration.batch));
    }
    unproven.write_again(options)?;
    recovered.settle(numbers, first_live, after, last_batch);
    Ok(recovered)
}

impl Recovered {
    /// Tells the files that are still needed, from the first one with a
    /// change that no batch has, from those that are not. The batch is there,
    /// so the next header may declare it (9).
    fn settle(
        &mut self,
        numbers: Vec<JournalNumber>,
        first_live: Option<JournalNumber>,
        after: Sequence,
        batch: Batch,
    ) {
        let is_live = |number: JournalNumber| first_live.is_some_and(|first| number >= first);
        let settled = self.files.iter().filter(|(number, _)| !is_live(*number));
        let through = settled.map(|(_, last)| *last).max();
        self.declaration = Declaration {
            batch,
            through: through.map_or(after, |through| through.max(after)),
        };
        self.files.retain(|(number, _)| is_live(*number));
        let needed = &self.files;
        let is_needed = |number: &JournalNumber| needed.iter().any(|(needed, _)| needed == number);
        let stale = numbers.into_iter().filter(|number| !is_needed(number));
        self.stale = stale.collect();
    }
}

/// The headers of all files that have one. What the page cache shows may not
/// be on disk, so each file is synced before it is read (14).
fn read_headers(options: &JournalOptions, numbers: &[JournalNumber]) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for number in numbers.iter().copied() {
        let path = options.path(number);
        let file = options.open(number)?;
        let failed = |error| Error::io("read", &path, error);
        file.sync_all()
            .map_err(|error| Error::failed_sync(&path, error))?;
        let length = file.length().map_err(failed)?;
        if length < JOURNAL_HEADER_BYTES as u64 {
            continue;
        }
        let mut bytes = vec![0; JOURNAL_HEADER_BYTES];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        match JournalHeader::decode(&bytes) {
            Ok(header) if header.database != options.database => {
                return Err(Error::corrupted(
                    &path,
                    0,
                    "the file is of another database",
                ));
            }
            // A recycled file keeps its old header until it is used.
            Ok(header) if header.number == number => files.push(File { number, header }),
            Ok(_) | Err(Malformed::Damaged(_)) => {}
            Err(Malformed::Version(found)) => {
                return Err(Error::Version {
                    path,
                    found,
                    supported: VERSION,
                });
            }
        }
    }
    Ok(files)
}

/// The files that follow one another, found from the last one backwards: a
/// file that a later header does not name was cut away.
fn chain(mut files: Vec<File>) -> Vec<File> {
    let mut chain: Vec<File> = Vec::new();
    while let Some(file) = files.pop() {
        let follows = chain
            .last()
            .is_none_or(|next| next.header.previous.map(|(number, _)| number) == Some(file.number));
        if follows {
            chain.push(file);
        }
    }
    chain.reverse();
    chain
}

struct Walk<'w> {
    options: &'w JournalOptions,
    after: Sequence,
    apply: &'w mut dyn FnMut(Sequence, Payload<'_>) -> Result<()>,
    chain: &'w [File],
    expected: Sequence,
    /// The first file with a change that no batch has.
    first_live: Option<JournalNumber>,
    unproven: Unproven,
    recovered: &'w mut Recovered,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<()> {
        let Some(first) = self.chain.first() else {
            return self.check_leftovers();
        };
        self.expected = first.header.first;
        let declared = self
            .chain
            .iter()
            .map(|file| file.header.declaration.through);
        let settled = declared.fold(self.after, Sequence::max);
        if self.expected > settled.next() {
            let before = first.header.previous.map(|(number, _)| number);
            let reason =
                "the file is missing or its header is damaged: the journal begins too late";
            return Err(self.damage(before.unwrap_or(first.number), 0, reason));
        }
        let chain = self.chain;
        for (place, file) in chain.iter().enumerate() {
            let next = chain.get(place.saturating_add(1));
            if !self.file(file, next, place)? {
                break;
            }
        }
        self.recovered.last = self.after.max(Sequence(self.expected.0.saturating_sub(1)));
        Ok(())
    }

    /// Walks one file; whether the next one continues it.
    fn file(&mut self, file: &File, next: Option<&File>, place: usize) -> Result<bool> {
        let declared = file.header.declaration;
        self.declare(declared);
        let bytes = self.read(file.number)?;
        let cut = next
            .and_then(|next| next.header.previous)
            .map_or(u64::MAX, |(_, end)| end);
        self.unproven.prove(file.header.synced_through);
        self.unproven
            .note(file.header.first, file.number, 0, JOURNAL_HEADER_BYTES);
        let mut offset = JOURNAL_HEADER_BYTES;
        while (offset as u64) < cut {
            let Some(frame) = self.frame(file.number, &bytes, offset) else {
                break;
            };
            if frame.sequence != self.expected {
                break;
            }
            self.take(file.number, offset, &frame)?;
            offset = offset.saturating_add(frame.size);
        }
        let last = Sequence(self.expected.0.saturating_sub(1));
        self.recovered.files.push((file.number, last));
        self.recovered.end = Some((file.number, offset as u64));
        if let Some(next) = next
            && offset as u64 == cut
            && next.header.first == self.expected
        {
            return Ok(true);
        }
        self.check_torn(file.number, offset, &bytes, place)?;
        Ok(false)
    }

    fn take(
        &mut self,
        number: JournalNumber,
        offset: usize,
        frame: &JournalFrame<'_>,
    ) -> Result<()> {
        let payload = Payload::decode(frame.payload)
            .map_err(|malformed| self.damage(number, offset, malformed))?;
        if let Payload::Checkpointed(declaration) = payload {
            self.declare(declaration);
        }
        if frame.sequence > self.after {
            self.recovered.live_bytes = self.recovered.live_bytes.saturating_add(frame.size as u64);
            if matches!(payload, Payload::Transaction(_)) {
                self.first_live.get_or_insert(number);
            }
            (self.apply)(frame.sequence, payload)?;
        }
        self.unproven.prove(frame.synced_through);
        // Without its padding, which the file may lack.
        let length = HEAD_BYTES.saturating_add(frame.payload.len());
        self.unproven.note(frame.sequence, number, offset, length);
        self.expected = self.expected.next();
        Ok(())
    }

    /// The frames end here: because they were never synced, or because of damage?
    fn check_torn(
        &self,
        number: JournalNumber,
        offset: usize,
        bytes: &[u8],
        place: usize,
    ) -> Result<()> {
        let synced = self.expected <= self.after || self.declares_synced(number, offset, bytes);
        if synced {
            return Err(self.damage(number, offset, "a synced frame is damaged"));
        }
        for later in self.chain.iter().skip(place.saturating_add(1)) {
            let bytes = self.read(later.number)?;
            if later.header.synced_through >= self.expected
                || self.declares_synced(later.number, JOURNAL_HEADER_BYTES, &bytes)
            {
                return Err(self.damage(number, offset, "a synced frame is damaged"));
            }
        }
        self.check_headless(number, offset)
    }

    /// Whether a valid frame says that the expected one was on disk.
    fn declares_synced(&self, number: JournalNumber, start: usize, bytes: &[u8]) -> bool {
        let window = self.expected.0..self.expected.0.saturating_add(SEQUENCE_WINDOW);
        let mut sums = Sums::of(bytes);
        (start..bytes.len())
            .step_by(ALIGNMENT)
            .filter(|offset| {
                journal_frame::peek_sequence(bytes, *offset)
                    .is_some_and(|sequence| window.contains(&sequence.0))
            })
            .filter_map(|offset| self.search(number, &mut sums, offset))
            .any(|frame| frame.synced_through >= self.expected)
    }

    /// The same in later files whose header is damaged.
    fn check_headless(&self, number: JournalNumber, offset: usize) -> Result<()> {
        let in_chain =
            |number: &JournalNumber| self.chain.iter().any(|file| file.number == *number);
        for later in self.options.numbers()? {
            if later > number && !in_chain(&later) {
                let bytes = self.read(later)?;
                if self.declares_synced(later, JOURNAL_HEADER_BYTES, &bytes) {
                    return Err(self.damage(number, offset, "a synced frame is damaged"));
                }
            }
        }
        Ok(())
    }

    /// No header at all: then no frame may be there either.
    fn check_leftovers(&mut self) -> Result<()> {
        self.expected = self.after.next();
        for number in self.options.numbers()? {
            let bytes = self.read(number)?;
            let mut sums = Sums::of(&bytes);
            let has_frame = (JOURNAL_HEADER_BYTES..bytes.len())
                .step_by(ALIGNMENT)
                .filter(|offset| {
                    journal_frame::peek_sequence(&bytes, *offset)
                        .is_some_and(|sequence| sequence > self.after)
                })
                .filter_map(|offset| self.search(number, &mut sums, offset))
                .any(|frame| frame.synced_through >= self.expected);
            if has_frame {
                return Err(self.damage(number, 0, "the header of a journal file is damaged"));
            }
        }
        self.recovered.last = self.after;
        Ok(())
    }

    fn declare(&mut self, declaration: Declaration) {
        if declaration.batch > self.recovered.declaration.batch {
            self.recovered.declaration = declaration;
        }
    }

    fn frame<'b>(
        &self,
        number: JournalNumber,
        bytes: &'b [u8],
        offset: usize,
    ) -> Option<JournalFrame<'b>> {
        journal_frame::parse(bytes, offset, self.place(number, offset))
    }

    /// The same where anything may lie.
    fn search<'b>(
        &self,
        number: JournalNumber,
        sums: &mut Sums<'b>,
        offset: usize,
    ) -> Option<JournalFrame<'b>> {
        journal_frame::search(sums, offset, self.place(number, offset))
    }

    fn place(&self, number: JournalNumber, offset: usize) -> Place {
        Place {
            database: self.options.database,
            number,
            offset: offset as u64,
        }
    }

    fn read(&self, number: JournalNumber) -> Result<Vec<u8>> {
        let path = self.options.path(number);
        let failed = |error| Error::io("read", &path, error);
        let file = self.options.open(number)?;
        let length = file.length().map_err(failed)?;
        // A frame's length has 32 bits, and a frame fits into a file.
        let length = u32::try_from(length)
            .map_err(|_| self.damage(number, 0, "the file is far too long"))?;
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        Ok(bytes)
    }

    fn damage(
        &self,
        number: JournalNumber,
        offset: usize,
        reason: impl std::fmt::Display,
    ) -> Error {
        Error::corrupted(&self.options.path(number), offset as u64, reason)
    }
}
