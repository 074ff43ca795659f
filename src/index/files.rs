//! The index as a directory of files: marks of a clean stop, and disposal.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::format::codec::Checksum;
use crate::format::header::FileMark;

/// Names of all files under a directory, relative to it, sorted.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    collect(directory, "", &mut names)?;
    names.sort_unstable();
    Ok(names)
}

fn collect(directory: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

/// Length and checksum of every file of the index.
pub(crate) fn mark(directory: &Path) -> io::Result<Vec<FileMark>> {
    let names = names(directory)?.into_iter();
    names
        .map(|name| {
            let mut file = File::open(directory.join(&name))?;
            let mut checksum = Checksum::default();
            let mut buffer = vec![0; 256 << 10];
            let mut length = 0_u64;
            loop {
                let count = file.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                checksum.update(buffer.get(..count).unwrap_or_default());
                length = length.saturating_add(count as u64);
            }
            Ok(FileMark {
                name,
                length,
                checksum: checksum.finish(),
            })
        })
        .collect()
}

/// Whether the directory holds exactly these files.
pub(crate) fn matches(directory: &Path, marks: &[FileMark]) -> bool {
    mark(directory).is_ok_and(|found| found == marks)
}

/// Removes an index. It is derived; nothing is lost.
pub(crate) fn set_aside(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(directory),
        outcome => outcome,
    }
}

/// Removes the indexes beside the one in use that a kill left over.
pub(crate) fn remove_others(directory: &Path) -> io::Result<()> {
    let (Some(parent), Some(own)) = (directory.parent(), directory.file_name()) else {
        return Ok(());
    };
    for entry in fs::read_dir(parent)? {
        let name = entry?.file_name();
        let is_index = name.to_string_lossy().starts_with("index-");
        if is_index && name != own {
            set_aside(&parent.join(name))?;
        }
    }
    Ok(())
}

/// Makes the directory, for its owner alone: sled would let everybody read the
/// names of keys in it. A kill during sled's own snapshot leaves a file that it
/// cannot open with; that goes.
pub(super) fn prepare(directory: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    for name in names(directory)? {
        if name.ends_with(".generating") {
            fs::remove_file(directory.join(name))?;
        }
    }
    Ok(())
}

/// Bytes of all files.
pub(super) fn size(directory: &Path) -> u64 {
    let names = names(directory).unwrap_or_default().into_iter();
    names
        .filter_map(|name| Some(fs::metadata(directory.join(name)).ok()?.len()))
        .sum()
}
