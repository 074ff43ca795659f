//! The two small files at the root: `CURRENT`, which says whose directory this
//! is and where its index lies, and `CLEAN`, the mark of a clean stop.
//!
//! Both are written under another name, synced and renamed: they are there
//! wholly or not at all.

use std::io::ErrorKind;
use std::path::Path;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::codec::{Malformed, VERSION};
use crate::format::header::{CleanMark, Current};
use crate::format::identity::{Batch, DatabaseId};
use crate::format::segment_frame::Footer;
use crate::index;

const CURRENT: &str = "CURRENT";
const CURRENT_NEW: &str = "CURRENT.new";
const CLEAN: &str = "CLEAN";
const CLEAN_NEW: &str = "CLEAN.new";
/// The small files are much smaller; without `CURRENT` a journal file that
/// was begun may be read as one.
const SMALL_FILE_BYTES: u64 = 64 << 20;

fn root() -> &'static Path {
    Path::new("")
}

fn read_file(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>> {
    let path = disk.root().join(name);
    let file = match disk.open(Path::new(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            return Err(Error::corrupted(&path, 0, "it is no file"));
        }
        Err(error) => return Err(Error::io("open", &path, error)),
    };
    let failed = |error| Error::io("read", &path, error);
    file.sync_all()
        .map_err(|error| Error::failed_sync(&path, error))?;
    let length = file.length().map_err(failed)?;
    if length > SMALL_FILE_BYTES {
        return Err(Error::corrupted(&path, 0, "the file is far too long"));
    }
    let length = usize::try_from(length).unwrap_or(0);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    Ok(Some(bytes))
}

/// Writes a small file so that it is there wholly or not at all.
fn replace_file(disk: &dyn Disk, temporary: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let path = disk.root().join(name);
    let failed = |error| Error::io("write", &path, error);
    match disk.remove(Path::new(temporary)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let file = disk.create(Path::new(temporary)).map_err(failed)?;
    file.write_all_at(bytes, 0).map_err(failed)?;
    file.sync_all()
        .map_err(|error| Error::failed_sync(&path, error))?;
    disk.rename(Path::new(temporary), Path::new(name))
        .map_err(failed)?;
    sync_root(disk)
}

/// Makes the names at the root durable.
fn sync_root(disk: &dyn Disk) -> Result<()> {
    disk.sync_directory(root())
        .map_err(|error| Error::failed_sync(disk.root(), error))
}

/// Whose directory this is; a new one is given an identity.
pub(super) fn read_or_create_current(disk: &dyn Disk) -> Result<Current> {
    let path = disk.root().join(CURRENT);
    if let Some(bytes) = read_file(disk, CURRENT)? {
        // A creation that was killed may have left the name in the page cache
        // only (14).
        sync_root(disk)?;
        return Current::decode(&bytes).map_err(|malformed| match malformed {
            Malformed::Version(found) => Error::Version {
                path,
                found,
                supported: VERSION,
            },
            Malformed::Damaged(reason) => Error::corrupted(&path, 0, reason),
        });
    }
    refuse_orphans(disk)?;
    let _step = tracing::debug_span!("create").entered();
    for directory in ["journal", "segments"] {
        disk.create_directory(Path::new(directory))
            .map_err(|error| Error::io("create", &disk.root().join(directory), error))?;
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|error| Error::io("draw an ID for", &path, std::io::Error::other(error)))?;
    let current = Current {
        database: DatabaseId(id),
        index: super::index_source::index_name(1),
    };
    sync_root(disk)?;
    write_current(disk, &current)?;
    Ok(current)
}

/// Whose directory this is, if `CURRENT` can say it.
pub(super) fn named(disk: &dyn Disk) -> Result<Option<DatabaseId>> {
    let path = disk.root().join(CURRENT);
    let bytes = match read_file(disk, CURRENT) {
        Err(Error::Corrupted { .. }) => None,
        bytes => bytes?,
    };
    match bytes.map(|bytes| Current::decode(&bytes)) {
        Some(Ok(current)) => Ok(Some(current.database)),
        Some(Err(Malformed::Version(found))) => Err(Error::Version {
            path,
            found,
            supported: VERSION,
        }),
        Some(Err(Malformed::Damaged(_))) | None => Ok(None),
    }
}

/// The mark of a clean stop, if it can be read. It is left.
pub(super) fn marked(disk: &dyn Disk) -> Option<CleanMark> {
    let bytes = read_file(disk, CLEAN).ok()??;
    CleanMark::decode(&bytes).ok()
}

/// Replaces `CURRENT`.
pub(super) fn write_current(disk: &dyn Disk, current: &Current) -> Result<()> {
    let _step = tracing::debug_span!("current").entered();
    let path = disk.root().join(CURRENT);
    let bytes = current
        .encode()
        .map_err(|malformed| Error::corrupted(&path, 0, malformed))?;
    replace_file(disk, CURRENT_NEW, CURRENT, &bytes)
}

/// Without `CURRENT` there may be no file that holds anything (1).
fn refuse_orphans(disk: &dyn Disk) -> Result<()> {
    for directory in ["journal", "segments"] {
        let names = match disk.list(Path::new(directory)) {
            Ok(names) => names,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("list", &disk.root().join(directory), error)),
        };
        for name in names {
            let relative = format!("{directory}/{name}");
            let bytes = read_file(disk, &relative)?.unwrap_or_default();
            if bytes.iter().any(|byte| *byte != 0) {
                return Err(Error::corrupted(
                    &disk.root().join(CURRENT),
                    0,
                    format_args!("it is missing, but {relative} holds data"),
                ));
            }
        }
    }
    Ok(())
}

/// Whether the last stop was clean and the index is still as it was then.
/// The mark is removed, durably, before sled opens.
pub(super) fn take_mark(
    disk: &dyn Disk,
    current: &Current,
    footer: Option<&Footer>,
) -> Result<bool> {
    let settled = footer.map_or((Batch(0), 0), |footer| (footer.batch, footer.index_hash));
    let bytes = match read_file(disk, CLEAN) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(false),
        // A mark that is damaged is none.
        Err(Error::Corrupted { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let clean = CleanMark::decode(&bytes).is_ok_and(|mark| {
        mark.database == current.database
            && (mark.batch, mark.index_hash) == settled
            && index::matches(&disk.index_directory(&current.index), &mark.files)
    });
    let failed = |error| Error::io("remove", &disk.root().join(CLEAN), error);
    disk.remove(Path::new(CLEAN)).map_err(failed)?;
    sync_root(disk)?;
    Ok(clean)
}

/// Leaves the mark of a clean stop.
pub(super) fn put_mark(disk: &dyn Disk, mark: &CleanMark) -> Result<()> {
    let path = disk.root().join(CLEAN);
    let bytes = mark
        .encode()
        .map_err(|malformed| Error::corrupted(&path, 0, malformed))?;
    replace_file(disk, CLEAN_NEW, CLEAN, &bytes)
}
