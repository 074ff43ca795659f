//! One session in memory: its locks, its state, and the layers of its keys.
//!
//! Owns: what every handle of a session shares. A cycle moves the cell to its
//! new digest, so that a lock taken before is the lock after (2).
//!
//! Layers, newest first: the active delta, the frozen delta (being
//! checkpointed), the base (in the segments). A layer counts only while its
//! generation is the record's: clearing a session is a new generation.
//!
//! Lock order: `writer`, then the freeze guard, then `state`, then the
//! journal. Registry shards and counters are leaves.

use std::sync::Arc;

use super::delta::{Answer, Delta};
use super::first_page::{FirstPage, Place};
use crate::format::codec::Malformed;
use crate::format::identity::{Batch, Generation, Location, Sequence};
use crate::format::record::{PageTable, RowContent, SessionRecord, SessionRow};
use crate::index::Trouble;
use crate::session_id::SessionDigest;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, RwLock};

/// What is true of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// The index has not been asked yet.
    Unloaded,
    /// The index knows no such session.
    Absent,
    /// It has an ID and nothing else; nothing of it is on disk.
    Unborn,
    /// It was written.
    Live,
    /// It exists, but what it holds cannot be read any more. Only its removal
    /// is possible (15).
    Damaged,
    /// It was flushed, destroyed or revoked.
    Gone,
}

/// The session as the segments hold it.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// The digest it was last published under; older than the cell's own
    /// after a cycle.
    pub(crate) digest: SessionDigest,
    /// Whose keys.
    pub(crate) generation: Generation,
    /// The image.
    pub(crate) location: Location,
    /// The batch that made it.
    pub(crate) sequence: Batch,
    /// Its other pages.
    pub(crate) table: PageTable,
    /// Keys in the base.
    pub(crate) keys: u64,
    /// Bytes of keys and values in the base.
    pub(crate) bytes: u64,
    /// Whether the image cannot be read.
    pub(crate) is_damaged: bool,
    /// What its row adds to the hash of the index.
    pub(crate) row_hash: u64,
}

impl Base {
    /// The base that a row describes.
    pub(crate) fn from_row(digest: SessionDigest, row: &SessionRow) -> Result<Self, Malformed> {
        Ok(Self::with_hash(digest, row, row.hash(digest)?))
    }

    /// The same where the row's hash is known.
    pub(crate) fn with_hash(digest: SessionDigest, row: &SessionRow, row_hash: u64) -> Self {
        let (table, keys, bytes) = match &row.content {
            RowContent::Whole { table, record } => (*table, record.keys, record.bytes),
            RowContent::Damaged { .. } => (PageTable::default(), 0, 0),
        };
        Self {
            digest,
            generation: row.generation(),
            location: row.location,
            sequence: row.sequence,
            table,
            keys,
            bytes,
            is_damaged: matches!(row.content, RowContent::Damaged { .. }),
            row_hash,
        }
    }

    /// Where the image is, and whose keys are in it.
    pub(super) fn place(&self) -> Place {
        (self.location, self.generation)
    }

    /// Whether there may be page rows besides the session's own.
    pub(crate) fn has_pages(&self) -> bool {
        self.is_damaged || self.table.pages > 0
    }
}

/// A session as it was at the freeze, on its way into the segments.
#[derive(Debug)]
pub(crate) struct Frozen {
    /// Its ID then.
    pub(crate) digest: SessionDigest,
    /// Whether it was alive then.
    pub(crate) life: Life,
    /// Its record then.
    pub(crate) record: SessionRecord,
    /// What had changed since the base.
    pub(crate) delta: Delta,
    /// IDs it had before; nothing may find it under them.
    pub(crate) hidden: Vec<SessionDigest>,
    /// Whether its pages are to be searched for keys whose time is over.
    pub(crate) drops_expired: bool,
}

/// What the locks guard. What a lookup asks stands first, in few lines of the
/// processor's cache.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct State {
    /// The session's ID now.
    pub(crate) digest: SessionDigest,
    /// Whether it is alive.
    pub(crate) life: Life,
    /// Whether the next checkpoint searches its pages for keys whose time is
    /// over. What it misses is searched again.
    pub(crate) drops_expired: bool,
    /// What the checkpoint under way is writing.
    pub(crate) frozen: Option<Arc<Frozen>>,
    /// Changes since the last freeze.
    pub(crate) active: Delta,
    /// Its record; meaningless before it is live.
    pub(crate) record: SessionRecord,
    /// What the last checkpoint wrote.
    pub(crate) base: Option<Base>,
    /// The epoch of the last change; 0 for none. The cell is in that
    /// epoch's list of changed sessions.
    pub(crate) changed_in: u64,
    /// What the checkpoint of that change has to write, as it is counted.
    pub(crate) owed: u64,
    /// IDs the session had since the last freeze.
    pub(crate) hidden: Vec<SessionDigest>,
}

impl State {
    /// What memory says about a key, and whether the base may be asked.
    pub(crate) fn find(&self, key: &str) -> Answer {
        match self.active.find(key) {
            Answer::Unknown => self
                .frozen_delta()
                .map_or(Answer::Unknown, |delta| delta.find(key)),
            answer => answer,
        }
    }

