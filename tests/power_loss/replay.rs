//! A recording, done again on a simulated disk: what may be on it at any
//! moment of it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sessiondb::{Crash, Disk, DiskFile, IndexFate, SimulatedDisk};

use crate::recording::{Action, Moment, Recording, is_in_an_index};

const SECTOR: usize = 512;

/// Which syncs do nothing, by the path of what is synced and whether that is a
/// directory.
pub(crate) type Ignored = fn(&Path, bool) -> bool;

/// What a power cut may take or leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Nothing,
    /// Bytes, lengths, or names in an index, of which some always are.
    Others,
    /// Names of the database's own files, whatever else there is.
    Names,
}

/// What an opening is of.
#[derive(Debug)]
struct Opened {
    /// Where it is now, until it is removed.
    path: Option<PathBuf>,
    /// None of a directory.
    file: Option<Arc<dyn DiskFile>>,
}

pub(crate) struct Replay<'r> {
    recording: &'r Recording,
    ignored: Ignored,
    disk: SimulatedDisk,
    opened: HashMap<usize, Opened>,
    /// What has begun and not ended, and how many operations there had been.
    under_way: BTreeMap<usize, u64>,
    /// How many moments have passed.
    pub(crate) at: usize,
}

impl<'r> Replay<'r> {
    pub(crate) fn new(recording: &'r Recording, ignored: Ignored) -> Self {
        Self {
            recording,
            ignored,
            disk: SimulatedDisk::new(0).expect("a directory that stays empty"),
            opened: HashMap::new(),
            under_way: BTreeMap::new(),
            at: 0,
        }
    }

    /// Lets all pass up to this moment.
    pub(crate) fn pass_until(&mut self, at: usize) {
        while self.at < at {
            let recording = self.recording;
            match &recording.moments[self.at] {
                Moment::Began(action) => {
                    let operations = self.disk.operations();
                    self.under_way.insert(*action, operations);
                }
                Moment::Ended(number) => {
                    let begun = self.under_way.remove(number).expect("it has begun");
                    let action = &recording.actions[*number];
                    self.apply(action, begun)
                        .unwrap_or_else(|error| panic!("{error}: {action:?}"));
                }
                Moment::Failed(action) => {
                    self.under_way.remove(action);
                }
                Moment::Said(_) => {}
            }
            self.at += 1;
        }
    }

    /// What a power cut now may take or leave.
    pub(crate) fn unsynced(&self) -> Unsynced {
        let durable = self.disk.copy(Crash::KeepNothing, IndexFate::Lost);
        let durable = durable.expect("a copy");
        let actions = &self.recording.actions;
        let mut under_way = self.under_way.keys().map(|number| &actions[*number]);
        if under_way.clone().any(Action::changes_a_name) || names(&durable) != names(&self.disk) {
            Unsynced::Names
        } else if under_way.any(Action::changes_something)
            || self.disk.unsynced_bytes() > 0
            || durable.image_hash() != self.disk.image_hash()
        {
            Unsynced::Others
        } else {
            Unsynced::Nothing
        }
    }

    fn apply(&mut self, action: &Action, begun: u64) -> io::Result<()> {
        match action {
            Action::Open {
                opening,
                path,
                creates,
                truncates,
            } => {
                let file = match self.disk.open(path) {
                    Err(error) if error.kind() == io::ErrorKind::IsADirectory => None,
                    Err(error) if error.kind() == io::ErrorKind::NotFound && *creates => {
                        Some(self.disk.create(path)?)
                    }
                    opened => Some(opened?),
                };
                if let (true, Some(file)) = (truncates, &file) {
                    file.set_length(0)?;
                }
                let path = Some(path.clone());
                self.opened.insert(*opening, Opened { path, file });
                Ok(())
            }
            Action::Write {
                opening,
                offset,
                bytes,
            } => self.file(*opening).write_all_at(bytes, *offset),
            Action::SetLength { opening, length } => self.file(*opening).set_length(*length),
            Action::Allocate { opening, length } => self.file(*opening).allocate(*length),
            Action::Sync { opening } => self.sync(*opening, begun),
            Action::MakeDirectory(path) => self.disk.create_directory(path),
            Action::RemoveDirectory(path) => {
                self.forget(path);
                self.disk.remove_directory(&text(path))
            }
            Action::Rename { from, to } => {
                self.forget(to);
                self.move_to(from, Some(to));
                self.disk.rename(from, to)
            }
            Action::Remove(path) => {
                self.forget(path);
                self.disk.remove(path)
            }
        }
    }

