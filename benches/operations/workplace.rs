//! Where the databases of a run are made, and removed at its end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::arguments::{Arguments, Length};

/// Cargo's target directory: on the file system of the checkout.
pub(crate) fn target() -> PathBuf {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    temporary.parent().unwrap_or(temporary).to_path_buf()
}

/// A directory of the run's own.
pub(crate) struct Workplace {
    pub(crate) root: PathBuf,
    pub(crate) length: Length,
}

impl Workplace {
    pub(crate) fn new(arguments: &Arguments) -> Outcome<Self> {
        let parent = arguments
            .directory
            .clone()
            .unwrap_or_else(|| target().join("bench"));
        let root = parent.join(format!("data-{}", std::process::id()));
        fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        let root = root.canonicalize()?;
        Ok(Self {
            root,
            length: arguments.length,
        })
    }

    /// Where a measurement puts its database; not created yet.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            eprintln!("{} stays behind: {error}", self.root.display());
        }
    }
}
