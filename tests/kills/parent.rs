//! The process that kills, and looks at what is left.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use sessiondb::Database;

use crate::child::{DIRECTORY, ORDERS, Orders, small};
use crate::ledger::Ledger;

/// A directory's share of the kills; what they leave behind adds up.
const KILLS_PER_DIRECTORY: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// When a child dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after it began to open.
    Opening(u64),
    /// After so many acknowledged operations, however long they take.
    Working(usize),
    /// It closes after so long, and dies so long after that.
    Closing(u64, u64),
}

impl Moment {
    fn random(random: &mut fastrand::Rng) -> Self {
        match random.u8(0..10) {
            0..2 => Self::Opening(random.u64(0..40)),
            2..8 => Self::Working(random.usize(1..700)),
            _ => Self::Closing(random.u64(20..250), random.u64(0..25)),
        }
    }

    /// How the lines to wait for begin, how many, and how long from there.
    fn cue(self) -> (&'static str, usize, u64) {
        match self {
            Self::Opening(delay) => ("opening", 1, delay),
            Self::Working(operations) => ("done", operations, 0),
            Self::Closing(_, delay) => ("closing", 1, delay),
        }
    }

    fn closes_after_ms(self) -> u64 {
        match self {
            Self::Closing(after, _) => after,
            _ => 60_000,
        }
    }
}

/// A child and what it says.
struct Victim {
    child: Child,
    lines: Receiver<String>,
}

impl Victim {
    fn spawn(directory: &Path, orders: &Orders) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child::works_until_it_is_killed", "--nocapture"])
            .env(DIRECTORY, directory)
            .env(ORDERS, orders.to_text())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let output = child.stdout.take().expect("its output");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                // The test harness writes to the same pipe.
                if let Some((_, report)) = line.split_once("> ")
                    && sender.send(report.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Lets it live up to its moment; everything it said.
    fn kill_at(mut self, moment: Moment, context: &str) -> Vec<String> {
        let (cue, mut missing, delay) = moment.cue();
        let mut said = Vec::new();
        while missing > 0 {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    missing -= usize::from(line.starts_with(cue));
                    said.push(line);
                }
                Err(error) => {
                    let _ = self.child.kill();
                    panic!("the child never said {cue}: {error}, {context}");
                }
            }
        }
        // The one random thing here that no seed repeats.
        thread::sleep(Duration::from_millis(delay));
        self.child.kill().expect("it can be killed");
        let status = self.child.wait().expect("it ends");
        said.extend(self.lines.iter());
        // Others may still have been refused after it.
        let closed = said.iter().any(|line| line == "closed");
        assert!(
            status.code().is_none() || closed,
            "the child ended by itself: {status}, {context}"
        );
        said
    }
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(default, |text| text.parse().expect("a number"))
}

/// The parent's own view: it commits no batch by itself.
fn open(directory: &Path, context: &str) -> Database {
    let opened = small().background(false).open(directory);
    opened.unwrap_or_else(|error| panic!("{error}, {context}"))
}

/// Kills a child, perhaps another one while it recovers, and looks. How many
/// batches were committed up to then.
fn kill_once(directory: &Path, ledger: &mut Ledger, random: &mut fastrand::Rng, round: u32) -> u64 {
    let moment = Moment::random(random);
    let orders = Orders {
        round,
        seed: random.u64(..),
        pool: ledger.pool,
        closes_after_ms: moment.closes_after_ms(),
        pool_token: ledger.pool_token(),
        slots: ledger.tokens(),
    };
    let mut context = format!("kill {round} {moment:?}");
    ledger.begin_round(round);
    for line in Victim::spawn(directory, &orders).kill_at(moment, &context) {
        ledger.note(&line);
    }
    if random.bool() {
        // It finds what the first one left, and has nothing to do but open.
        let again = Moment::Opening(random.u64(0..40));
        context = format!("{context}, then {again:?}");
        let orders = Orders {
            slots: Vec::new(),
            ..orders
        };
        Victim::spawn(directory, &orders).kill_at(again, &context);
    }
    let database = open(directory, &context);
    let batches = database.stats().batches - ledger.batches;
    ledger.compare(&database, &context);
    ledger.refill(&database);
    database.checkpoint().expect("a checkpoint");
    ledger.batches = database.stats().batches;
    database.close().expect("it closes");
    batches
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged_and_revives_nothing_it_removed() {
    let seed = number("SESSIONDB_KILLS_SEED", fastrand::u64(..));
    let kills = u32::try_from(number("SESSIONDB_KILLS", 15)).expect("a number of kills");
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut round = 0;
    let mut acknowledged = 0;
    let mut batches = 0;
    while round < kills {
        let directory = tempfile::tempdir().unwrap();
        let database = open(directory.path(), "new");
        let mut ledger = Ledger::new(&database);
        database.checkpoint().unwrap();
        ledger.batches = database.stats().batches;
        database.close().unwrap();
        for _ in 0..KILLS_PER_DIRECTORY.min(kills - round) {
            batches += kill_once(directory.path(), &mut ledger, &mut random, round);
            round += 1;
        }
        acknowledged += ledger.acknowledged;
    }
    eprintln!("{round} kills, {acknowledged} operations, {batches} batches");
    // Otherwise the children died before they had done anything.
    assert!(acknowledged > 0, "no operation was acknowledged");
    assert!(batches > 0, "no child committed a batch");
}
