//! It tells how far it is, and stops when it is told to.

use std::ops::ControlFlow;

use sessiondb::Phase;

use crate::support::{begun, files, prepared};

#[test]
fn progress_goes_up_to_its_total() {
    let (prepared, _) = prepared(8);
    let (_disk, db) = begun(&prepared);
    let mut told = Vec::new();
    let reclaimed = db.compact_with(|phase, done, total| {
        told.push((phase, done, total));
        ControlFlow::Continue(())
    });
    assert!(reclaimed.unwrap().freed_bytes > 0);
    for pair in told.windows(2) {
        let [(before, earlier, expected), (after, later, total)] = pair else {
            panic!("a pair");
        };
        assert!(later <= total, "{pair:?}");
        if before == after {
            assert!(earlier <= later && expected == total, "{pair:?}");
        }
    }
    let last = told.iter().rfind(|(phase, ..)| *phase == Phase::Compaction);
    let (_, done, total) = last.unwrap();
    assert!(done * 10 >= total * 8, "{done} of {total}");
}

/// After each of its steps.
#[test]
fn it_stops_when_it_is_told_to_and_goes_on_later() {
    let (prepared, model) = prepared(9);
    let mut stops = 0;
    for calls in 0.. {
        let (disk, db) = begun(&prepared);
        let mut left = calls;
        let reclaimed = db.compact_with(|_, _, _| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            ControlFlow::Continue(())
        });
        if !reclaimed.unwrap().stopped {
            break;
        }
        let what = format!("{calls} calls");
        model.check(&db, &what);
        db.compact().unwrap();
        model.check(&db, &what);
        assert!(!files(&disk).contains(&"segments/000001.seg".into()));
        stops += 1;
    }
    assert!(stops > 5, "{stops}");
}
