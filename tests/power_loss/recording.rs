//! What was asked of the operating system in one directory, in its order.

use std::path::PathBuf;

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
    pub(crate) fn begin(&mut self, action: Action) -> usize {
        let number = self.actions.len();
        self.actions.push(action);
        self.moments.push(Moment::Began(number));
        number
    }
}
