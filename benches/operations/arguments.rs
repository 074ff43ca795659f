//! The command line.

use std::path::PathBuf;

use crate::Outcome;

/// How long everything takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Quick,
    Usual,
    Full,
}

impl Length {
    /// One of three, by length.
    pub(crate) fn choose<T>(self, quick: T, usual: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Usual => usual,
            Self::Full => full,
        }
    }
}

/// What a run is asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) check: bool,
    pub(crate) length: Length,
    pub(crate) directory: Option<PathBuf>,
    /// Words of which a row's name has to contain one; none is all rows.
    pub(crate) names: Vec<String>,
}

/// What the process is for.
pub(crate) enum Work {
    Measure(Arguments),
    /// The child that fills a database and is killed.
    Fill(PathBuf),
    /// The child that sees how much memory a flush takes.
    Memory(PathBuf),
}

/// Tells the child what it is for.
pub(crate) const FILL: &str = "--fill-and-wait";
/// The same for the other one.
pub(crate) const MEMORY: &str = "--memory-of-a-flush";

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Outcome<Work> {
        let mut words = words;
        let mut arguments = Self {
            check: false,
            length: Length::Usual,
            directory: None,
            names: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut directory = || words.next().map(PathBuf::from).ok_or("which directory?");
            match word.as_str() {
                "--check" => arguments.check = true,
                "--quick" => arguments.length = Length::Quick,
                "--full" => arguments.length = Length::Full,
                "--directory" => arguments.directory = Some(directory()?),
                FILL => return Ok(Work::Fill(directory()?)),
                MEMORY => return Ok(Work::Memory(directory()?)),
                // Cargo says so to every bench.
                "--bench" => {}
                unknown if unknown.starts_with('-') => {
                    return Err(format!("unknown option {unknown}").into());
                }
                _ => arguments.names.push(word),
            }
        }
        Ok(Work::Measure(arguments))
    }
}
