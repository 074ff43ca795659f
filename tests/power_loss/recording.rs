//! What was asked of the operating system in one directory, in its order.

use std::path::{Path, PathBuf};

/// One call. Paths are relative to the directory; an opened file is known by
/// the number of its opening, whatever name it has later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Open {
        opening: usize,
        path: PathBuf,
        creates: bool,
        truncates: bool,
    },
    Write {
        opening: usize,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLength {
        opening: usize,
        length: u64,
    },
    Allocate {
        opening: usize,
        length: u64,
    },
    /// Of a file or a directory.
    Sync {
        opening: usize,
    },
    MakeDirectory(PathBuf),
    RemoveDirectory(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove(PathBuf),
}

impl Action {
    /// Whether a file that is none of an index gets another name by it, or its
    /// first or none.
    pub(crate) fn changes_a_name(&self) -> bool {
        let (Self::Open {
            path,
            creates: true,
            ..
        }
        | Self::Rename { to: path, .. }
        | Self::MakeDirectory(path)
        | Self::RemoveDirectory(path)
        | Self::Remove(path)) = self
        else {
            return false;
        };
        !is_in_an_index(path)
    }

    pub(crate) fn changes_something(&self) -> bool {
        !matches!(self, Self::Open { .. } | Self::Sync { .. })
    }
}

pub(crate) fn is_in_an_index(path: &Path) -> bool {
    path.to_string_lossy().starts_with("index-")
}

/// A point in time at which one thing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Moment {
    /// From here on it may be on the disk.
    Began(usize),
    Ended(usize),
    /// It came to nothing.
    Failed(usize),
    /// The child said something.
    Said(String),
}

#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) actions: Vec<Action>,
    pub(crate) moments: Vec<Moment>,
    /// How many files and directories were opened.
    pub(crate) openings: usize,
}

impl Recording {
    /// Where the name of a file has just been changed.
    pub(crate) fn changes_of_names(&self) -> Vec<usize> {
        let moments = self.moments.iter().enumerate();
        let changes = moments.filter(|(_, moment)| {
            matches!(moment, Moment::Ended(action) if self.actions[*action].changes_a_name())
        });
        changes.map(|(at, _)| at).collect()
    }

    pub(crate) fn begin(&mut self, action: Action) -> usize {
        let number = self.actions.len();
        self.actions.push(action);
        self.moments.push(Moment::Began(number));
        number
    }
}
