//! A directory that is read and left as it is.
//!
//! Promises: not a byte, a name or a length in it changes. A sync has nothing
//! to do.
//! Refuses: whatever would write.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::real::relative;
use super::{Disk, DiskFile, DiskLock};

/// A directory of the operating system that nobody writes to by this.
#[derive(Debug)]
pub(crate) struct ReadOnlyDisk {
    root: PathBuf,
}

impl ReadOnlyDisk {
    /// An error of kind `NotADirectory` means that something else has its name.
    pub(crate) fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        if fs::metadata(&root)?.is_dir() {
            return Ok(Self { root });
        }
        Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is not a directory", root.display()),
        ))
    }

    /// Opens a file, or the one that a link leads to. Whatever else is there
    /// is not touched: to open a pipe is to wait for who writes to it.
    fn file(&self, path: &Path) -> io::Result<File> {
        let path = self.root.join(relative(path)?);
        fs::symlink_metadata(&path)?;
        let leads_nowhere = |error: &io::Error| {
            error.kind() == io::ErrorKind::NotFound
                || Errno::from_io_error(error) == Some(Errno::LOOP)
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => File::open(path),
            Err(error) if !leads_nowhere(&error) => Err(error),
            _ => Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "what has its name is no file",
            )),
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(
        io::ErrorKind::ReadOnlyFilesystem,
        "this directory is only read",
    )
}

impl Disk for ReadOnlyDisk {
    fn root(&self) -> &Path {
        &self.root
    }

    /// Of a lock that is not there, or that nobody can open, nobody can hold
    /// anything.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        // Whatever else it is, somebody may hold it.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open(self.root.join(relative(path)?), flags, Mode::empty());
        let file = match opened {
            Ok(file) => Some(File::from(file)),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => None,
            Err(error) => return Err(error.into()),
        };
        match file.as_ref().map_or(Ok(()), File::try_lock) {
            Ok(()) => Ok(Box::new(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(relative(path)?))? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, _: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Err(refused())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.file(path)?;
        Ok(Arc::new(ReadOnlyFile { file }))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> u64 {
        0
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// Closing the file releases the lock of the operating system.
#[derive(Debug)]
struct Lock {
    _file: Option<File>,
}

impl DiskLock for Lock {}

#[derive(Debug)]
struct ReadOnlyFile {
    file: File,
}

impl DiskFile for ReadOnlyFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(refused())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_length(&self, _: u64) -> io::Result<()> {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::super::RealDisk;
    use super::*;

    #[test]
    fn what_would_write_is_refused_and_leaves_all_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = Path::new("file");
        fs::write(directory.path().join(path), b"kept").unwrap();
        let disk = ReadOnlyDisk::open(directory.path()).unwrap();
        let file = disk.open(path).unwrap();
        let outcomes = [
            disk.create_directory(Path::new("new")),
            disk.create(Path::new("new")).map(drop),
            disk.rename(path, Path::new("new")),
            disk.remove(path),
            file.write_all_at(b"gone", 0),
            file.set_length(0),
        ];
        for outcome in outcomes {
            assert_eq!(
                outcome.unwrap_err().kind(),
                io::ErrorKind::ReadOnlyFilesystem
            );
        }
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"kept");
        assert_eq!(disk.list(Path::new("")).unwrap(), ["file"]);
    }

    #[test]
    fn a_lock_that_somebody_holds_is_found_held_and_none_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = Path::new("LOCK");
        let disk = ReadOnlyDisk::open(directory.path()).unwrap();
        disk.lock(path).unwrap();
        assert!(!directory.path().join(path).exists());
        let held = RealDisk::open(directory.path())
            .unwrap()
            .lock(path)
            .unwrap();
        let error = disk.lock(path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        disk.lock(path).unwrap();
    }
}