    /// The frozen delta, while it counts.
    pub(crate) fn frozen_delta(&self) -> Option<&Delta> {
        let frozen = self.frozen.as_ref()?;
        (frozen.record.generation == self.record.generation).then_some(&frozen.delta)
    }

    /// The base, while it counts.
    pub(crate) fn live_base(&self) -> Option<&Base> {
        let base = self.base.as_ref()?;
        (base.generation == self.record.generation).then_some(base)
    }

    /// The owner that the session counts for.
    pub(crate) fn owner(&self) -> Option<&str> {
        let owner = self.record.owner.as_deref();
        owner.filter(|_| self.life == Life::Live)
    }

    /// Whether anything of it may lie in files that a change takes away: a key
    /// that is overwritten, say. Nobody looks which keys there are.
    pub(crate) fn may_lose(&self) -> bool {
        self.base.is_some() || self.frozen.is_some() || !self.active.is_empty()
    }

    /// Whether the session is there for its handles.
    pub(crate) fn exists(&self) -> bool {
        matches!(self.life, Life::Live | Life::Damaged)
    }

    /// Takes in what the index says about the session.
    pub(crate) fn load(&mut self, row: Option<SessionRow>) -> Result<(), Trouble> {
        let Some(row) = row else {
            self.life = Life::Absent;
            return Ok(());
        };
        self.base = Some(Base::from_row(self.digest, &row).map_err(Trouble::new)?);
        match row.content {
            RowContent::Whole { record, .. } => {
                self.record = SessionRecord {
                    // The index alone knows where it is.
                    hint_at: None,
                    ..record
                };
                self.life = Life::Live;
            }
            RowContent::Damaged { generation } => self.damage(generation),
        }
        Ok(())
    }

    /// What the session holds is not known any more.
    pub(crate) fn damage(&mut self, generation: Generation) {
        self.record = SessionRecord {
            generation,
            ..SessionRecord::default()
        };
        self.life = Life::Damaged;
    }

    /// Called under the freeze guard before a change: sets aside what was
    /// changed before the freeze (10), and tells whether the cell has to be
    /// listed as changed in this epoch.
    pub(crate) fn enter_epoch(&mut self, epoch: u64) -> bool {
        if self.changed_in == epoch {
            return false;
        }
        self.rotate(epoch);
        self.changed_in = epoch;
        true
    }

    /// Moves what changed before `epoch` into the frozen layer, once.
    pub(crate) fn rotate(&mut self, epoch: u64) {
        if self.changed_in == 0 || self.changed_in >= epoch || self.frozen.is_some() {
            return;
        }
        self.changed_in = 0;
        self.owed = 0;
        self.frozen = Some(Arc::new(Frozen {
            digest: self.digest,
            life: self.life,
            record: self.record.clone(),
            delta: std::mem::take(&mut self.active),
            hidden: std::mem::take(&mut self.hidden),
            drops_expired: std::mem::take(&mut self.drops_expired),
        }));
    }

    /// Drops the data of a session that is gone or cleared, for somebody else
    /// to free.
    pub(crate) fn detach(&mut self) -> Delta {
        std::mem::take(&mut self.active)
    }
}

/// A session in memory, shared by its handles, the registry and the lists of
/// the checkpointer. What a lookup asks stands first here, too.
#[repr(C)]
pub(crate) struct Cell {
    /// The image of its base, while it is in memory.
    pub(crate) first_page: FirstPage,
    last: AtomicU64,
    is_settled: AtomicBool,
    /// Everything else.
    pub(crate) state: RwLock<State>,
    /// Held by a transaction from its first read to its last write.
    pub(crate) writer: Mutex<()>,
}

/// Nothing of what it holds: handles are shown in logs.
impl std::fmt::Debug for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Cell")
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

impl Cell {
    /// A session of which only the ID is known.
    pub(crate) fn new(digest: SessionDigest, life: Life) -> Self {
        Self {
            writer: Mutex::new(()),
            state: RwLock::new(State {
                digest,
                life,
                record: SessionRecord::default(),
                active: Delta::default(),
                changed_in: 0,
                owed: 0,
                frozen: None,
                base: None,
                hidden: Vec::new(),
                drops_expired: false,
            }),
            first_page: FirstPage::default(),
            last: AtomicU64::new(0),
            is_settled: AtomicBool::new(false),
        }
    }

    /// Whether it was the registry's after it was loaded. From then on nobody
    /// takes its place: the session exists, and has one cell.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Acquire)
    }

    /// The registry knows it, and what the session is.
    pub(crate) fn settle(&self) {
        self.is_settled.store(true, Ordering::Release);
    }

    /// Has the processor fetch where a lookup goes on. Who raises the count of
    /// those that hold the cell waits for the line of the count, and nothing
    /// that comes after it is fetched meanwhile.
    pub(super) fn approach(&self) {
        std::hint::black_box(self.last.load(Ordering::Relaxed));
    }

    /// The last journal frame about the session: what an answer depends on (7).
    pub(crate) fn last(&self) -> Sequence {
        Sequence(self.last.load(Ordering::Acquire))
    }

    /// A frame about the session was appended.
    pub(crate) fn set_last(&self, sequence: Sequence) {
        self.last.fetch_max(sequence.0, Ordering::AcqRel);
    }
}
