//! What was measured, by operation and size, as a table and as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::bare_sled::BareSled;
use crate::operation::Operation;
use crate::ours::Ours;
use crate::store::Store as _;

/// Microseconds of calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) p50: f64,
    /// None of few samples.
    pub(crate) p99: Option<f64>,
    pub(crate) greatest: f64,
    pub(crate) samples: usize,
}

impl Time {
    /// The 99th percentile; of few samples the greatest, with a mark.
    fn upper(&self) -> String {
        match self.p99 {
            Some(p99) => micros(p99) + " ",
            None => micros(self.greatest) + "^",
        }
    }
}

/// One operation on sessions of one size in one store.
#[derive(Debug, Default)]
struct Cell {
    time: Option<Time>,
    /// MiB by which the resident set grows.
    memory: Option<f64>,
    /// How many times as long the other store takes.
    gain: Option<f64>,
}

/// All of them, by operation, number of keys and store.
#[derive(Debug, Default)]
pub(crate) struct Table {
    cells: BTreeMap<(Operation, usize, &'static str), Cell>,
}

impl Table {
    pub(crate) fn add_time(
        &mut self,
        operation: Operation,
        keys: usize,
        store: &'static str,
        time: Time,
    ) {
        let cell = self.cells.entry((operation, keys, store)).or_default();
        cell.time = Some(time);
    }

    pub(crate) fn add_memory(
        &mut self,
        operation: Operation,
        keys: usize,
        store: &'static str,
        mebibytes: f64,
    ) {
        let cell = self.cells.entry((operation, keys, store)).or_default();
        cell.memory = Some(mebibytes);
    }

    pub(crate) fn add_gain(&mut self, operation: Operation, keys: usize, gain: f64) {
        let cell = self.cells.entry((operation, keys, Ours::NAME)).or_default();
        cell.gain = Some(gain);
    }

    /// Those of an operation in a store, smallest sessions first.
    fn of(&self, operation: Operation, store: &str) -> impl Iterator<Item = (usize, &Cell)> {
        let cells = self.cells.iter();
        cells.filter_map(move |(place, cell)| {
            let (of, keys, in_store) = *place;
            (of == operation && in_store == store).then_some((keys, cell))
        })
    }

    /// Keys and microseconds at the median, smallest sessions first.
    pub(crate) fn medians(&self, operation: Operation, store: &str) -> Vec<(usize, f64)> {
        let cells = self.of(operation, store);
        cells
            .filter_map(|(keys, cell)| Some((keys, cell.time?.p50)))
            .collect()
    }

    pub(crate) fn print(&self) {
        if self.cells.is_empty() {
            return;
        }
        let header = format!("{:>12} {:>12} {:>9}", "p50 us", "p99 us", "MiB");
        println!("\n{:24} {:^36}{:^36}", "", Ours::NAME, BareSled::NAME);
        println!(
            "{:13} {:>10}  {header}  {header} {:>9}",
            "", "keys", "times"
        );
        for operation in Operation::ALL {
            for (keys, cell) in self.of(operation, Ours::NAME) {
                let place = (operation.on_bare_sled(), keys, BareSled::NAME);
                let bare = self.cells.get(&place);
                let gain = cell.gain.map(|gain| format!("{gain:.2}"));
                println!(
                    "{:13} {:>10}  {}  {} {:>9}",
                    operation.name(),
                    thousands(keys),
                    cell.text(),
                    bare.unwrap_or(&Cell::default()).text(),
                    gain.unwrap_or_default(),
                );
            }
        }
        println!("^ the greatest of all samples, where a round has too few for a p99");
        println!(
            "On bare sled `clear`, `flush` and `destroy` are one; a deletion of more than {} rows \
             is not atomic there.",
            thousands(crate::bare_sled::BATCH)
        );
    }

    /// Puts all of it into a report that was written.
    pub(crate) fn add_to(&self, report: &Path) -> Outcome<()> {
        let mut value: Value = serde_json::from_str(&fs::read_to_string(report)?)?;
        let cells: Vec<Value> = self.cells.iter().map(json).collect();
        let object = value.as_object_mut().ok_or("the report is no object")?;
        object.insert("deletions".into(), cells.into());
        Ok(fs::write(
            report,
            serde_json::to_string_pretty(&value)? + "\n",
        )?)
    }
}

impl Cell {
    fn text(&self) -> String {
        let p50 = self.time.map(|time| micros(time.p50)).unwrap_or_default();
        let upper = self.time.map(|time| time.upper()).unwrap_or_default();
        let memory = self.memory.map(|memory| format!("{memory:.2}"));
        format!("{p50:>12} {upper:>12} {:>9}", memory.unwrap_or_default())
    }
}

fn json((place, cell): (&(Operation, usize, &'static str), &Cell)) -> Value {
    let (operation, keys, store) = *place;
    json!({
        "operation": operation.name(),
        "keys": keys,
        "store": store,
        "p50_us": cell.time.map(|time| time.p50),
        "p99_us": cell.time.and_then(|time| time.p99),
        "greatest_us": cell.time.map(|time| time.greatest),
        "samples": cell.time.map(|time| time.samples),
        "memory_mib": cell.memory,
        "bare_sled_times_as_long": cell.gain,
    })
}

fn micros(time: f64) -> String {
    let digits = format!("{time:.0}");
    digits.parse().map_or(digits, thousands)
}

/// So many keys, in words.
pub(crate) fn some_keys(count: usize) -> String {
    match count {
        1 => "1 key".into(),
        _ => thousands(count) + " keys",
    }
}

/// A number as people write it.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
