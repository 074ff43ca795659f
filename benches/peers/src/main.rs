//! The same session work on this database and on what else a server could use.
//!
//! ```text
//! cargo bench --manifest-path benches/peers/Cargo.toml             a table; a minute a row
//! ... -- --quick                  five seconds a row, less exact
//! ... -- --full                   three minutes a row
//! ... -- --check                  and an exit code of 1 on a missed target
//! ... -- --engines sled,redb      this database beside these alone
//! ... -- --json FILE              the figures for machines too
//! ... -- --directory DIR          another file system
//! ... -- 'durable set' open       only rows that contain one of these
//! ```
//!
//! Every engine has its best honest set-up, which the head of its file under
//! `engines/` explains: durable where this database is, the same cache, its own
//! removal of ranges. Before anything is timed all of them have to agree with a
//! model in plain maps. They work in turns, a slice of time each, in an order
//! that moves on with every round; a figure is the median of the rounds.
//!
//! All that run in this process have the allocator of the system. With
//! `--features mimalloc` all of them have that one, those in C and C++ too: it
//! asks for huge pages, so that who looks something up in a large cache waits
//! less for the tables that say where in memory it lies. Redis has its own.

#[path = "../../operations/arguments.rs"]
mod arguments;
mod check;
#[path = "../../space/directory.rs"]
mod directory;
mod engine;
mod engines;
#[path = "../../operations/executor.rs"]
mod executor;
mod field;
#[path = "../../operations/floor.rs"]
mod floor;
mod liar;
#[path = "../../operations/machine.rs"]
#[expect(dead_code, reason = "other benches ask for more")]
mod machine;
mod numbers;
mod options;
mod ordered_keys;
mod population;
mod report;
mod row;
mod run;
#[path = "../../operations/samples.rs"]
#[expect(dead_code, reason = "other benches ask for more")]
mod samples;
mod shared_sync;
mod table;
mod targets;
mod turns;
mod workloads;
#[path = "../../operations/workplace.rs"]
mod workplace;

use std::process::ExitCode;

use machine::Machine;
use options::Options;
use run::Run;
use workplace::Workplace;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) use numbers::mebibytes;

/// Anything that keeps a measurement from being taken.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // A child is told by its first word what it is for.
    if let [workloads::WRITE, engine, place, kibibytes, seconds] =
        words.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        return workloads::tell_written(engine, place.as_ref(), [kibibytes, seconds]);
    }
    let options = Options::parse(words)?;
    let workplace = Workplace::new(&options.arguments)?;
    let machine = Machine::look(&workplace)?;
    machine.print();
    if cfg!(feature = "mimalloc") {
        println!("mimalloc allocates for all but Redis");
    }
    let mut run = Run::new(workplace, machine, &options);
    check::check(&run)?;
    workloads::measure(&mut run)?;
    run.finish(&options)
}
