//! What deleting costs: `pop`, `delete`, `remove_prefix`, `clear`, `flush` and
//! `destroy` on sessions of 1 to 1,000,000 keys, beside what one would write
//! on bare sled.
//!
//! ```text
//! cargo bench --bench deletion                     a table, after some ten minutes
//! cargo bench --bench deletion -- --check          and an exit code of 1 on a miss
//! cargo bench --bench deletion -- --quick          up to 100,000 keys, two minutes
//! cargo bench --bench deletion -- --full           more rounds
//! cargo bench --bench deletion -- flush reclaim    only what contains a word
//! cargo bench --bench deletion -- --directory DIR  another file system
//! cargo bench --bench deletion -- --chart FILE     the chart to this file, too
//! ```
//!
//! Every time is that of a call after which the deletion is on disk. The stores
//! take turns, call by call, so that what disturbs the machine disturbs both;
//! what either leaves to be written may disturb the other, too. The sessions
//! were checkpointed before, and each was read right before. What the
//! background does later is no part of a time: no checkpoint happens meanwhile,
//! and what it costs is measured by itself. All goes to
//! `target/bench/deletion.json` too, and a chart to
//! `target/bench/deletion.svg`.

#[path = "../operations/arguments.rs"]
mod arguments;
mod bare_sled;
mod call;
mod chart;
mod child;
#[path = "../space/directory.rs"]
#[expect(dead_code, reason = "the journal is told apart elsewhere")]
mod directory;
#[path = "../operations/floor.rs"]
mod floor;
#[path = "../operations/growth.rs"]
mod growth;
#[path = "../operations/machine.rs"]
mod machine;
mod memory;
mod operation;
mod ours;
mod plan;
mod reclaim;
#[path = "../operations/report.rs"]
#[expect(dead_code, reason = "nothing here has to be as little as something")]
mod report;
#[path = "../operations/samples.rs"]
#[expect(dead_code, reason = "`operations` asks for more")]
mod samples;
mod scene;
mod store;
mod table;
mod times;
#[path = "../operations/workplace.rs"]
mod workplace;

use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use machine::Machine;
use report::Report;
use table::Table;
use workplace::Workplace;

/// Anything that keeps a measurement from being taken.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Bytes as a figure.
fn mebibytes(bytes: u64) -> f64 {
    // What is less than a kibibyte does not show.
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("deletion: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    // A child is told by its first word what it is for.
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [memory::MEMORY, store, operation, keys, place] => {
            return memory::tell_growth(store, operation, keys.parse()?, Path::new(place));
        }
        [reclaim::RECLAIM, store, keys, place] => {
            return reclaim::tell_cost(store, keys.parse()?, Path::new(place));
        }
        _ => {}
    }
    let copy = chart::asked_for(&mut words)?;
    let arguments = Arguments::parse(words.into_iter())?;
    let workplace = Workplace::new(&arguments)?;
    let mut report = Report::new(Machine::look(&workplace)?, arguments.names.clone());
    report.machine.print();
    let mut table = Table::default();
    times::measure(&workplace, &mut report, &mut table)?;
    memory::measure(&workplace, &mut report, &mut table)?;
    reclaim::measure(&workplace, &mut report)?;
    drop(workplace);
    table.print();
    let code = report.finish("deletion.json", arguments.check)?;
    let results = workplace::target().join("bench");
    table.add_to(&results.join("deletion.json"))?;
    chart::draw(&table, &results.join("deletion.svg"))?;
    if let Some(copy) = copy {
        chart::draw(&table, &copy)?;
    }
    Ok(code)
}
