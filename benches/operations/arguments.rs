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

impl Arguments {
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut words = words;
        let mut arguments = Self {
            check: false,
            length: Length::Usual,
            directory: None,
            names: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--check" => arguments.check = true,
                "--quick" => arguments.length = Length::Quick,
                "--full" => arguments.length = Length::Full,
                "--directory" => {
                    let directory = words.next().ok_or("which directory?")?;
                    arguments.directory = Some(directory.into());
                }
                // Cargo says so to every bench.
                "--bench" => {}
                unknown if unknown.starts_with('-') => {
                    return Err(format!("unknown option {unknown}").into());
                }
                _ => arguments.names.push(word),
            }
        }
        Ok(arguments)
    }
}