    fn file(&self, opening: usize) -> &Arc<dyn DiskFile> {
        let opened = &self.opened[&opening];
        opened.file.as_ref().expect("no directory")
    }

    fn sync(&self, opening: usize, begun: u64) -> io::Result<()> {
        let opened = &self.opened[&opening];
        // A sync of what has no name any more has nothing to show.
        let Some(path) = &opened.path else {
            return Ok(());
        };
        if (self.ignored)(path, opened.file.is_none()) {
            return Ok(());
        }
        self.disk.sync_through(&text(path), begun)
    }

    fn forget(&mut self, path: &Path) {
        self.move_to(path, None);
    }

    fn move_to(&mut self, from: &Path, to: Option<&PathBuf>) {
        let opened = self.opened.values_mut();
        for opened in opened.filter(|opened| opened.path.as_deref() == Some(from)) {
            opened.path = to.cloned();
        }
    }

    /// What is there after a power cut now. What is under way may have come
    /// any part of its way.
    pub(crate) fn cut(&self, how: Crash) -> SimulatedDisk {
        let survivor = self.disk.copy(how, IndexFate::Lost).expect("a copy");
        let seed = match how {
            Crash::KeepNothing => return survivor,
            Crash::KeepAll => None,
            Crash::Random(seed) | Crash::Prefix(seed) => Some(seed),
        };
        let mut random = seed.map(fastrand::Rng::with_seed);
        for number in self.under_way.keys() {
            if random.as_mut().is_none_or(fastrand::Rng::bool) {
                // It builds on what may not have survived.
                let _ = self.reach(&survivor, &self.recording.actions[*number], &mut random);
            }
        }
        survivor
    }

    fn reach(
        &self,
        survivor: &SimulatedDisk,
        action: &Action,
        random: &mut Option<fastrand::Rng>,
    ) -> io::Result<()> {
        match action {
            Action::Write {
                opening,
                offset,
                bytes,
            } => {
                let kept = random.as_mut().map_or(bytes.len(), |random| {
                    let kept = random.usize(0..=bytes.len());
                    if kept < bytes.len() {
                        kept / SECTOR * SECTOR
                    } else {
                        kept
                    }
                });
                self.found(survivor, *opening)?
                    .write_all_at(&bytes[..kept], *offset)
            }
            Action::SetLength { opening, length } => {
                self.found(survivor, *opening)?.set_length(*length)
            }
            Action::Allocate { opening, length } => {
                self.found(survivor, *opening)?.allocate(*length)
            }
            Action::MakeDirectory(path) => survivor.create_directory(path),
            Action::RemoveDirectory(path) => survivor.remove_directory(&text(path)),
            Action::Rename { from, to } => survivor.rename(from, to),
            Action::Remove(path) => survivor.remove(path),
            Action::Open { .. } | Action::Sync { .. } => Ok(()),
        }
    }

    fn found(&self, survivor: &SimulatedDisk, opening: usize) -> io::Result<Arc<dyn DiskFile>> {
        match &self.opened[&opening].path {
            Some(path) => survivor.open(path),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The paths of the database's own files and directories.
fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.files();
    names.extend(disk.directories());
    names.retain(|name| !is_in_an_index(Path::new(name)));
    names
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
