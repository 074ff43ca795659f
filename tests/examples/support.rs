//! Running an example as a program of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a finished program left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs an example to its end.
pub(crate) fn run<A: AsRef<OsStr>>(example: &str, arguments: &[A]) -> Finished {
    let output = command(example).args(arguments).output().unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    Finished {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// `cargo test` builds the examples beside the tests. Where they are not
/// (`cargo test --test examples`), cargo builds and runs them.
fn command(example: &str) -> Command {
    if let Some(program) = built(example) {
        return Command::new(program);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["run", "--quiet", "--example", example, "--"]);
    cargo
}

fn built(example: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let profile = test.parent()?.parent()?;
    let name = format!("{example}{}", std::env::consts::EXE_SUFFIX);
    let program = profile.join("examples").join(name);
    // An older one shows what the sources were, not what they are.
    let is_new = modified(&program)? >= modified(&newest_source(example)?)?;
    is_new.then_some(program)
}

fn newest_source(example: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("examples").join(format!("{example}.rs"));
    let folder = root.join("examples").join(example);
    let mut sources = vec![file];
    sources.extend(files_below(&folder));
    sources.extend(files_below(&root.join("src")));
    let existing = sources.into_iter().filter(|source| source.exists());
    existing.max_by_key(|source| modified(source))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files_below(&path),
            path => vec![path],
        })
        .collect()
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// The log that the project brings along.
pub(crate) fn sample_log() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/access.log")
}
