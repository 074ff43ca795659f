//! What the data take: space on disk, bytes written, and memory, each held
//! against its target.
//!
//! ```text
//! cargo bench --bench space                     a table, after some 25 minutes
//! cargo bench --bench space -- --check          and an exit code of 1 on a miss
//! cargo bench --bench space -- --quick          less of the data, some two minutes
//! cargo bench --bench space -- churn written    only rows that contain a word
//! cargo bench --bench space -- --directory DIR  another file system
//! ```
//!
//! Space is what the file system has allocated for all files of the database.
//! Everything is counted; what a row leaves out is in its name. Nobody asks
//! for a compaction: the background does what it does by itself, and the
//! measurement waits. All goes to `target/bench/space.json` too.

#[path = "../operations/arguments.rs"]
mod arguments;
mod directory;
#[path = "../operations/floor.rs"]
mod floor;
mod large;
#[path = "../operations/machine.rs"]
#[expect(dead_code, reason = "other benches ask for more")]
mod machine;
mod memory;
mod patience;
mod population;
#[path = "../operations/report.rs"]
#[expect(dead_code, reason = "nothing here has to be as much as something")]
mod report;
#[path = "../operations/samples.rs"]
#[expect(dead_code, reason = "only the machine is timed here")]
mod samples;
mod sizes;
#[path = "../operations/workplace.rs"]
mod workplace;
mod written;

use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use machine::Machine;
use report::Report;
use workplace::Workplace;

/// Anything that keeps a measurement from being taken.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Bytes as a figure of a row.
fn mebibytes(bytes: u64) -> f64 {
    // What is less than a kibibyte does not show.
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("space: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // A child is told by its first word what it is for.
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [written::WRITE, workload, place, mebibytes] => {
            return written::tell_written(workload, Path::new(place), mebibytes);
        }
        [memory::CHURN, place, sessions, seconds] => {
            return memory::tell_resident(Path::new(place), sessions, seconds);
        }
        _ => {}
    }
    let arguments = Arguments::parse(words.into_iter())?;
    let workplace = Workplace::new(&arguments)?;
    let mut report = Report::new(Machine::look(&workplace)?, arguments.names.clone());
    report.machine.print();
    sizes::measure(&workplace, &mut report)?;
    large::measure(&workplace, &mut report)?;
    written::measure(&workplace, &mut report)?;
    memory::measure(&workplace, &mut report)?;
    drop(workplace);
    report.finish("space.json", arguments.check)
}
