//! By how much the resident set grows with a deletion, at its highest.
//!
//! In a process of its own and a thread of its own, so that what is allocated
//! comes from the system: memory that was kept from earlier would hide it.

use std::path::Path;
use std::process::ExitCode;
use std::thread;

use crate::bare_sled::BareSled;
use crate::growth::assert_growth_shows;
use crate::operation::Operation;
use crate::ours::Ours;
use crate::plan::{self, Samples};
use crate::report::{Report, Target};
use crate::scene::Scene;
use crate::store::Store;
use crate::table::{Table, some_keys};
use crate::workplace::Workplace;
use crate::{Outcome, child, mebibytes};

/// Tells the child what it is for.
pub(crate) const MEMORY: &str = "--memory-of-deletions";
/// One of each.
const ONCE: Samples = Samples {
    by_key: 1,
    whole: 1,
};

pub(crate) fn measure(
    workplace: &Workplace,
    report: &mut Report,
    table: &mut Table,
) -> Outcome<()> {
    if report.wants("memory") {
        for keys in plan::sizes(workplace.length) {
            measure_store::<Ours>(workplace, keys, report, table)?;
            measure_store::<BareSled>(workplace, keys, report, table)?;
        }
    }
    Ok(())
}

fn measure_store<S: Store>(
    workplace: &Workplace,
    keys: usize,
    report: &mut Report,
    table: &mut Table,
) -> Outcome<()> {
    let environment = [
        ("MALLOC_MMAP_THRESHOLD_", "65536"),
        ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ];
    let place = workplace.place("memory");
    for operation in Operation::ALL {
        let stands_for_itself = operation.on_bare_sled() == operation;
        if S::NAME == BareSled::NAME && !stands_for_itself {
            continue;
        }
        let words = [MEMORY, S::NAME, operation.name(), &keys.to_string()];
        let figures = child::figures(&words, &place, &environment)?;
        let [grown] = figures[..] else {
            return Err("no figure came".into());
        };
        table.add_memory(operation, keys, S::NAME, grown);
        if operation == Operation::Flush && keys == plan::largest(workplace.length) {
            let name = format!("memory, flush of {}: {}", some_keys(keys), S::NAME);
            report.add(name, grown, "MiB", Target::None, "at its highest");
        }
    }
    Ok(())
}

/// What that process does: prints the growth in MiB.
pub(crate) fn tell_growth(
    store: &str,
    operation: &str,
    keys: usize,
    place: &Path,
) -> Outcome<ExitCode> {
    let mut operations = Operation::ALL.into_iter();
    let operation = operations.find(|known| known.name() == operation);
    let operation = operation.ok_or("there is no such operation")?;
    let grown = if store == Ours::NAME {
        growth::<Ours>(operation, keys, place)?
    } else {
        growth::<BareSled>(operation, keys, place)?
    };
    println!("{}", mebibytes(grown));
    Ok(ExitCode::SUCCESS)
}

fn growth<S: Store>(operation: Operation, keys: usize, place: &Path) -> Outcome<u64> {
    let mut scene = Scene::<S>::new(place, keys, &[operation], ONCE)?;
    // A new thread allocates from a heap of its own: the old one has much that
    // is free and resident, and would take it from there.
    let grown = thread::scope(|scope| {
        let delete = || -> Outcome<u64> {
            let grown = scene.run(operation)?.grown;
            assert_growth_shows()?;
            Ok(grown)
        };
        scope.spawn(delete).join()
    });
    let grown = grown.map_err(|_| "a deletion panicked")??;
    scene.leave()?;
    Ok(grown)
}
