//! The figures of a run: kept as they come, judged, and written for machines.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::Outcome;
use crate::engine::Kind;
use crate::engines::OURS;
use crate::machine::Machine;
use crate::numbers::readable;
use crate::samples::Rounds;
use crate::table;
use crate::targets::{TARGETS, Than};
use crate::turns::Turns;

/// What a yardstick is called among the engines.
pub(crate) const MACHINE: &str = "machine";
/// A sync in less time, in microseconds, reaches no disk.
const LEAST_FLOOR: f64 = 20.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What a row is of.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) workload: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    /// Whether it waits for the disk.
    pub(crate) is_durable: bool,
}

impl Heading {
    pub(crate) fn new(workload: impl Into<String>, unit: &'static str, better: Better) -> Self {
        Self {
            workload: workload.into(),
            unit,
            better,
            is_durable: false,
        }
    }

    pub(crate) fn durable(workload: impl Into<String>, unit: &'static str, better: Better) -> Self {
        Self {
            is_durable: true,
            ..Self::new(workload, unit, better)
        }
    }
}

/// What one engine, or the machine, comes to in a row.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) engine: &'static str,
    pub(crate) value: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

pub(crate) struct Row {
    pub(crate) heading: Heading,
    pub(crate) figures: Vec<Figure>,
}

/// What a target comes to.
pub(crate) struct Verdict {
    pub(crate) text: String,
    /// `None` where there is nothing to hold it against.
    pub(crate) is_met: Option<bool>,
}

pub(crate) struct Report {
    machine: Machine,
    start: Instant,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(machine: Machine, kinds: Vec<Kind>) -> Self {
        Self {
            machine,
            start: Instant::now(),
            kinds,
            rows: Vec::new(),
        }
    }

    /// Keeps what an engine came to.
    pub(crate) fn add(&mut self, heading: &Heading, engine: &'static str, rounds: &Rounds) {
        let figure = Figure {
            engine,
            value: rounds.median(),
            least: rounds.0.iter().copied().fold(f64::INFINITY, f64::min),
            most: rounds.greatest(),
        };
        // A run takes minutes: whoever waits sees that it gets on.
        eprintln!(
            "{:4.0} s  {}: {engine}: {} {}",
            self.start.elapsed().as_secs_f64(),
            heading.workload,
            readable(figure.value),
            heading.unit
        );
        let same = |row: &&mut Row| row.heading.workload == heading.workload;
        match self.rows.iter_mut().find(same) {
            Some(row) => row.figures.push(figure),
            None => self.rows.push(Row {
                heading: heading.clone(),
                figures: vec![figure],
            }),
        }
    }

    /// Keeps what all came to, one heading for each figure of a slice.
    pub(crate) fn add_all(&mut self, headings: &[Heading], turns: &Turns) {
        for (place, heading) in headings.iter().enumerate() {
            for (engine, rounds) in &turns.engines {
                if let Some(rounds) = rounds.get(place) {
                    self.add(heading, engine, rounds);
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a sync here reaches a disk at all.
    pub(crate) fn is_valid(&self) -> bool {
        self.machine.floor.p50() >= LEAST_FLOOR
    }

    fn row(&self, workload: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.heading.workload == workload)
    }

    /// The best of the peers that do what the row asks for.
    pub(crate) fn best_peer<'r>(&self, row: &'r Row) -> Option<&'r Figure> {
        let is_peer = |figure: &&Figure| {
            let kind = self.kinds.iter().find(|kind| kind.name == figure.engine);
            kind.is_some_and(|kind| {
                kind.name != OURS && (kind.is_durable || !row.heading.is_durable)
            })
        };
        row.best(is_peer)
    }

    /// How many times better than the best peer ours is.
    pub(crate) fn advantage(&self, row: &Row) -> Option<f64> {
        let ours = row.figure(OURS)?.value;
        let best = self.best_peer(row)?.value;
        Some(match row.heading.better {
            Better::Higher => ours / best,
            Better::Lower => best / ours,
        })
    }

    /// The targets of a row.
    pub(crate) fn verdicts(&self, row: &Row) -> Vec<Verdict> {
        let is_void = row.heading.is_durable && !self.is_valid();
        let targets = TARGETS
            .iter()
            .filter(|target| target.workload == row.heading.workload);
        let verdicts = targets.map(|target| {
            let sign = match row.heading.better {
                Better::Higher => ">=",
                Better::Lower => "<=",
            };
            let (name, reference) = match target.than {
                Than::Unit => (row.heading.unit.to_owned(), Some(1.0)),
                Than::BestPeer => {
                    let best = self.best_peer(row).map(|best| best.value);
                    ("x the best peer".into(), best)
                }
                Than::BestOf(engines) => {
                    let best = row.best(|figure| engines.contains(&figure.engine));
                    (
                        format!("x {}", engines.join(", ")),
                        best.map(|best| best.value),
                    )
                }
                Than::Row(workload, engine) => {
                    let found = self.row(workload).and_then(|row| row.figure(engine));
                    (format!("x {workload}"), found.map(|found| found.value))
                }
            };
            let ours = row.figure(OURS).map(|ours| ours.value);
            let is_met = ours.zip(reference).map(|(ours, reference)| {
                let limit = target.factor * reference;
                match row.heading.better {
                    Better::Higher => ours >= limit,
                    Better::Lower => ours <= limit,
                }
            });
            Verdict {
                text: format!("{sign} {} {name}", readable(target.factor)),
                is_met: is_met.filter(|_| !is_void),
            }
        });
        verdicts.collect()
    }

    pub(crate) fn is_missed(&self) -> bool {
        let mut verdicts = self.rows.iter().flat_map(|row| self.verdicts(row));
        verdicts.any(|verdict| verdict.is_met == Some(false))
    }

    pub(crate) fn print(&self) {
        println!("\n{}", table::table(self));
        self.machine.print();
        if !self.is_valid() {
            println!(
                "A sync in less than {LEAST_FLOOR} us reaches no disk: the durable rows are invalid."
            );
        }
    }

    /// A list of figures.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let figures = self.rows.iter().flat_map(|row| {
            let heading = &row.heading;
            let is_valid = !heading.is_durable || self.is_valid();
            row.figures.iter().map(move |figure| {
                json!({
                    "workload": heading.workload,
                    "engine": figure.engine,
                    "value": figure.value,
                    "unit": heading.unit,
                    "better": match heading.better {
                        Better::Higher => "higher",
                        Better::Lower => "lower",
                    },
                    "least": figure.least,
                    "most": figure.most,
                    "valid": is_valid,
                })
            })
        });
        let figures: Vec<Value> = figures.collect();
        fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")?;
        println!("{}", path.display());
        Ok(())
    }
}

impl Row {
    /// The best of some.
    pub(crate) fn best(&self, of: impl Fn(&&Figure) -> bool) -> Option<&Figure> {
        let figures = self.figures.iter().filter(of);
        match self.heading.better {
            Better::Higher => figures.max_by(|one, other| one.value.total_cmp(&other.value)),
            Better::Lower => figures.min_by(|one, other| one.value.total_cmp(&other.value)),
        }
    }

    pub(crate) fn figure(&self, engine: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.engine == engine)
    }
}
