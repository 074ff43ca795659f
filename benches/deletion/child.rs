//! A process of its own for what has to be alone in one.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;

/// Has one do something with sessions of a store, and returns the figures that
/// it printed.
pub(crate) fn figures(
    what: &str,
    store: &str,
    keys: usize,
    place: &Path,
    environment: &[(&str, &str)],
) -> Outcome<Vec<f64>> {
    let child = Command::new(std::env::current_exe()?)
        .args([what, store, &keys.to_string()])
        .arg(place)
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("{what} of {store} with {keys} keys failed").into());
    }
    let output = String::from_utf8(child.stdout)?;
    let figures = output.split_whitespace().map(str::parse);
    Ok(figures.collect::<Result<_, _>>()?)
}
