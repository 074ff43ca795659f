//! The names of files and directories, and which of them a crash may take.
//!
//! Owns: the names as they are seen, the names on the platter, and the log of
//! changes between the two.
//! Promises: a rename is atomic, and a change reaches the platter only after
//! every earlier change of the same name.
//! Refuses: names whose directory does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::contents::{Contents, Inode};

#[derive(Debug, Clone)]
pub(super) enum Node {
    Directory,
    File(Arc<Inode>),
}

pub(super) type NodeMap = BTreeMap<PathBuf, Node>;

/// One unsynced creation (adds), removal (removes) or rename (both).
#[derive(Debug, Clone)]
pub(super) struct NameChange {
    /// Its place in the order of all operations of the disk.
    pub(super) sequence: u64,
    /// The directory whose sync makes it durable; of a rename, the one of the
    /// new name.
    directory: PathBuf,
    removed: Option<PathBuf>,
    added: Option<(PathBuf, Node)>,
}

impl NameChange {
    fn names(&self) -> impl Iterator<Item = &Path> {
        let added = self.added.as_ref().map(|(path, _)| path.as_path());
        self.removed.as_deref().into_iter().chain(added)
    }

    pub(super) fn added_file(&self) -> Option<&Arc<Inode>> {
        match &self.added {
            Some((_, Node::File(inode))) => Some(inode),
            _ => None,
        }
    }

    pub(super) fn apply(&self, names: &mut NodeMap) {
        if let Some(path) = &self.removed
            && let Some(Node::Directory) = names.remove(path)
        {
            // What is still in it on the platter is gone with it.
            names.retain(|name, _| !name.starts_with(path));
        }
        if let Some((path, node)) = &self.added {
            names.insert(path.clone(), node.clone());
        }
    }
}

/// Which changes are picked, where a picked change brings along every earlier
/// one of the same names, and of names below them. Without that a rename could
/// survive the creation it builds on, and a file be gone under both its names,
/// or one of a directory that was removed be in another one of its name.
pub(super) fn picked(
    changes: &[NameChange],
    mut pick: impl FnMut(&NameChange) -> bool,
) -> Vec<bool> {
    let mut touched = BTreeSet::new();
    let mut marks: Vec<bool> = changes
        .iter()
        .rev()
        .map(|change| {
            let is_touched = |name: &Path| name.ancestors().any(|above| touched.contains(above));
            let chosen = pick(change) || change.names().any(is_touched);
            if chosen {
                touched.extend(change.names());
            }
            chosen
        })
        .collect();
    marks.reverse();
    marks
}

#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) current: NodeMap,
    pub(super) durable: NodeMap,
    pub(super) pending: Vec<NameChange>,
}

impl Names {
    /// Names that are all on the platter.
    pub(super) fn durable(names: NodeMap) -> Self {
        Self {
            current: names.clone(),
            durable: names,
            pending: Vec::new(),
        }
    }

    /// The same names of copies of the files, with all that awaits a sync.
    pub(super) fn twin(&self) -> Self {
        let mut copies: BTreeMap<*const Inode, Arc<Inode>> = BTreeMap::new();
        let mut twin = |node: &Node| match node {
            Node::Directory => Node::Directory,
            Node::File(inode) => {
                let copy = copies.entry(Arc::as_ptr(inode));
                let copy = copy.or_insert_with(|| {
                    let contents = inode.contents.lock().clone();
                    Arc::new(Inode::new(contents))
                });
                Node::File(Arc::clone(copy))
            }
        };
        let mut twins = |names: &NodeMap| -> NodeMap {
            let names = names.iter();
            names
                .map(|(path, node)| (path.clone(), twin(node)))
                .collect()
        };
        let (current, durable) = (twins(&self.current), twins(&self.durable));
        let pending = self.pending.iter().map(|change| {
            let added = change.added.as_ref();
            NameChange {
                added: added.map(|(path, node)| (path.clone(), twin(node))),
                ..change.clone()
            }
        });
        Self {
            pending: pending.collect(),
            current,
            durable,
        }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<Arc<Inode>> {
        match self.current.get(path) {
            Some(Node::File(inode)) => Ok(Arc::clone(inode)),
            Some(Node::Directory) => Err(named(io::ErrorKind::IsADirectory, path)),
            None if path.as_os_str().is_empty() => Err(named(io::ErrorKind::IsADirectory, path)),
            None => Err(named(io::ErrorKind::NotFound, path)),
        }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &Arc<Inode>)> {
        self.current.iter().filter_map(|(path, node)| match node {
            Node::File(inode) => Some((path.as_path(), inode)),
            Node::Directory => None,
        })
    }

    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.current.iter().filter_map(|(path, node)| match node {
            Node::Directory => Some(path.as_path()),
            Node::File(_) => None,
        })
    }

