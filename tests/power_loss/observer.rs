//! Makes a recording of the calls of a process: knows its descriptors, and
//! refuses every call that might change a file and is not understood.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::calls::{Call, Kind, Line, Outcome, brief, bytes};
use crate::recording::{Action, Moment, Recording};

/// Of a file that nobody has open any more.
const NO_DESCRIPTOR: i64 = -1;

/// What a descriptor stands for, in the directory.
#[derive(Debug, Clone)]
struct Opened {
    path: PathBuf,
    /// Where the next read or write without an offset is.
    position: u64,
}

/// What is to be done when a call ends.
#[derive(Debug)]
enum Pending {
    Nothing,
    /// It is this action of the recording.
    Action(usize),
    /// The same; so many bytes are to be written.
    Write(usize, usize),
    /// It opens; what may fail is no action yet.
    Open {
        path: PathBuf,
        creates: bool,
        truncates: bool,
    },
    /// Another descriptor of the same opening.
    Duplicate(usize),
    /// It reads on.
    Read(usize),
    Seek(usize),
}

pub(crate) struct Observer<'r> {
    root: PathBuf,
    /// What the process left of it.
    left: PathBuf,
    recording: &'r mut Recording,
    descriptors: HashMap<i64, usize>,
    opened: HashMap<usize, Opened>,
    /// Calls that have begun and not ended, by thread.
    begun: HashMap<String, Pending>,
    /// Calls that the end of the process cut off.
    cut_off: Vec<Pending>,
}

impl<'r> Observer<'r> {
    /// One for a new process. The root is a whole path without links, and what
    /// the process left of it may be elsewhere by now.
    pub(crate) fn new(root: &Path, left: &Path, recording: &'r mut Recording) -> Self {
        Self {
            root: root.to_owned(),
            left: left.to_owned(),
            recording,
            descriptors: HashMap::new(),
            opened: HashMap::new(),
            begun: HashMap::new(),
            cut_off: Vec::new(),
        }
    }

    /// Takes down all that is in the text.
    pub(crate) fn observe(mut self, text: &str) -> Result<(), String> {
        for line in text.lines() {
            self.observe_line(line)
                .map_err(|error| format!("{error}, in: {}", brief(line)))?;
        }
        self.settle();
        Ok(())
    }

    /// What was under way when the process ended has come to something or not:
    /// the next process finds what the directory shows.
    fn settle(&mut self) {
        let mut cut_off = std::mem::take(&mut self.cut_off);
        cut_off.extend(self.begun.drain().map(|(_, pending)| pending));
        for pending in cut_off {
            match pending {
                Pending::Action(action) | Pending::Write(action, _) => {
                    let moment = if self.is_done(action) {
                        Moment::Ended(action)
                    } else {
                        Moment::Failed(action)
                    };
                    self.recording.moments.push(moment);
                }
                Pending::Open {
                    path,
                    creates: true,
                    truncates,
                } if self.left.join(&path).is_file() => {
                    self.opened(NO_DESCRIPTOR, path, true, truncates);
                }
                _ => {}
            }
        }
    }

    /// Whether the directory shows that an action was carried out.
    fn is_done(&self, action: usize) -> bool {
        let file = |opening: &usize| {
            let opened = self.opened.get(opening)?;
            File::open(self.left.join(&opened.path)).ok()
        };
        let is_long = |opening: &usize, length: u64| {
            let metadata = file(opening).and_then(|file| file.metadata().ok());
            metadata.is_some_and(|metadata| metadata.len() == length)
        };
        let exists = |path: &Path| self.left.join(path).exists();
        match &self.recording.actions[action] {
            Action::Write {
                opening,
                offset,
                bytes,
            } => {
                let mut found = vec![0; bytes.len()];
                let read = file(opening).map(|file| file.read_exact_at(&mut found, *offset));
                matches!(read, Some(Ok(()))) && found == *bytes
            }
            Action::SetLength { opening, length } | Action::Allocate { opening, length } => {
                is_long(opening, *length)
            }
            Action::MakeDirectory(path) => exists(path),
            Action::Rename { from, to } => exists(to) && !exists(from),
            Action::Remove(path) | Action::RemoveDirectory(path) => !exists(path),
            // Nobody was told that it is durable.
            Action::Sync { .. } | Action::Open { .. } => false,
        }
    }

