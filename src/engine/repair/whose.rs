//! Whose files these are.

use std::path::Path;

use super::super::current::named;
use crate::disk::{Disk, is_absent};
use crate::error::{Error, Result};
use crate::format::header::{JOURNAL_HEADER_BYTES, JournalHeader, SegmentHeader};
use crate::format::identity::DatabaseId;

/// The database of a directory: each file says it, so that `CURRENT` may be
/// missing.
pub(super) fn whose(disk: &dyn Disk) -> Result<DatabaseId> {
    if let Some(database) = named(disk)? {
        return Ok(database);
    }
    for directory in ["segments", "journal"] {
        let names = match disk.list(Path::new(directory)) {
            Err(error) if is_absent(&error) => continue,
            names => {
                names.map_err(|error| Error::io("list", &disk.root().join(directory), error))?
            }
        };
        for name in names {
            let Some(head) = head(disk, &format!("{directory}/{name}"))? else {
                continue;
            };
            let segment = SegmentHeader::decode(&head).map(|header| header.database);
            let journal = || JournalHeader::decode(&head).map(|header| header.database);
            if let Ok(database) = segment.or_else(|_| journal()) {
                return Ok(database);
            }
        }
    }
    let reason = "no file in it says that it is of a database";
    Err(Error::corrupted(disk.root(), 0, reason))
}

/// The first bytes of a file; `None` for what is none.
fn head(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>> {
    let failed = |error| Error::io("read", &disk.root().join(name), error);
    let file = match disk.open(Path::new(name)) {
        Err(error) if is_absent(&error) => return Ok(None),
        file => file.map_err(failed)?,
    };
    let length = file.length().map_err(failed)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length.min(JOURNAL_HEADER_BYTES)];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    Ok(Some(bytes))
}