    pub(super) fn check_directory(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        match self.current.get(path) {
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(named(io::ErrorKind::NotADirectory, path)),
            None => Err(named(io::ErrorKind::NotFound, path)),
        }
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.check_directory(directory)?;
        let names = self
            .files()
            .filter(|(path, _)| path.parent() == Some(directory))
            .filter_map(|(path, _)| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    pub(super) fn create(&mut self, path: &Path, sequence: u64) -> io::Result<Arc<Inode>> {
        self.check_directory(directory_of(path))?;
        if path.as_os_str().is_empty() || self.current.contains_key(path) {
            return Err(named(io::ErrorKind::AlreadyExists, path));
        }
        let inode = Arc::new(Inode::new(Contents::durable(path.to_owned(), Vec::new())));
        let node = Node::File(Arc::clone(&inode));
        self.change(sequence, None, Some((path.to_owned(), node)));
        Ok(inode)
    }

    pub(super) fn create_directory(&mut self, path: &Path, sequence: u64) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        self.check_directory(directory_of(path))?;
        match self.current.get(path) {
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(named(io::ErrorKind::AlreadyExists, path)),
            None => {
                self.change(sequence, None, Some((path.to_owned(), Node::Directory)));
                Ok(())
            }
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, sequence: u64) -> io::Result<()> {
        let inode = self.file(from)?;
        self.check_directory(directory_of(to))?;
        if to.as_os_str().is_empty() || matches!(self.current.get(to), Some(Node::Directory)) {
            return Err(named(io::ErrorKind::IsADirectory, to));
        }
        if from == to {
            return Ok(());
        }
        to.clone_into(&mut inode.contents.lock().path);
        let added = (to.to_owned(), Node::File(inode));
        self.change(sequence, Some(from.to_owned()), Some(added));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path, sequence: u64) -> io::Result<()> {
        self.file(path)?;
        self.change(sequence, Some(path.to_owned()), None);
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, path: &Path, sequence: u64) -> io::Result<()> {
        self.check_directory(path)?;
        if path.as_os_str().is_empty() {
            return Err(named(io::ErrorKind::ResourceBusy, path));
        }
        if self.current.keys().any(|name| name.parent() == Some(path)) {
            return Err(named(io::ErrorKind::DirectoryNotEmpty, path));
        }
        self.change(sequence, Some(path.to_owned()), None);
        Ok(())
    }

    fn change(&mut self, sequence: u64, removed: Option<PathBuf>, added: Option<(PathBuf, Node)>) {
        let name = added.as_ref().map(|(path, _)| path.as_path());
        let directory = directory_of(name.or(removed.as_deref()).unwrap_or(Path::new("")));
        let change = NameChange {
            sequence,
            directory: directory.to_owned(),
            removed,
            added,
        };
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    /// Brings the changes of one directory up to this place in the order of
    /// operations to the platter.
    pub(super) fn sync(&mut self, directory: &Path, sequence: u64) -> io::Result<()> {
        self.check_directory(directory)?;
        self.settle(|change| change.directory == directory && change.sequence <= sequence);
        Ok(())
    }

    fn settle(&mut self, pick: impl FnMut(&NameChange) -> bool) {
        let marks = picked(&self.pending, pick);
        let pending = std::mem::take(&mut self.pending);
        for (change, settled) in pending.into_iter().zip(marks) {
            if settled {
                change.apply(&mut self.durable);
            } else {
                self.pending.push(change);
            }
        }
    }

    /// Puts a file, and the directories above it, under its name at once and
    /// durably. An existing file keeps its handles.
    pub(super) fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let inode = match self.current.get(path) {
            Some(Node::File(inode)) => Arc::clone(inode),
            Some(Node::Directory) => return Err(named(io::ErrorKind::IsADirectory, path)),
            None => Arc::default(),
        };
        *inode.contents.lock() = Contents::durable(path.to_owned(), bytes.to_vec());
        let parents = path.ancestors().skip(1);
        for parent in parents.filter(|parent| !parent.as_os_str().is_empty()) {
            self.place(parent, Node::Directory);
        }
        self.place(path, Node::File(inode));
        Ok(())
    }

    fn place(&mut self, path: &Path, node: Node) {
        self.settle(|change| change.names().any(|name| name == path));
        self.current.insert(path.to_owned(), node.clone());
        self.durable.insert(path.to_owned(), node);
    }

    /// Takes a name away at once and durably.
    pub(super) fn take(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.settle(|change| change.names().any(|name| name == path));
        self.current.remove(path);
        self.durable.remove(path);
        Ok(())
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn named(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{kind}: {}", path.display()))
}