    fn observe_line(&mut self, text: &str) -> Result<(), String> {
        let line = Line::parse(text)?;
        match line.kind {
            Kind::Whole(call, outcome) => {
                // It may come to nothing at once.
                match outcome {
                    Outcome::Error("?") | Outcome::Number(_) => {}
                    Outcome::Error(_) => return self.check_failure(&call),
                }
                let pending = self.begin(&call)?;
                self.end(pending, outcome)
            }
            Kind::Begin(call) => {
                let pending = self.begin(&call)?;
                match self.begun.insert(line.thread.to_owned(), pending) {
                    Some(earlier) => Err(format!("{earlier:?} has not ended")),
                    None => Ok(()),
                }
            }
            Kind::End(_, outcome) => {
                let pending = self.begun.remove(line.thread);
                self.end(pending.ok_or("it has not begun")?, outcome)
            }
            Kind::Other => Ok(()),
        }
    }

    /// What failed changed nothing, unless it was a write or a sync.
    fn check_failure(&self, call: &Call) -> Result<(), String> {
        let writes = ["write", "pwrite64", "fsync", "fdatasync", "ftruncate"];
        if writes.contains(&call.name) && self.opening(call, 0).is_some() {
            return Err("it failed".to_owned());
        }
        Ok(())
    }

    fn begin(&mut self, call: &Call) -> Result<Pending, String> {
        let action = match call.name {
            "open" | "openat" | "creat" => return self.begin_open(call),
            "close" => {
                let descriptor = number(call, 0)?;
                self.descriptors.remove(&descriptor);
                return Ok(Pending::Nothing);
            }
            "dup" | "dup2" | "dup3" => {
                if self.opening(call, 1).is_some() {
                    return Err("a descriptor is replaced".to_owned());
                }
                let opening = self.opening(call, 0);
                return Ok(opening.map_or(Pending::Nothing, Pending::Duplicate));
            }
            "fcntl" => return self.begin_control(call),
            "read" => {
                let opening = self.opening(call, 0);
                return Ok(opening.map_or(Pending::Nothing, Pending::Read));
            }
            "lseek" => {
                let opening = self.opening(call, 0);
                return Ok(opening.map_or(Pending::Nothing, Pending::Seek));
            }
            "write" if number(call, 0)? == 1 => return self.begin_say(call),
            "write" => return self.begin_write(call, None),
            "pwrite64" => return self.begin_write(call, Some(3)),
            "fsync" | "fdatasync" => {
                let opening = self.opening(call, 0);
                opening.map(|opening| Action::Sync { opening })
            }
            "ftruncate" => self.lengthen(call, 1, |opening, length| Action::SetLength {
                opening,
                length,
            })?,
            "fallocate" => self.begin_allocate(call)?,
            "mkdir" => self.path(call, 0, None)?.map(Action::MakeDirectory),
            "mkdirat" => self.path(call, 1, Some(0))?.map(Action::MakeDirectory),
            "rmdir" => self.path(call, 0, None)?.map(Action::RemoveDirectory),
            "unlink" => self.path(call, 0, None)?.map(Action::Remove),
            "unlinkat" => {
                let path = self.path(call, 1, Some(0))?;
                let is_directory = argument(call, 2)? == "AT_REMOVEDIR";
                path.map(if is_directory {
                    Action::RemoveDirectory
                } else {
                    Action::Remove
                })
            }
            "rename" => rename(self.path(call, 0, None)?, self.path(call, 1, None)?)?,
            "renameat" | "renameat2" => {
                if call.arguments.get(4).is_some_and(|flags| *flags != "0") {
                    return Err("flags of a rename are not understood".to_owned());
                }
                rename(self.path(call, 1, Some(0))?, self.path(call, 3, Some(2))?)?
            }
            "mmap" => {
                let writes = argument(call, 2)?.contains("PROT_WRITE");
                let is_shared = argument(call, 3)?.contains("MAP_SHARED");
                if writes && is_shared && self.opening(call, 4).is_some() {
                    return Err("a file of the directory is written in memory".to_owned());
                }
                None
            }
            _ => return self.refuse(call),
        };
        Ok(action.map_or(Pending::Nothing, |action| {
            Pending::Action(self.recording.begin(action))
        }))
    }

