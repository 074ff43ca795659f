//! A real directory for the index, which speaks to the operating system itself.
//!
//! Owns: making, and copying, a temporary directory.
//! Promises: a copy of a directory that somebody still writes to does not
//! fail because a file went away meanwhile.
//! Refuses: to copy anything but files and directories.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// A fresh directory, in memory where the system offers that.
pub(super) fn fresh() -> io::Result<TempDir> {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("sessiondb-simulated-");
        builder
    };
    builder()
        .tempdir_in("/dev/shm")
        .or_else(|_| builder().tempdir())
}

/// A fresh directory with a copy of what is in this one.
pub(super) fn copied(from: &Path) -> io::Result<TempDir> {
    let copy = fresh()?;
    copy_directory(from, copy.path())?;
    Ok(copy)
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match copy_entry(&entry, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn copy_entry(entry: &fs::DirEntry, target: &Path) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        fs::create_dir(target)?;
        copy_directory(&entry.path(), target)?;
    } else if kind.is_file() {
        fs::copy(entry.path(), target)?;
    }
    Ok(())
}
