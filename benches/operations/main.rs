//! What the operations cost, each held against its target.
//!
//! ```text
//! cargo bench --bench operations                     a table
//! cargo bench --bench operations -- --check          and an exit code of 1 on a miss
//! cargo bench --bench operations -- --quick          under a minute, less exact
//! cargo bench --bench operations -- --full           more of the large sessions
//! cargo bench --bench operations -- flush memory     only rows that contain a word
//! cargo bench --bench operations -- --directory DIR  another file system
//! ```
//!
//! Targets are ratios of two things that were measured in turns in one run, so
//! that what disturbs the machine disturbs both, or times that no machine
//! should exceed. All goes to `target/bench/operations.json` too.

mod arguments;
mod durable;
mod executor;
mod floor;
mod flush;
mod group;
mod growth;
mod machine;
mod reopen;
mod report;
mod samples;
mod sustained;
mod workplace;

use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use machine::Machine;
use report::Report;
use workplace::Workplace;

/// Anything that keeps a measurement from being taken.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("operations: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // A child is told by its first word what it is for.
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [reopen::FILL, directory] => return reopen::fill(Path::new(directory)),
        [flush::MEMORY, directory] => return flush::tell_growth(Path::new(directory)),
        _ => {}
    }
    let arguments = Arguments::parse(words.into_iter())?;
    let workplace = Workplace::new(&arguments)?;
    let mut report = Report::new(Machine::look(&workplace)?, arguments.names.clone());
    report.machine.print();
    durable::measure(&workplace, &mut report)?;
    flush::measure(&workplace, &mut report)?;
    group::measure(&workplace, &mut report)?;
    sustained::measure(&workplace, &mut report)?;
    reopen::measure(&workplace, &mut report)?;
    drop(workplace);
    report.finish("operations.json", arguments.check)
}
