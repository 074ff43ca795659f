//! The rows, as a table and as JSON.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::Outcome;
use crate::machine::Machine;
use crate::workplace;

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// It explains another one.
    None,
}

impl Target {
    fn number(self) -> Option<f64> {
        match self {
            Self::AtMost(number) | Self::AtLeast(number) => Some(number),
            Self::None => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(number) => format!("<= {number}"),
            Self::AtLeast(number) => format!(">= {number}"),
            Self::None => String::new(),
        }
    }
}

/// One figure.
#[derive(Debug)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    target: Target,
    note: String,
}

impl Row {
    fn ok(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.value <= most,
            Target::AtLeast(least) => self.value >= least,
            Target::None => true,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.target {
            Target::None => "",
            _ if self.ok() => "ok",
            _ => "MISS",
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "target": self.target.number(),
            "ok": self.ok(),
            "note": self.note,
        })
    }
}

/// All figures of a run.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    names: Vec<String>,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(machine: Machine, names: Vec<String>) -> Self {
        Self {
            machine,
            names,
            rows: Vec::new(),
        }
    }

    /// Whether somebody asked for a row of this name.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|word| name.contains(word))
    }

    /// Whether any row of a measurement is asked for.
    pub(crate) fn wants_any<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> bool {
        names.into_iter().any(|name| self.wants(name))
    }

    /// Keeps a figure that was asked for.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Target,
        note: impl Into<String>,
    ) {
        let row = Row {
            name: name.into(),
            value,
            unit,
            target,
            note: note.into(),
        };
        if self.wants(&row.name) {
            // A run takes minutes: whoever waits sees that it gets on.
            eprintln!(
                "{}: {:.2} {} {}",
                row.name,
                row.value,
                row.unit,
                row.verdict()
            );
            self.rows.push(row);
        }
    }

    /// Prints the table, writes it to a file of this name, and tells how the
    /// bench ends: with `check` a miss fails it.
    pub(crate) fn finish(&self, name: &str, check: bool) -> Outcome<ExitCode> {
        self.print();
        self.write(&workplace::target().join("bench").join(name))?;
        if self.is_empty() {
            return Err("no row has such a name".into());
        }
        Ok(ExitCode::from(u8::from(check && self.missed())))
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn missed(&self) -> bool {
        self.rows.iter().any(|row| !row.ok())
    }

    fn print(&self) {
        let names = self.rows.iter().map(|row| row.name.len());
        let width = names.max().unwrap_or(0);
        println!(
            "\n{:width$}  {:>12} {:10}  {:>8}  {:4}",
            "name", "value", "", "target", ""
        );
        for row in &self.rows {
            let line = format!(
                "{:width$}  {:>12.2} {:10}  {:>8}  {:4}  {}",
                row.name,
                row.value,
                row.unit,
                row.target.text(),
                row.verdict(),
                row.note,
            );
            println!("{}", line.trim_end());
        }
    }

    fn write(&self, path: &Path) -> Outcome<()> {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let report = json!({
            "machine": {
                "cores": self.machine.cores,
                "file_system": self.machine.file_system,
                "fsync_floor_p50_us": self.machine.floor.p50(),
                "fsync_floor_p99_us": self.machine.floor.p99(),
            },
            "rows": rows,
        });
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
        println!("\n{}", path.display());
        Ok(())
    }
}
