//! What it costs that sessions have a life: renewing, owning, expiring and
//! listing them, each held against its target.
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
mod walk;
#[path = "../operations/workplace.rs"]
mod workplace;

use std::path::Path;
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
    let words: Vec<String> = std::env::args().skip(1).collect();
    // A process that is made to walk is told so by its first word.
    if let [walk::WALK, place, rounds, seconds] =
        words.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return walk::tell_rounds(Path::new(place), rounds, seconds);
    }
    let arguments = Arguments::parse(words.into_iter())?;
    let workplace = Workplace::new(&arguments)?;
    let mut report = Report::new(Machine::look(&workplace)?, arguments.names.clone());
    report.machine.print();
    touch::measure(&workplace, &mut report)?;
    creation::measure(&workplace, &mut report)?;
    purge::measure(&workplace, &mut report)?;
    walk::measure(&workplace, &mut report)?;
    drop(workplace);
    report.finish("lifecycle.json", arguments.check)
}
