//! A fixed workload in which every operation of the disk fails once, in every
//! way, and the machine goes on or loses its power. What was acknowledged is
//! there afterwards, and of what failed all or nothing.

use std::io::ErrorKind;
use std::sync::Arc;

use sessiondb::{Crash, Database, Error, Fault, FaultEffect, IndexFate, Operation, SimulatedDisk};

use crate::recorder::Recorder;
use crate::support::{builder, disk, fault, is_failure, open, without_hanging};
use crate::workload::Workload;

fn effects(operation: Operation) -> &'static [FaultEffect] {
    match operation {
        Operation::Write => &[FaultEffect::Refuse, FaultEffect::ShortWrite],
        Operation::SyncData | Operation::SyncAll => &[
            FaultEffect::Refuse,
            FaultEffect::LosePages,
            FaultEffect::LoseSomePages(0),
        ],
        _ => &[FaultEffect::Refuse],
    }
}

/// Of the device, and of a full disk where that has a say.
fn kinds(operation: Operation) -> &'static [ErrorKind] {
    match operation {
        Operation::Open | Operation::Read | Operation::List | Operation::Remove => {
            &[ErrorKind::Other]
        }
        _ => &[ErrorKind::Other, ErrorKind::StorageFull],
    }
}

/// What becomes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aftermath {
    GoesOn,
    /// It loses its power once the database was closed.
    Closed(Crash),
    /// It loses it at once, whether anybody was told of the failure or not.
    Cut(Crash),
}

/// Of what is not synced any part may be left, after every failure other ones.
fn aftermaths(seed: u64) -> [Aftermath; 8] {
    let more = 1000;
    [
        Aftermath::GoesOn,
        Aftermath::Closed(Crash::KeepNothing),
        Aftermath::Closed(Crash::Random(seed)),
        Aftermath::Cut(Crash::KeepNothing),
        Aftermath::Cut(Crash::KeepAll),
        Aftermath::Cut(Crash::Random(seed)),
        Aftermath::Cut(Crash::Random(seed + more)),
        Aftermath::Cut(Crash::Prefix(seed)),
    ]
}

/// The next seed for an effect that has one.
fn chosen_by(effect: FaultEffect, seed: u64) -> FaultEffect {
    match effect {
        FaultEffect::LoseSomePages(_) => FaultEffect::LoseSomePages(seed),
        other => other,
    }
}

fn reopen(disk: &SimulatedDisk, context: &str) -> Database {
    open(disk).unwrap_or_else(|error| panic!("{context}: {error}"))
}

/// One run per place at which the operation happens, until there are no more.
fn fail_each(operation: Operation) {
    let ways = effects(operation).iter();
    let ways = ways.flat_map(|effect| kinds(operation).iter().map(|kind| (*effect, *kind)));
    for (effect, kind) in ways {
        let mut struck = 0;
        for nth in 0.. {
            assert!(nth < 1000, "{operation:?} never comes to an end");
            if !fail_once(operation, (effect, kind), nth) {
                break;
            }
            struck += 1;
        }
        assert!(struck > 0, "{operation:?} {effect:?} never happened");
        println!("{operation:?} failed at {struck} places: {kind:?}, {effect:?}");
    }
}

/// Whether the workload got as far as the fault.
fn fail_once(operation: Operation, (effect, kind): (FaultEffect, ErrorKind), nth: u64) -> bool {
    let mut struck = false;
    for (number, aftermath) in aftermaths(nth).into_iter().enumerate() {
        let effect = chosen_by(effect, nth * 8 + number as u64);
        let context =
            format!("{operation:?} number {nth}, {kind:?}, {effect:?}, then {aftermath:?}");
        let disk = disk(nth);
        disk.inject(Fault {
            after: nth,
            kind,
            ..fault(operation, "", effect)
        });
        let recorder = Recorder::new(&disk);
        let (workload, survivor) = run(&disk, &recorder, aftermath, &context);
        struck |= disk.faults() == 0;
        disk.clear_faults();
        let again = reopen(&survivor, &context);
        let Some(workload) = workload else {
            let (fresh, outcome) = Workload::run(&again);
            outcome.unwrap_or_else(|error| panic!("{context}: {error}"));
            fresh.place(&again, &context);
            continue;
        };
        let place = workload.place(&again, &context);
        if aftermath == Aftermath::GoesOn {
            stays(&survivor, &workload, place, &context);
        }
    }
    struck
}

/// Runs the workload; none where the opening failed already. And the disk
/// afterwards.
fn run(
    disk: &SimulatedDisk,
    recorder: &Recorder,
    aftermath: Aftermath,
    context: &str,
) -> (Option<Workload>, SimulatedDisk) {
    let opened = builder().open_on(Arc::new(recorder.clone()));
    let workload = opened.as_ref().ok().map(|database| {
        let is_cut = matches!(aftermath, Aftermath::Cut(_));
        let goes_on = || !is_cut || disk.faults() > 0;
        let (workload, outcome) = Workload::run_while(database, goes_on);
        if let Err(error) = &outcome {
            let is_full = matches!(error, Error::StorageFull { .. });
            let is_foreseen = is_failure(error) || is_full;
            assert!(is_foreseen, "{context}: {error}");
            assert!(recorder.met_a_fault(), "{context}: {error}");
        }
        workload
    });
    let crash = |how| disk.crash(how, IndexFate::Kept).unwrap();
    if let Aftermath::Cut(how) = aftermath {
        // What the database does afterwards is lost.
        return (workload, crash(how));
    }
    if let Ok(database) = opened {
        let _ = database.close();
    }
    match aftermath {
        Aftermath::Closed(how) => (workload, crash(how)),
        _ => (workload, disk.clone()),
    }
}

/// What was shown once survives a power cut.
fn stays(disk: &SimulatedDisk, workload: &Workload, place: usize, context: &str) {
    let survivor = disk.crash(Crash::KeepNothing, IndexFate::Kept).unwrap();
    let context = format!("{context}, then the power is cut");
    let again = reopen(&survivor, &context);
    assert_eq!(workload.place(&again, &context), place, "{context}");
}

macro_rules! each {
    ($($name:ident: $operation:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                without_hanging(|| fail_each(Operation::$operation));
            }
        )*
    };
}

each! {
    every_write_may_fail: Write,
    every_sync_of_data_may_fail: SyncData,
    every_sync_of_a_file_may_fail: SyncAll,
    every_sync_of_a_directory_may_fail: SyncDirectory,
    every_creation_may_fail: Create,
    every_opening_of_a_file_may_fail: Open,
    every_read_may_fail: Read,
    every_listing_may_fail: List,
    every_rename_may_fail: Rename,
    every_removal_may_fail: Remove,
    every_change_of_a_length_may_fail: SetLength,
}
