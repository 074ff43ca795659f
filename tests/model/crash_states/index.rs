//! The files of the index at a moment. sled writes them by itself, and syncs
//! them as it likes: what a power cut leaves of them is anything.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const BLOCK: usize = 4096;

/// Every file with its bytes, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct IndexFiles(Vec<(PathBuf, Vec<u8>)>);

/// What is left of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Left {
    /// All that was written.
    All,
    Nothing,
    /// What was there at an earlier moment.
    Stale,
    /// Some blocks as they were at an earlier moment, by this seed.
    Torn(u64),
}

impl Left {
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Self {
        match random.u32(..20) {
            0..=10 => Self::All,
            11..=13 => Self::Nothing,
            14..=16 => Self::Stale,
            _ => Self::Torn(random.u64(..)),
        }
    }
}

impl IndexFiles {
    /// What is under a directory. A file that goes away meanwhile is none.
    pub(crate) fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        collect(root, Path::new(""), &mut files);
        files.sort_unstable();
        Self(files)
    }

    pub(crate) fn write(&self, root: &Path) -> io::Result<()> {
        for (path, bytes) in &self.0 {
            let path = root.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    /// What may be left when the power goes off.
    pub(crate) fn left(&self, earlier: &Self, left: Left) -> Self {
        match left {
            Left::All => self.clone(),
            Left::Nothing => Self::default(),
            Left::Stale => earlier.clone(),
            Left::Torn(seed) => self.torn(earlier, seed),
        }
    }

    fn torn(&self, earlier: &Self, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut torn = self.clone();
        for (path, bytes) in &mut torn.0 {
            let before = earlier.0.iter().find(|(earlier, _)| earlier == path);
            let before = before.map_or(&[][..], |(_, bytes)| bytes);
            for (place, block) in bytes.chunks_mut(BLOCK).enumerate() {
                if random.u32(..4) == 0 {
                    let old = before.get(place * BLOCK..).unwrap_or_default();
                    let kept = old.len().min(block.len());
                    block[..kept].copy_from_slice(&old[..kept]);
                    block[kept..].fill(0);
                }
            }
        }
        torn
    }
}

fn collect(root: &Path, under: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let entries = fs::read_dir(root.join(under)).into_iter().flatten();
    for entry in entries.flatten() {
        let path = under.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(root, &path, files),
            _ => {
                if let Ok(bytes) = fs::read(root.join(&path)) {
                    files.push((path, bytes));
                }
            }
        }
    }
}
