//! What a run has in common.

use std::process::ExitCode;
use std::time::Duration;

use crate::Outcome;
use crate::arguments::Length;
use crate::engine::Kind;
use crate::machine::Machine;
use crate::options::Options;
use crate::report::Report;
use crate::workplace::Workplace;

pub(crate) struct Run {
    pub(crate) workplace: Workplace,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) report: Report,
    names: Vec<String>,
}

impl Run {
    pub(crate) fn new(workplace: Workplace, machine: Machine, options: &Options) -> Self {
        Self {
            report: Report::new(machine, options.kinds.clone()),
            workplace,
            kinds: options.kinds.clone(),
            names: options.arguments.names.clone(),
        }
    }

    pub(crate) fn length(&self) -> Length {
        self.workplace.length
    }

    /// Whether somebody asked for a row of this name.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|word| name.contains(word))
    }

    /// Whether any of these rows is asked for.
    pub(crate) fn wants_any<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> bool {
        names.into_iter().any(|name| self.wants(name))
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.length().choose(3, 7, 9)
    }

    /// How long each of so many is at work in one round of a row.
    pub(crate) fn slice(&self, count: usize) -> Duration {
        let seconds = self.length().choose(5, 60, 180);
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Duration::from_secs(seconds) / self.rounds() / count
    }

    /// Prints what came out, and removes the run's files.
    pub(crate) fn finish(self, options: &Options) -> Outcome<ExitCode> {
        drop(self.workplace);
        if self.report.is_empty() {
            return Err("no row has such a name".into());
        }
        self.report.print();
        if let Some(path) = &options.json {
            self.report.write(path)?;
        }
        let is_missed = options.arguments.check && self.report.is_missed();
        Ok(ExitCode::from(u8::from(is_missed)))
    }
}
