//! What was recorded, as it can be kept and read again: each process with the
//! text that `strace` wrote and the directory that it left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::image::Image;

/// What tells of the rest: a seed, and the directory that was worked in.
const ABOUT: &str = "about";

/// What one process did and left.
pub(crate) struct Process {
    /// As `strace` writes it.
    pub(crate) text: String,
    /// What was in the directory at its end.
    pub(crate) left: Image,
}

/// Processes one after the other in the same directory.
pub(crate) struct Kept {
    pub(crate) seed: u64,
    /// A whole path without links. Nothing need be there any more.
    pub(crate) root: PathBuf,
    pub(crate) processes: Vec<Process>,
}

impl Kept {
    /// Leaves all of it where somebody can read it again.
    pub(crate) fn write(&self) -> io::Result<PathBuf> {
        let directory = tempfile::Builder::new()
            .prefix("power-loss-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?
            .keep();
        let about = format!("{}\n{}", self.seed, self.root.display());
        fs::write(directory.join(ABOUT), about)?;
        for (number, process) in self.processes.iter().enumerate() {
            fs::write(text_in(&directory, number), &process.text)?;
            process.left.write_new(&left_in(&directory, number))?;
        }
        Ok(directory)
    }

    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        let about = fs::read_to_string(directory.join(ABOUT))?;
        let (seed, root) = about.split_once('\n').ok_or(io::ErrorKind::InvalidData)?;
        let mut processes = Vec::new();
        while text_in(directory, processes.len()).exists() {
            let number = processes.len();
            processes.push(Process {
                text: fs::read_to_string(text_in(directory, number))?,
                left: Image::read(&left_in(directory, number))?,
            });
        }
        Ok(Self {
            seed: seed.parse().map_err(io::Error::other)?,
            root: root.into(),
            processes,
        })
    }
}

fn text_in(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("process-{number}.strace"))
}

fn left_in(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("left-by-{number}"))
}

#[test]
fn what_is_kept_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("outer/empty")).unwrap();
    fs::write(root.path().join("outer/zeros"), [0; 5000]).unwrap();
    fs::write(root.path().join("text"), "text").unwrap();
    let image = || Image::read(root.path()).unwrap();
    let process = |text: &str| Process {
        text: text.to_owned(),
        left: image(),
    };
    let kept = Kept {
        seed: 7,
        root: root.path().to_owned(),
        processes: vec![process("17 fsync(4) = 0\n"), process("")],
    };
    let directory = kept.write().unwrap();
    let again = Kept::read(&directory).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!((again.seed, &again.root), (kept.seed, &kept.root));
    let texts: Vec<&str> = (again.processes.iter())
        .map(|process| process.text.as_str())
        .collect();
    assert_eq!(texts, ["17 fsync(4) = 0\n", ""]);
    for process in &again.processes {
        assert_eq!(process.left.fingerprint(), image().fingerprint());
    }
}