    /// A call that has no place here, if it is about a file of the directory.
    fn refuse(&self, call: &Call) -> Result<Pending, String> {
        let arguments = 0..call.arguments.len();
        let is_ours = arguments.clone().any(|place| {
            // Few of these take anything that looks like a descriptor.
            let is_path = matches!(self.path(call, place, None), Ok(Some(_)));
            is_path || self.opening(call, place).is_some()
        });
        if is_ours || call.name.starts_with("io_uring") || call.name.starts_with("sync") {
            return Err(format!("{} is not understood", call.name));
        }
        Ok(Pending::Nothing)
    }

    fn begin_open(&mut self, call: &Call) -> Result<Pending, String> {
        let (place, directory) = match call.name {
            "openat" => (1, Some(0)),
            _ => (0, None),
        };
        let Some(path) = self.path(call, place, directory)? else {
            return Ok(Pending::Nothing);
        };
        let flags = match call.name {
            "creat" => "O_CREAT|O_TRUNC",
            _ => argument(call, place + 1)?,
        };
        let has = |flag: &str| flags.split('|').any(|word| word == flag);
        if has("O_APPEND") || has("O_TMPFILE") || has("O_DIRECT") {
            return Err(format!("{flags} is not understood"));
        }
        Ok(Pending::Open {
            path,
            creates: has("O_CREAT"),
            truncates: has("O_TRUNC"),
        })
    }

    fn begin_control(&self, call: &Call) -> Result<Pending, String> {
        let Some(opening) = self.opening(call, 0) else {
            return Ok(Pending::Nothing);
        };
        match argument(call, 1)? {
            "F_DUPFD" | "F_DUPFD_CLOEXEC" => Ok(Pending::Duplicate(opening)),
            "F_GETFD" | "F_SETFD" | "F_GETFL" => Ok(Pending::Nothing),
            other => Err(format!("{other} is not understood")),
        }
    }

    fn begin_say(&mut self, call: &Call) -> Result<Pending, String> {
        let said = bytes(argument(call, 1)?)?;
        let said = String::from_utf8_lossy(&said);
        // The test harness writes there too.
        if let Some((_, said)) = said.trim_end().split_once("> ") {
            self.recording.moments.push(Moment::Said(said.to_owned()));
        }
        Ok(Pending::Nothing)
    }

    fn begin_write(&mut self, call: &Call, offset: Option<usize>) -> Result<Pending, String> {
        let Some(opening) = self.opening(call, 0) else {
            return Ok(Pending::Nothing);
        };
        let bytes = bytes(argument(call, 1)?)?;
        let written = bytes.len();
        let opened = self.opened.get_mut(&opening).ok_or("it is not open")?;
        let offset = if let Some(place) = offset {
            number(call, place)?.unsigned_abs()
        } else {
            let offset = opened.position;
            opened.position += written as u64;
            offset
        };
        let action = self.recording.begin(Action::Write {
            opening,
            offset,
            bytes,
        });
        Ok(Pending::Write(action, written))
    }

    fn begin_allocate(&self, call: &Call) -> Result<Option<Action>, String> {
        if self.opening(call, 0).is_some() && (argument(call, 1)? != "0" || number(call, 2)? != 0) {
            return Err("this way to allocate is not understood".to_owned());
        }
        self.lengthen(call, 3, |opening, length| Action::Allocate {
            opening,
            length,
        })
    }

    fn lengthen(
        &self,
        call: &Call,
        place: usize,
        action: impl FnOnce(usize, u64) -> Action,
    ) -> Result<Option<Action>, String> {
        let Some(opening) = self.opening(call, 0) else {
            return Ok(None);
        };
        Ok(Some(action(opening, number(call, place)?.unsigned_abs())))
    }

