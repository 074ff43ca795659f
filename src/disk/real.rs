//! The file system of the operating system.
//!
//! Owns: the root directory, and the modes of what is created under it.
//! Promises: directories are 0700 and files 0600 from the moment they exist;
//! a root that was created here has been synced into its parent.
//! Refuses: paths that would leave the root.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::{Disk, DiskFile, DiskLock};

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The path without `.` components; an error where it would leave the root.
pub(super) fn relative(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("the path {} leaves the root", path.display()),
                ));
            }
        }
    }
    Ok(clean)
}

/// A directory of the operating system.
#[derive(Debug)]
pub(crate) struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Creates the root where it is absent. An error of kind `NotADirectory`
    /// means that something else has its name.
    pub(crate) fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("{} is not a directory", root.display()),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_root(&root)?,
            Err(error) => return Err(error),
        }
        Ok(Self { root })
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(self.root.join(relative(path)?))
    }
}

/// Creates the root and syncs the parents that received a new name: the layers
/// above only know paths under the root, so nobody else can.
fn create_root(root: &Path) -> io::Result<()> {
    let mut parents = Vec::new();
    for parent in root.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        parents.push(parent);
        if parent.is_dir() {
            break;
        }
    }
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(root)?;
    for parent in parents {
        match sync_directory(parent) {
            // A parent may allow creating in it without allowing to read it.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Disk for RealDisk {
    fn root(&self) -> &Path {
        &self.root
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(self.resolve(path)?)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "somebody else holds the lock",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let path = self.resolve(path)?;
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.resolve(path)?)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            // The engine names its files in ASCII; any other name is not its own.
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.resolve(path)?)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.resolve(path)?)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.resolve(path)?)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        sync_directory(&self.resolve(path)?)
    }

    fn free_bytes(&self) -> u64 {
        rustix::fs::statvfs(&self.root).map_or(u64::MAX, |status| {
            status.f_bavail.saturating_mul(status.f_frsize)
        })
    }

    fn used_bytes(&self) -> u64 {
        taken_under(&self.root)
    }

    fn index_directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

/// What the files of a directory take, and of those below it. One that goes
/// away meanwhile takes nothing.
pub(super) fn taken_under(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let taken = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => taken_under(&entry.path()),
        // In the blocks of 512 bytes that the system counts in everywhere.
        Ok(metadata) => metadata.blocks().saturating_mul(512),
        Err(_) => 0,
    });
    taken.sum()
}

/// Closing the file releases the lock of the operating system.
#[derive(Debug)]
struct RealLock {
    _file: File,
}

impl DiskLock for RealLock {}

#[derive(Debug)]
struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let flags = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(&self.file, flags, 0, length) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.extend_with_zeros(length),
            outcome => Ok(outcome?),
        }
    }
}

impl RealFile {
    /// What every file system can do. What is there already was written once.
    fn extend_with_zeros(&self, length: u64) -> io::Result<()> {
        let zeros = vec![0; 1 << 16];
        let mut end = self.length()?;
        while end < length {
            let missing = usize::try_from(length - end).unwrap_or(usize::MAX);
            let piece = zeros.get(..missing).unwrap_or(&zeros);
            self.file.write_all_at(piece, end)?;
            end += piece.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn directories_are_0700_and_files_0600() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("outer/root");
        let disk = RealDisk::open(&root).unwrap();
        disk.create_directory(Path::new("journal")).unwrap();
        disk.create_directory(Path::new("journal")).unwrap();
        disk.create(Path::new("journal/1")).unwrap();
        let _lock = disk.lock(Path::new("lock")).unwrap();
        disk.sync_directory(Path::new("")).unwrap();
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&root.join("journal")), 0o700);
        assert_eq!(mode(&root.join("journal/1")), 0o600);
        assert_eq!(mode(&root.join("lock")), 0o600);
        assert_eq!(disk.list(Path::new("")).unwrap(), ["lock"]);
        assert_eq!(disk.list(Path::new("journal")).unwrap(), ["1"]);
        assert!(disk.free_bytes() > 0);
        let file = disk.open(Path::new("journal/1")).unwrap();
        file.allocate(100_000).unwrap();
        assert!((100_000..200_000).contains(&disk.used_bytes()));
    }

    #[test]
    fn a_held_lock_would_block_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let first = RealDisk::open(directory.path()).unwrap();
        let second = RealDisk::open(directory.path()).unwrap();
        let held = first.lock(Path::new("lock")).unwrap();
        let error = second.lock(Path::new("lock")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        second.lock(Path::new("lock")).unwrap();
    }

    #[test]
    fn a_file_as_root_is_not_a_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = RealDisk::open(file.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_path_that_leaves_the_root_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        for path in ["/etc/passwd", "../outside", "journal/../../outside"] {
            let error = disk.open(Path::new(path)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
    }

    #[test]
    fn allocated_space_is_taken_and_reads_as_zeros() {
        let directory = tempfile::tempdir().unwrap();
        let file = RealFile {
            file: tempfile::tempfile_in(directory.path()).unwrap(),
        };
        file.write_all_at(b"kept", 0).unwrap();
        for take in [
            RealFile::extend_with_zeros,
            <RealFile as DiskFile>::allocate,
        ] {
            take(&file, 200_000).unwrap();
            take(&file, 100).unwrap();
            assert_eq!(file.length().unwrap(), 200_000);
            assert!(file.file.metadata().unwrap().blocks() * 512 >= 200_000);
        }
        let mut bytes = vec![1; 200_000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes[..4], b"kept");
        assert!(bytes[4..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_written_at_an_offset_is_read_from_it() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        let file = disk.create(Path::new("a")).unwrap();
        assert_eq!(
            disk.create(Path::new("a")).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        file.write_all_at(b"hello", 3).unwrap();
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        let mut buffer = [0; 5];
        file.read_exact_at(&mut buffer, 3).unwrap();
        assert_eq!(&buffer, b"hello");
        let error = file.read_exact_at(&mut buffer, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        file.set_length(4).unwrap();
        assert_eq!(file.length().unwrap(), 4);
        disk.rename(Path::new("a"), Path::new("b")).unwrap();
        disk.remove(Path::new("b")).unwrap();
        assert!(disk.list(Path::new("")).unwrap().is_empty());
    }
}
