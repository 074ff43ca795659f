//! Journals to damage: a first file, one with a successor, a recycled one.

use sessiondb::{Crash, Database, Error, SimulatedDisk};

use crate::history::{History, Writer, is_clear_refusal};
use crate::layout::{self, Frame};
use crate::support::{Snapshot, cut, discard, disk, journal_files, open};

/// A journal, the file to damage and what was committed.
pub(crate) struct Scene {
    snapshot: Snapshot,
    pub(crate) file: String,
    pub(crate) history: History,
    /// Up to this sequence a later file declares everything synced.
    pub(crate) declared_later: u64,
}

/// What has to come of a damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Refusal,
    /// After so many transactions.
    Place(usize),
}

impl Scene {
    fn of(disk: &SimulatedDisk, file: &str, history: History) -> Self {
        Self {
            snapshot: Snapshot::of(disk),
            file: file.to_owned(),
            history,
            declared_later: 0,
        }
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.snapshot.file(&self.file)
    }

    /// The same with another file to damage.
    pub(crate) fn at(&self, file: &str) -> Self {
        Self {
            snapshot: self.snapshot.clone(),
            file: file.to_owned(),
            history: self.history.clone(),
            declared_later: 0,
        }
    }

    /// The other files of the journal that hold something.
    pub(crate) fn others(&self) -> Vec<Self> {
        let files = journal_files(&self.snapshot.with("", &[])).into_iter();
        files
            .filter(|file| *file != self.file)
            .map(|file| self.at(&file))
            .filter(|scene| scene.bytes().iter().any(|byte| *byte != 0))
            .collect()
    }

    /// What an opening finds with these bytes in the file's place.
    pub(crate) fn open_with(&self, bytes: &[u8], context: &str) -> Result<usize, Error> {
        let disk = self.snapshot.with(&self.file, bytes);
        let database = open(&disk)?;
        let place = self.history.place(&database, context);
        discard(&disk, database);
        Ok(place)
    }

    /// Opens with these bytes, and compares.
    pub(crate) fn check(&self, bytes: &[u8], damage: &str, expected: Expected) {
        let context = format!("{} {damage}", self.file);
        let outcome = self.open_with(bytes, &context);
        let as_expected = match (&outcome, expected) {
            (Err(error), Expected::Refusal) => is_clear_refusal(error),
            (Ok(found), Expected::Place(place)) => *found == place,
            _ => false,
        };
        assert!(
            as_expected,
            "{context}: {outcome:?} instead of {expected:?}"
        );
    }

    /// The frames of the file and, for damage to each, what has to come of it.
    pub(crate) fn frames(&self) -> Vec<(Frame, Expected)> {
        let frames = layout::frames(self.bytes());
        let all = self.history.len();
        let expected = frames.iter().enumerate().map(|(index, frame)| {
            let later = frames.get(index + 1..).unwrap_or_default();
            let declared = later.iter().map(|later| later.synced_through).max();
            if declared.unwrap_or(0).max(self.declared_later) >= frame.sequence {
                return Expected::Refusal;
            }
            let lost = later.iter().chain([frame]);
            Expected::Place(all - lost.filter(|frame| frame.is_transaction).count())
        });
        let expected: Vec<Expected> = expected.collect();
        frames.into_iter().zip(expected).collect()
    }

    /// After which transaction the database is without the frames from
    /// `length` on.
    pub(crate) fn place_before(&self, length: usize) -> usize {
        let lost = layout::frames(self.bytes())
            .into_iter()
            .filter(|frame| frame.is_transaction && frame.bytes.end > length);
        self.history.len() - lost.count()
    }
}

fn begin(seed: u64) -> (SimulatedDisk, Database, Writer) {
    let disk = disk(seed);
    let database = open(&disk).unwrap();
    let writer = Writer::new(&database);
    (disk, database, writer)
}

/// A first file, every transaction synced before the next.
pub(crate) fn first_file() -> Scene {
    let (disk, database, mut writer) = begin(1);
    writer.steps(13);
    let survivor = cut(&disk, database, Crash::KeepNothing);
    Scene::of(&survivor, "journal/000001.log", writer.history)
}

/// The same, and a second file that an opening began and nobody wrote to:
/// only its header says what was synced.
pub(crate) fn file_before_an_opening() -> Scene {
    let (disk, database, mut writer) = begin(2);
    writer.steps(7);
    let survivor = cut(&disk, database, Crash::KeepNothing);
    let again = open(&survivor).unwrap();
    let survivor = cut(&survivor, again, Crash::KeepNothing);
    let mut scene = Scene::of(&survivor, "journal/000001.log", writer.history);
    scene.declared_later = u64::MAX;
    scene
}

/// A file that was full, became unnecessary and was used again: behind its
/// frames lie old ones.
pub(crate) fn recycled_file() -> Scene {
    let (disk, database, mut writer) = begin(3);
    for _ in 0..20 {
        // One frame that nearly fills a file, and small ones until the next
        // file is begun.
        writer.step(60_000).unwrap();
        let filled = newest(&disk);
        while newest(&disk) == filled {
            writer.steps(1);
        }
        let bytes = disk.read_file(&newest(&disk)).unwrap();
        let stale = bytes.get(layout::end(&bytes)..).unwrap();
        if stale.iter().any(|byte| *byte != 0) {
            writer.steps(7);
            let file = newest(&disk);
            let survivor = cut(&disk, database, Crash::KeepNothing);
            return Scene::of(&survivor, &file, writer.history);
        }
        database.checkpoint().unwrap();
    }
    panic!("no file was used again");
}

/// The file with the newest frame.
pub(crate) fn newest(disk: &SimulatedDisk) -> String {
    let newest = journal_files(disk).into_iter().max_by_key(|file| {
        // One that waits to be used again may have got another name meanwhile.
        let bytes = disk.read_file(file)?;
        layout::frames(&bytes).last().map(|frame| frame.sequence)
    });
    newest.unwrap()
}
