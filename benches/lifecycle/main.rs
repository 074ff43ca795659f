//! What it costs that sessions have a life: renewing, owning and expiring
//! them, each held against its target.
//!
//! ```text
//! cargo bench --bench lifecycle                     a table, after some ten minutes
//! cargo bench --bench lifecycle -- --check          and an exit code of 1 on a miss
//! cargo bench --bench lifecycle -- --quick          with fewer sessions, less exact
//! cargo bench --bench lifecycle -- --full           more rounds
//! cargo bench --bench lifecycle -- purge touch      only rows that contain a word
//! cargo bench --bench lifecycle -- --directory DIR  another file system
//! ```
//!
//! As in `operations`, targets are ratios of two things that were measured in
//! turns in one run. All goes to `target/bench/lifecycle.json` too.

#[path = "../operations/arguments.rs"]
mod arguments;
mod creation;
#[path = "../operations/floor.rs"]
mod floor;
mod load;
#[path = "../operations/machine.rs"]
#[expect(dead_code, reason = "memory is measured in `operations` only")]
mod machine;
mod purge;
mod readers;
#[path = "../operations/report.rs"]
#[expect(dead_code, reason = "nothing here has to be as much as something")]
mod report;
#[path = "../operations/samples.rs"]
#[expect(dead_code, reason = "`operations` asks for more")]
mod samples;
mod touch;
#[path = "../operations/workplace.rs"]
mod workplace;

use std::process::ExitCode;

use arguments::Arguments;
use machine::Machine;
use report::Report;
use workplace::Workplace;

/// Anything that keeps a measurement from being taken.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Text of a small value.
fn small_value() -> String {
    "v".repeat(100)
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lifecycle: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let workplace = Workplace::new(&arguments)?;
    let mut report = Report::new(Machine::look(&workplace)?, arguments.names.clone());
    report.machine.print();
    touch::measure(&workplace, &mut report)?;
    creation::measure(&workplace, &mut report)?;
    purge::measure(&workplace, &mut report)?;
    drop(workplace);
    report.print();
    report.write(&workplace::target().join("bench/lifecycle.json"))?;
    if report.is_empty() {
        return Err("no row has such a name".into());
    }
    let missed = arguments.check && report.missed();
    Ok(ExitCode::from(u8::from(missed)))
}
