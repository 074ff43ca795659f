//! A process of its own for what has to be alone in one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;

/// Has one do what the words say in a place that is empty, and returns the
/// figures that it printed.
pub(crate) fn figures(
    words: &[&str],
    place: &Path,
    environment: &[(&str, &str)],
) -> Outcome<Vec<f64>> {
    let child = Command::new(std::env::current_exe()?)
        .args(words)
        .arg(place)
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("{} failed", words.join(" ")).into());
    }
    fs::remove_dir_all(place)?;
    let output = String::from_utf8(child.stdout)?;
    let figures = output.split_whitespace().map(str::parse);
    Ok(figures.collect::<Result<_, _>>()?)
}
