//! An ID that is dead stays dead when the file that says so goes, for as long
//! as it has to, and no longer.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use sessiondb::{Builder, Crash, IndexFate, ManualClock, SimulatedDisk};

use crate::support::{Model, builder, files};

const DAY: Duration = Duration::from_secs(86_400);

fn with(clock: &Arc<ManualClock>) -> Builder {
    builder().clock(clock.clone()).retire_ids_for(DAY)
}

#[test]
fn a_dead_id_is_remembered_for_its_time_and_takes_up_space_no_longer() {
    let clock = Arc::new(ManualClock::new(UNIX_EPOCH + 20_000 * DAY));
    let disk = SimulatedDisk::new(14).unwrap();
    let open = |disk: &SimulatedDisk| with(&clock).open_on(Arc::new(disk.clone())).unwrap();
    let db = open(&disk);
    let mut model = Model::default();
    let dead: Vec<_> = (0..300).map(|_| model.add(&db, 1)).collect();
    db.checkpoint().unwrap();
    // What says so lies beside what is garbage soon.
    let mut garbage = Vec::new();
    for some in dead.chunks(30) {
        for id in some {
            model.flush(&db, *id);
        }
        garbage.push(model.add(&db, 12));
        db.checkpoint().unwrap();
    }
    let before = files(&disk);
    for id in garbage {
        model.flush(&db, id);
    }
    db.compact().unwrap();
    let after = files(&disk);
    assert!(before.iter().all(|file| !after.contains(file)));
    let remembered = db.stats().segment_bytes;
    drop(db);
    let disk = disk.crash(Crash::KeepAll, IndexFate::Lost).unwrap();
    let db = open(&disk);
    for id in &dead {
        assert!(db.is_retired(id.digest()).unwrap(), "{id} is forgotten");
    }
    clock.advance(2 * DAY);
    db.compact().unwrap();
    let forgotten = db.stats().segment_bytes;
    assert!(
        forgotten < remembered / 4,
        "{remembered} became {forgotten}"
    );
}
