//! How a database is opened.

mod repair;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::database::Database;
#[cfg(feature = "simulation")]
use crate::disk::Disk;
use crate::disk::RealDisk;
use crate::engine::{Durability, Engine, Options, Timeouts, Upkeep};
use crate::error::{Error, Result};

const DAY: Duration = Duration::from_secs(86_400);
/// Erasure needs some time.
const LEAST_TO_ERASE: Duration = Duration::from_secs(60);

/// Every knob of a database; each has a default that suits a single-binary
/// server. Turning one costs nothing before the database is opened.
///
/// ```
/// use sessiondb::Database;
///
/// let db = Database::builder()
///     .cache_bytes(16 << 20)
///     .memtable_bytes(8 << 20)
///     .temporary()?;
/// db.close()?;
/// # Ok::<(), sessiondb::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it opens a database"]
pub struct Builder {
    options: Options,
    durability: Durability,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            options: Options {
                cache_bytes: 64 << 20,
                memtable_bytes: 32 << 20,
                journal_segment_bytes: 4 << 20,
                longest_journal_segment_bytes: 32 << 20,
                segment_bytes: 16 << 20,
                shortest_segment_bytes: 4 << 20,
                index_renewal_bytes: 1 << 20,
                timeouts: Timeouts {
                    idle: Some(14 * DAY),
                    absolute: None,
                },
                sessions_per_owner: None,
                max_disk_bytes: None,
                max_session_bytes: None,
                erase_within: Some(DAY),
                retire_for: None,
                idle_checkpoint_after: Duration::from_secs(2),
                background: true,
                upkeep: Upkeep::default(),
                clock: Arc::new(SystemClock),
            },
            durability: Durability::Immediate,
        }
    }

    /// Bytes for all caches: pages, resident sessions and the index's own.
    /// Default 64 MiB.
    ///
    /// ```
    /// let db = sessiondb::Database::builder().cache_bytes(16 << 20).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// Bytes for both memtables. Writers are slowed smoothly from 60 % on; a
    /// checkpoint begins at 50 %. On a full disk removals may take 87 MiB more.
    /// Default 32 MiB, at least 64 KiB.
    ///
    /// ```
    /// let db = sessiondb::Database::builder().memtable_bytes(8 << 20).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn memtable_bytes(mut self, bytes: usize) -> Self {
        self.options.memtable_bytes = bytes;
        self
    }

    /// When acknowledged writes are on disk. Default [`Durability::Immediate`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessiondb::{Database, Durability};
    ///
    /// let db = Database::builder()
    ///     .durability(Durability::Deferred {
    ///         sync_within: Duration::from_millis(100),
    ///     })
    ///     .temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long after the last write or [`touch`](crate::Session::touch) a
    /// session expires; `None`: not by idleness. A session may have an
    /// [expiry of its own](crate::Session::set_expiry). Default 14 days.
    ///
    /// Applies to all sessions, also to those that are there already: it is
    /// not stored with them.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let half_hour = Duration::from_secs(1800);
    /// let db = sessiondb::Database::builder().idle_timeout(Some(half_hour)).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.timeouts.idle = timeout;
        self
    }

    /// How long after its first write a session expires, whatever happens and
    /// whatever its own expiry says; a new ID does not restart it. `None`, the
    /// default: never.
    ///
    /// Applies to all sessions, as [`idle_timeout`](Self::idle_timeout) does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let month = Duration::from_secs(30 * 86_400);
    /// let db = sessiondb::Database::builder().absolute_timeout(Some(month)).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn absolute_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.options.timeouts.absolute = timeout;
        self
    }

    /// How many sessions an owner may have; `None`, the default: any number.
    /// Who [joins](crate::Session::set_owner) beyond it logs out the owner's
    /// least recently seen ones.
    ///
    /// ```
    /// let db = sessiondb::Database::builder().sessions_per_owner(Some(5)).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn sessions_per_owner(mut self, cap: Option<usize>) -> Self {
        self.options.sessions_per_owner = cap;
        self
    }

    /// How large the directory may become; `None`, the default: as large as the
    /// disk. Beyond it a write that puts something is
    /// [`StorageFull`](crate::Error::StorageFull), as on a full disk; what only
    /// removes goes on, and checkpoints do.
    ///
    /// It is counted what the files take on disk, with the 24 MiB that are kept
    /// for a full disk (less on a small one), and what the next checkpoint will
    /// write, which is estimated. The directory is looked at when a megabyte or
    /// less has been let in, so it may become larger by that, and by what the
    /// index grows. Anything below 100 MiB leaves little for sessions.
    ///
    /// ```
    /// # use sessiondb::{Database, Error};
    /// let db = Database::builder().max_disk_bytes(Some(1 << 20)).temporary()?;
    /// let mut session = db.create_session();
    /// let refused = session.set("user", "ada");
    /// assert!(matches!(refused, Err(Error::StorageFull { .. })));
    /// session.flush()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn max_disk_bytes(mut self, limit: Option<u64>) -> Self {
        self.options.max_disk_bytes = limit;
        self
    }

    /// How many bytes the keys and values of a session may have, as
    /// [`SessionInfo`](crate::SessionInfo) counts them; `None`, the default:
    /// any number. A transaction that puts something and leaves its session
    /// larger is [`TooLarge`](crate::Error::TooLarge), and changes nothing; one
    /// that only removes never is, nor is what is there already.
    ///
    /// It is exact. As long as the bytes that were written since the last
    /// checkpoint would fit even if they replaced nothing, a write costs nothing
    /// more; close to the limit it costs a look at all that the session holds.
    ///
    /// ```
    /// # use sessiondb::{Database, Error};
    /// let db = Database::builder().max_session_bytes(Some(1000)).temporary()?;
    /// let session = db.create_session();
    /// session.set("note", &"x".repeat(900))?;
    /// let refused = session.set("another", &"x".repeat(900));
    /// assert!(matches!(refused, Err(Error::TooLarge { limit: 1000, .. })));
    /// session.set("note", &"y".repeat(900))?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn max_session_bytes(mut self, limit: Option<u64>) -> Self {
        self.options.max_session_bytes = limit;
        self
    }

    /// How long what was removed may lie in the files of the directory, at
    /// most: values that were removed, overwritten or whose time was over, keys
    /// and owner names. `None`: as long as their space is not needed. Default a
    /// day; less than a minute counts as a minute.
    ///
    /// It is kept under load and when idle, as long as the database is open; one
    /// that was closed too long makes up for it when it is opened, and
    /// [`erase`](crate::Database::erase) does it at once. Each half of the time
    /// all files that hold anything dead are copied, and the index where a key
    /// of a large session or an owner went: where little time is left, or much
    /// data, that is most of what is written.
    /// [`Stats::erasure_age`](crate::Stats::erasure_age) tells whether it is
    /// kept; on a full disk, and in a file that is damaged, it is not.
    ///
    /// What a file system keeps of files that were removed, a drive of blocks
    /// that were written over, and backups and snapshots are not ours to erase:
    /// encrypt the drive.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let hour = Duration::from_secs(3600);
    /// let db = sessiondb::Database::builder().erase_within(Some(hour)).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn erase_within(mut self, time: Option<Duration>) -> Self {
        self.options.erase_within = time.map(|time| time.max(LEAST_TO_ERASE));
        self
    }

    /// How long the ID of a session that is gone is
    /// [remembered](crate::Database::is_retired), at least; at most an eighth
    /// longer. Default: the longer of the two timeouts, and 14 days without
    /// any.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let day = Duration::from_secs(86_400);
    /// let db = sessiondb::Database::builder().retire_ids_for(day).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn retire_ids_for(mut self, period: Duration) -> Self {
        self.options.retire_for = Some(period);
        self
    }

    /// What the background does by itself; all of it by default.
    ///
    /// ```
    /// use sessiondb::{Database, Upkeep};
    ///
    /// let db = Database::builder()
    ///     .upkeep(Upkeep::default().purge(false))
    ///     .temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn upkeep(mut self, upkeep: Upkeep) -> Self {
        self.options.upkeep = upkeep;
        self
    }

    /// Where the time comes from. Default [`SystemClock`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sessiondb::{Database, ManualClock};
    ///
    /// let db = Database::builder().clock(Arc::new(ManualClock::default())).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.options.clock = clock;
        self
    }

    /// Opens the database in a directory, which is created (mode 0700) when
    /// it is absent.
    ///
    /// After a clean close this costs little more than a read of the index's
    /// files; otherwise it replays the journal and looks at every row of the
    /// index, within a second for 100,000 sessions and a full journal.
    ///
    /// ```no_run
    /// let db = sessiondb::Database::builder()
    ///     .memtable_bytes(64 << 20)
    ///     .open("data/sessions")?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NotADirectory`, `NotWritable`, `Locked`, `Version`, `Corrupted`,
    /// `StorageFull`, `Io`.
    pub fn open(self, directory: impl Into<PathBuf>) -> Result<Database> {
        let directory = directory.into();
        let disk = RealDisk::open(&directory).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
                Error::NotADirectory {
                    path: directory.clone(),
                }
            }
            _ => Error::io("open", &directory, error),
        })?;
        let engine = Engine::open(Arc::new(disk), self.options)?;
        Ok(Database::new(engine, self.durability, None))
    }

    /// Opens a new database in a temporary directory, removed when the last
    /// handle is dropped. For tests.
    ///
    /// Costs the creation of a directory with a few files.
    ///
    /// ```
    /// let db = sessiondb::Database::builder().memtable_bytes(1 << 20).temporary()?;
    /// # db.close()?;
    /// # Ok::<(), sessiondb::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn temporary(self) -> Result<Database> {
        let parent = std::env::temp_dir();
        let directory = tempfile::Builder::new()
            .prefix("sessiondb-")
            .tempdir()
            .map_err(|error| Error::io("create a directory in", &parent, error))?;
        let disk = RealDisk::open(directory.path())
            .map_err(|error| Error::io("open", directory.path(), error))?;
        let engine = Engine::open(Arc::new(disk), self.options)?;
        Ok(Database::new(engine, self.durability, Some(directory)))
    }

    /// Opens the database on a simulated disk.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sessiondb::{Crash, Database, IndexFate, SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder().open_on(Arc::new(disk.clone()))?;
    /// let session = db.create_session();
    /// session.set("user", "ada")?;
    /// // The power goes, and takes all that was not synced.
    /// let disk = disk.crash(Crash::KeepNothing, IndexFate::Lost)?;
    /// let again = Database::builder().open_on(Arc::new(disk))?;
    /// assert!(again.open_session(&session.id())?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[cfg(feature = "simulation")]
    pub fn open_on(self, disk: Arc<dyn Disk>) -> Result<Database> {
        let engine = Engine::open(disk, self.options)?;
        Ok(Database::new(engine, self.durability, None))
    }

    /// Bytes of a journal file, which bounds a transaction.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .journal_segment_bytes(64 << 10)
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn journal_segment_bytes(mut self, bytes: u64) -> Self {
        self.options.journal_segment_bytes = bytes;
        self.options.longest_journal_segment_bytes = bytes;
        self
    }

    /// Bytes of the longest journal file, which bounds a transaction then: the
    /// usual ones are as long as
    /// [`journal_segment_bytes`](Self::journal_segment_bytes) said before.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .journal_segment_bytes(16 << 10)
    ///     .longest_journal_segment_bytes(64 << 10)
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn longest_journal_segment_bytes(mut self, bytes: u64) -> Self {
        self.options.longest_journal_segment_bytes = bytes;
        self
    }

    /// Bytes of a segment file, about.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .segment_bytes(64 << 10)
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn segment_bytes(mut self, bytes: u32) -> Self {
        self.options.segment_bytes = bytes;
        self.options.shortest_segment_bytes = bytes;
        self
    }

    /// Bytes of the shortest segment file: where there are few, they are
    /// shorter than [`segment_bytes`](Self::segment_bytes) said before.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .segment_bytes(64 << 10)
    ///     .shortest_segment_bytes(8 << 10)
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn shortest_segment_bytes(mut self, bytes: u32) -> Self {
        self.options.shortest_segment_bytes = bytes;
        self
    }

    /// Bytes of an index that may be copied into a fresh directory, when it
    /// is half as large again as a new one would be, and a quarter of them when
    /// nobody writes; 0: whenever there is nothing else to do.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .index_renewal_bytes(0)
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn index_renewal_bytes(mut self, bytes: u64) -> Self {
        self.options.index_renewal_bytes = bytes;
        self
    }

    /// Whether checkpoints and sweeps happen by themselves.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .background(false)
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn background(mut self, background: bool) -> Self {
        self.options.background = background;
        self
    }

    /// Silence after which a changed database checkpoints by itself.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use sessiondb::{Database, SimulatedDisk};
    /// let disk = SimulatedDisk::new(1)?;
    /// let db = Database::builder()
    ///     .idle_checkpoint_after(Duration::from_millis(20))
    ///     .open_on(Arc::new(disk.clone()))?;
    /// # db.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "simulation")]
    pub fn idle_checkpoint_after(mut self, silence: Duration) -> Self {
        self.options.idle_checkpoint_after = silence;
        self
    }
}
