//! An index that catches up may be used after a crash in the middle: groups
//! of hints are there before the rows that name them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::{Circumstances, catch_up};
use super::open;
use crate::format::identity::Timestamp;
use crate::index::{HintGroup, Index, hint_of};
use crate::{Expiry, SimulatedDisk};

/// Rows of sessions whose hints are in no group, of those that there are.
fn unhinted(index: &Index) -> usize {
    // In this order: what is put between the two is a group too many.
    let rows = index.sessions_after(None, usize::MAX).unwrap();
    let all = Timestamp(u64::MAX);
    let (groups, _) = index.due_groups(None, all, usize::MAX).unwrap();
    let hints: HashSet<_> = groups.iter().flat_map(HintGroup::hints).collect();
    let named = rows
        .iter()
        .filter_map(|(digest, row)| hint_of(*digest, row));
    named.filter(|hint| !hints.contains(hint)).count()
}

#[test]
fn an_index_that_catches_up_has_groups_before_rows() {
    let disk = SimulatedDisk::new(1).unwrap();
    let db = open(&disk);
    for number in 0..1000 {
        let session = db.create_session();
        let idle = Duration::from_secs(3600 + number % 7);
        session.set_expiry(Expiry::Idle(idle)).unwrap();
        session.set("a", &1).unwrap();
    }
    db.checkpoint().unwrap();
    let engine = db.engine();
    let footers = engine.segments.scan(&mut |_, _| {}).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(directory.path(), 1 << 20).unwrap();
    let circumstances = Circumstances {
        timeouts: engine.options.timeouts,
        now: engine.now(),
    };
    let is_over = AtomicBool::new(false);
    let missing = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut missing = 0;
            while !is_over.load(Ordering::Relaxed) {
                missing += unhinted(&index);
            }
            missing
        });
        for (_, footer) in &footers {
            catch_up(&index, &engine.segments, footer, circumstances).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert_eq!(missing, 0);
    assert_eq!(index.sessions_after(None, 2000).unwrap().len(), 1000);
    assert_eq!(unhinted(&index), 0);
}