    fn end(&mut self, pending: Pending, outcome: Outcome) -> Result<(), String> {
        let result = match outcome {
            Outcome::Number(result) => result,
            // The process ended in it.
            Outcome::Error("?") => {
                self.cut_off.push(pending);
                return Ok(());
            }
            Outcome::Error(error) => {
                if let Pending::Write(..) = pending {
                    return Err(format!("a write failed: {error}"));
                }
                if let Pending::Action(action) = pending {
                    self.recording.moments.push(Moment::Failed(action));
                    if let Action::Sync { .. } = self.recording.actions[action] {
                        return Err(format!("a sync failed: {error}"));
                    }
                }
                return Ok(());
            }
        };
        match pending {
            Pending::Nothing => {}
            Pending::Action(action) => self.recording.moments.push(Moment::Ended(action)),
            Pending::Write(action, length) => {
                if result != i64::try_from(length).unwrap_or(i64::MAX) {
                    return Err(format!("a write ended after {result} of {length} bytes"));
                }
                self.recording.moments.push(Moment::Ended(action));
            }
            Pending::Open {
                path,
                creates,
                truncates,
            } => self.opened(result, path, creates, truncates),
            Pending::Duplicate(opening) => {
                self.descriptors.insert(result, opening);
            }
            Pending::Read(opening) => {
                let opened = self.opened.get_mut(&opening).ok_or("it is not open")?;
                opened.position += result.unsigned_abs();
            }
            Pending::Seek(opening) => {
                let opened = self.opened.get_mut(&opening).ok_or("it is not open")?;
                opened.position = result.unsigned_abs();
            }
        }
        Ok(())
    }

    fn opened(&mut self, descriptor: i64, path: PathBuf, creates: bool, truncates: bool) {
        let opening = self.recording.openings;
        self.recording.openings += 1;
        self.descriptors.insert(descriptor, opening);
        let opened = Opened {
            path: path.clone(),
            position: 0,
        };
        self.opened.insert(opening, opened);
        let action = self.recording.begin(Action::Open {
            opening,
            path,
            creates,
            truncates,
        });
        self.recording.moments.push(Moment::Ended(action));
    }

    /// The opening that a descriptor among the arguments stands for.
    fn opening(&self, call: &Call, place: usize) -> Option<usize> {
        let descriptor = number(call, place).ok()?;
        self.descriptors.get(&descriptor).copied()
    }

    /// A path among the arguments, where it is in the directory.
    fn path(
        &self,
        call: &Call,
        place: usize,
        directory: Option<usize>,
    ) -> Result<Option<PathBuf>, String> {
        let path = bytes(argument(call, place)?)?;
        let path = String::from_utf8(path).map_err(|error| error.to_string())?;
        let path = Path::new(&path);
        let whole = if path.is_absolute() {
            path.to_owned()
        } else {
            let opening = directory.and_then(|place| self.opening(call, place));
            let Some(above) = opening.and_then(|opening| self.opened.get(&opening)) else {
                return Ok(None);
            };
            self.root.join(&above.path).join(path)
        };
        let inside = whole.strip_prefix(&self.root).ok();
        Ok(inside.map(|path| path.components().collect()))
    }
}

fn rename(from: Option<PathBuf>, to: Option<PathBuf>) -> Result<Option<Action>, String> {
    match (from, to) {
        (Some(from), Some(to)) => Ok(Some(Action::Rename { from, to })),
        (None, None) => Ok(None),
        _ => Err("a file came from elsewhere, or went there".to_owned()),
    }
}

fn argument<'t>(call: &Call<'t>, place: usize) -> Result<&'t str, String> {
    let argument = call.arguments.get(place).copied();
    argument.ok_or_else(|| format!("{} has no argument {place}", call.name))
}

fn number(call: &Call, place: usize) -> Result<i64, String> {
    let text = argument(call, place)?;
    text.parse().map_err(|error| format!("{error}: {text}"))
}
