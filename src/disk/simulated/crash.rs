//! What a crash leaves.
//!
//! Owns: the choice, from a seed, of the unsynced changes that survive.
//! Promises: what was synced survives every crash; the same seed and the same
//! history of operations give the same survivors.
//! Refuses: to tear a sector that was not being written.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::contents::{Change, Contents, Inode};
use super::names::{Names, Node, NodeMap, picked};

const SECTOR: usize = 512;

/// Which unsynced operations survive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crash {
    /// Only what was synced.
    KeepNothing,
    /// Everything, as if the process had been killed and the machine had not.
    KeepAll,
    /// From this seed: each unsynced sector on its own, some torn; lengths,
    /// allocations, creations, renames and removals each or not.
    Random(u64),
    /// From this seed: the first so many unsynced operations in the order they
    /// were made, across all files, the last one torn at a sector.
    Prefix(u64),
}

/// What becomes of the index directory in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexFate {
    /// The new disk has a copy.
    Kept,
    /// The new disk has an empty one.
    Lost,
}

/// The generator splitmix64.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(disk_seed: u64, crash_seed: u64) -> Self {
        let mut random = Self(crash_seed);
        let mixed = random.next();
        Self(disk_seed ^ mixed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From zero to `limit`, both included.
    fn up_to(&mut self, limit: usize) -> usize {
        let drawn = self.next() % (limit as u64).saturating_add(1);
        usize::try_from(drawn).unwrap_or(limit)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// The names that survive and the bytes behind them, all on the platter.
pub(super) fn surviving(names: &Names, how: Crash, disk_seed: u64) -> Names {
    let nothing = Cut {
        limit: 0,
        torn: None,
    };
    let everything = Cut {
        limit: u64::MAX,
        torn: None,
    };
    match how {
        Crash::KeepNothing => nothing.surviving(names),
        Crash::KeepAll => everything.surviving(names),
        Crash::Prefix(seed) => Cut::random(names, Random::new(disk_seed, seed)).surviving(names),
        Crash::Random(seed) => {
            let mut random = Random::new(disk_seed, seed);
            let marks = picked(&names.pending, |_| random.coin());
            let survivors = surviving_names(names, &marks);
            rebuild(survivors, |contents| {
                let keeps_space = contents.unsynced_claim().is_some() && random.coin();
                (scattered(contents, &mut random), keeps_space)
            })
        }
    }
}

/// A point in the order of all operations: what is up to it survives.
struct Cut {
    limit: u64,
    /// Set where the operation at the limit is torn.
    torn: Option<Random>,
}

impl Cut {
    fn random(names: &Names, mut random: Random) -> Self {
        let sequences = unsynced_sequences(names);
        let survivors = random.up_to(sequences.len());
        let limit = survivors
            .checked_sub(1)
            .and_then(|last| sequences.get(last).copied())
            .unwrap_or(0);
        Self {
            limit,
            torn: Some(random),
        }
    }

    fn surviving(mut self, names: &Names) -> Names {
        let marks: Vec<bool> = names
            .pending
            .iter()
            .map(|change| change.sequence <= self.limit)
            .collect();
        let survivors = surviving_names(names, &marks);
        let limit = self.limit;
        rebuild(survivors, |contents| {
            let claim = contents.unsynced_claim();
            let keeps_space = claim.is_some_and(|sequence| sequence <= limit);
            (self.content(contents), keeps_space)
        })
    }

    fn content(&mut self, contents: &Contents) -> Vec<u8> {
        let mut content = contents.synced.clone();
        for change in &contents.log {
            if change.sequence > self.limit {
                break;
            }
            match &mut self.torn {
                Some(random) if change.sequence == self.limit && !change.bytes.is_empty() => {
                    tear(change, &mut content, random);
                }
                _ => change.apply(&mut content),
            }
        }
        content
    }
}

/// Makes a change up to the boundary of a sector, or all of it.
fn tear(change: &Change, content: &mut Vec<u8>, random: &mut Random) {
    let kept = random.up_to(change.bytes.len());
    if kept == change.bytes.len() {
        change.apply(content);
    } else {
        let boundary = (change.offset + kept) / SECTOR * SECTOR;
        let kept = boundary.saturating_sub(change.offset);
        if kept > 0 {
            change.apply_torn(content, kept);
        }
    }
}

/// The places of all unsynced operations in the order of operations.
fn unsynced_sequences(names: &Names) -> Vec<u64> {
    let durable = names.durable.values().filter_map(|node| match node {
        Node::File(inode) => Some(inode),
        Node::Directory => None,
    });
    let pending = names
        .pending
        .iter()
        .filter_map(|change| change.added_file());
    let mut sequences: BTreeSet<u64> = names.pending.iter().map(|change| change.sequence).collect();
    for inode in durable.chain(pending) {
        let contents = inode.contents.lock();
        sequences.extend(contents.log.iter().map(|change| change.sequence));
        sequences.extend(contents.unsynced_claim());
    }
    sequences.into_iter().collect()
}

/// The names on the platter after the marked changes, without those whose
/// directory is gone.
fn surviving_names(names: &Names, marks: &[bool]) -> NodeMap {
    let mut survivors = names.durable.clone();
    for (change, _) in names.pending.iter().zip(marks).filter(|(_, mark)| **mark) {
        change.apply(&mut survivors);
    }
    let mut directories = BTreeSet::from([PathBuf::new()]);
    // A directory sorts before what is in it.
    survivors.retain(|path, node| {
        let reachable = path
            .parent()
            .is_some_and(|parent| directories.contains(parent));
        if reachable && matches!(node, Node::Directory) {
            directories.insert(path.clone());
        }
        reachable
    });
    survivors
}

/// New files with the bytes that survive, as the old ones may still be open,
/// and with the space that was allocated or without it.
fn rebuild(names: NodeMap, mut content: impl FnMut(&Contents) -> (Vec<u8>, bool)) -> Names {
    let rebuilt = names.into_iter().map(|(path, node)| match node {
        Node::Directory => (path, Node::Directory),
        Node::File(inode) => {
            let contents = inode.contents.lock();
            let (bytes, keeps_space) = content(&contents);
            let survivor = contents.survivor(path.clone(), bytes, keeps_space);
            let inode = Inode::new(survivor);
            (path, Node::File(Arc::new(inode)))
        }
    });
    Names::durable(rebuilt.collect())
}

/// The bytes after each unsynced sector survived or did not.
fn scattered(contents: &Contents, random: &mut Random) -> Vec<u8> {
    let mut content = contents.synced.clone();
    if contents.log.is_empty() {
        return content;
    }
    let changes = contents.log.len();
    let lengths = match random.up_to(3) {
        0 => 0,
        1 => random.up_to(changes),
        _ => changes,
    };
    for change in contents.log.iter().take(lengths) {
        content.resize(change.length, 0);
    }
    let newest = replayed(contents, changes);
    // A sector written twice may have reached the platter in between.
    let between = replayed(contents, random.up_to(changes));
    let fate = Fate::draw(random);
    for sector in unsynced_sectors(contents) {
        match fate.of_a_sector(random) {
            0..=2 => {}
            3..=5 => copy_sector(&mut content, &newest, sector, SECTOR),
            6 => copy_sector(&mut content, &between, sector, SECTOR),
            _ => copy_sector(&mut content, &newest, sector, random.up_to(SECTOR)),
        }
    }
    content
}

/// How the sectors of one file fare. Of many that fare each for itself, never
/// are all but one kept, nor all of one file and none of another.
#[derive(Debug, Clone, Copy)]
enum Fate {
    EachItsOwn,
    /// Nearly all are kept.
    FewHarmed,
    NoneHarmed,
    AllLost,
}

impl Fate {
    fn draw(random: &mut Random) -> Self {
        match random.up_to(7) {
            0 => Self::NoneHarmed,
            1 => Self::FewHarmed,
            2 => Self::AllLost,
            _ => Self::EachItsOwn,
        }
    }

    /// Below 3 it is lost, below 6 kept; beyond that it is something between.
    fn of_a_sector(self, random: &mut Random) -> usize {
        match self {
            Self::AllLost => 0,
            Self::NoneHarmed => 3,
            Self::FewHarmed if random.up_to(15) > 0 => 3,
            Self::FewHarmed | Self::EachItsOwn => random.up_to(7),
        }
    }
}

fn replayed(contents: &Contents, changes: usize) -> Vec<u8> {
    let mut content = contents.synced.clone();
    for change in contents.log.iter().take(changes) {
        change.apply(&mut content);
    }
    content
}

fn unsynced_sectors(contents: &Contents) -> BTreeSet<usize> {
    let written = contents
        .log
        .iter()
        .filter(|change| !change.bytes.is_empty());
    written
        .flat_map(|change| {
            let end = change.offset + change.bytes.len();
            change.offset / SECTOR..end.div_ceil(SECTOR)
        })
        .collect()
}

/// Copies the first `kept` bytes of a sector, as far as both sides have it.
fn copy_sector(content: &mut [u8], source: &[u8], sector: usize, kept: usize) {
    let start = sector * SECTOR;
    let end = (start + kept).min(content.len()).min(source.len());
    if let (Some(target), Some(bytes)) = (content.get_mut(start..end), source.get(start..end)) {
        target.copy_from_slice(bytes);
    }
}
