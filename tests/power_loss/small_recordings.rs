//! Recordings of a few lines, written by hand: what is taken from them, and
//! what is refused.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sessiondb::Crash;

use crate::observer::Observer;
use crate::recording::{Action, Moment, Recording};
use crate::replay::{Replay, Unsynced};

fn hex(text: &str) -> String {
    let mut hex = String::new();
    for byte in text.bytes() {
        write!(hex, "\\x{byte:02x}").unwrap();
    }
    hex
}

/// Each line with what is between apostrophes as `strace` writes it.
fn observed(lines: &[&str]) -> Result<Recording, String> {
    observed_in(Path::new("/data"), lines)
}

fn observed_in(root: &Path, lines: &[&str]) -> Result<Recording, String> {
    let mut recording = Recording::default();
    let mut text = String::new();
    for line in lines {
        for (place, part) in line.split('\'').enumerate() {
            if place % 2 == 1 {
                write!(text, "\"{}\"", hex(part)).unwrap();
            } else {
                text.push_str(part);
            }
        }
        text.push('\n');
    }
    Observer::new(root, root, &mut recording).observe(&text)?;
    Ok(recording)
}

fn recorded(lines: &[&str]) -> Recording {
    observed(lines).unwrap()
}

const OPENS: &str = "1 openat(AT_FDCWD, '/data/a', O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3";
const OPENS_ROOT: &str = "1 openat(AT_FDCWD, '/data', O_RDONLY|O_CLOEXEC) = 4";

/// What is in the file when nothing survives that need not, at the end.
fn durable(recording: &Recording) -> Option<String> {
    let mut replay = Replay::new(recording, |_, _| false);
    replay.pass_until(recording.moments.len());
    let survivor = replay.cut(Crash::KeepNothing);
    let bytes = survivor.read_file("a")?;
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn a_sync_covers_only_writes_that_had_returned_when_it_began() {
    let recording = recorded(&[
        OPENS,
        OPENS_ROOT,
        "1 fsync(4) = 0",
        "1 pwrite64(3, 'before', 6, 0) = 6",
        "2 pwrite64(3, ' under way', 10, 6 <unfinished ...>",
        "1 fdatasync(3 <unfinished ...>",
        "2 <... pwrite64 resumed>) = 10",
        "2 pwrite64(3, ' meanwhile', 10, 16) = 10",
        "1 <... fdatasync resumed>) = 0",
    ]);
    assert_eq!(durable(&recording).as_deref(), Some("before"));
}

#[test]
fn nothing_is_durable_before_a_sync_has_returned() {
    let recording = recorded(&[
        OPENS,
        OPENS_ROOT,
        "1 fsync(4) = 0",
        "1 pwrite64(3, 'before', 6, 0) = 6",
        "1 fdatasync(3 <unfinished ...>",
    ]);
    assert_eq!(durable(&recording).as_deref(), Some(""));
}

#[test]
fn a_name_is_durable_only_after_a_sync_of_its_directory() {
    let recording = recorded(&[OPENS, "1 pwrite64(3, 'x', 1, 0) = 1", "1 fsync(3) = 0"]);
    assert_eq!(durable(&recording), None);
}

#[test]
fn names_wait_for_a_sync_as_bytes_do() {
    let recording = recorded(&[
        OPENS,
        OPENS_ROOT,
        "1 fsync(4) = 0",
        "1 pwrite64(3, 'x', 1, 0) = 1",
        "1 fsync(3) = 0",
        "1 mkdir('/data/d', 0700) = 0",
        "1 fsync(4) = 0",
        "1 rename('/data/a', '/data/b') = 0",
        "1 fsync(4) = 0",
        "1 unlink('/data/b') = 0",
        "1 fsync(4) = 0",
    ]);
    let mut replay = Replay::new(&recording, |_, _| false);
    let mut met = vec![Unsynced::Nothing];
    for at in 0..=recording.moments.len() {
        replay.pass_until(at);
        let now = replay.unsynced();
        if met.last() != Some(&now) {
            met.push(now);
        }
    }
    let [nothing, names] = [Unsynced::Nothing, Unsynced::Names];
    let made = [nothing, names, nothing];
    let written = [Unsynced::Others, nothing];
    let changed = [names, nothing, names, nothing, names, nothing];
    assert_eq!(met, [&made[..], &written, &changed].concat());
}

#[test]
fn what_is_under_way_may_be_on_the_disk() {
    let recording = recorded(&[
        OPENS,
        OPENS_ROOT,
        "1 fsync(4) = 0",
        "2 pwrite64(3, 'under way', 9, 0 <unfinished ...>",
    ]);
    let mut replay = Replay::new(&recording, |_, _| false);
    // The last moment is that nothing came of it.
    replay.pass_until(recording.moments.len() - 1);
    let everything = replay.cut(Crash::KeepAll).read_file("a").unwrap();
    assert_eq!(everything, b"under way");
}

#[test]
fn what_was_under_way_at_the_end_of_a_process_is_what_the_directory_shows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let opens = format!(
        "1 openat(AT_FDCWD, '{}', O_RDWR|O_CREAT, 0600) = 3",
        path.display()
    );
    let ends = [
        "2 pwrite64(3, 'written', 7, 2 <unfinished ...>",
        "2 pwrite64(3, 'written', 7, 2 <unfinished ...>) = ?",
    ];
    for (shown, came_to, end) in [
        (&b"..written"[..], Moment::Ended(1), ends[0]),
        (b"..written", Moment::Ended(1), ends[1]),
        (b"..", Moment::Failed(1), ends[0]),
        (b"..another", Moment::Failed(1), ends[1]),
    ] {
        std::fs::write(&path, shown).unwrap();
        let recording = observed_in(directory.path(), &[&opens, end]).unwrap();
        assert_eq!(recording.moments.last(), Some(&came_to), "{end}");
    }
}

#[test]
fn writes_without_an_offset_go_on_where_the_descriptor_stands() {
    let recording = recorded(&[
        OPENS,
        "1 write(3, 'one', 3) = 3",
        "1 fcntl(3, F_DUPFD_CLOEXEC, 0) = 5",
        "1 write(5, 'two', 3) = 3",
        "1 lseek(3, 1, SEEK_SET) = 1",
        "1 read(3, 'n', 1) = 1",
        "1 write(3, 'X', 1) = 1",
    ]);
    let offsets: Vec<u64> = (recording.actions.iter())
        .filter_map(|action| match action {
            Action::Write { offset, .. } => Some(*offset),
            _ => None,
        })
        .collect();
    assert_eq!(offsets, [0, 3, 2]);
}

#[test]
fn only_what_is_in_the_directory_counts() {
    let recording = recorded(&[
        "1 openat(AT_FDCWD, '/elsewhere/a', O_RDWR|O_CREAT, 0600) = 3",
        "1 write(3, 'x', 1) = 1",
        "1 writev(3, [{iov_base='x', iov_len=1}], 1) = 1",
        "1 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0) = 0x7f0000000000",
        "1 unlink('/database') = 0",
        "1 openat(AT_FDCWD, '/data/missing', O_RDWR) = -1 ENOENT (No such file or directory)",
        "1 write(1, '> done 0 -', 10) = 10",
        "1 +++ exited with 0 +++",
    ]);
    assert_eq!(recording.actions, []);
    assert_eq!(recording.moments, [Moment::Said("done 0 -".to_owned())]);
}

#[test]
fn directories_and_what_is_in_them_are_removed_by_descriptors_too() {
    let recording = recorded(&[
        "1 mkdir('/data/index-0001', 0700) = 0",
        "1 openat(AT_FDCWD, '/data/index-0001', O_RDONLY|O_DIRECTORY) = 3",
        "1 unlinkat(3, 'db', 0) = 0",
        "1 unlinkat(AT_FDCWD, '/data/index-0001', AT_REMOVEDIR) = 0",
    ]);
    let index = PathBuf::from("index-0001");
    let removed = Action::Remove(index.join("db"));
    let removed_directory = Action::RemoveDirectory(index);
    assert_eq!(recording.actions[2..], [removed, removed_directory]);
}

#[test]
fn what_is_not_understood_is_refused() {
    for call in [
        "writev(3, [{iov_base='x', iov_len=1}], 1) = 1",
        "pwritev(3, [{iov_base='x', iov_len=1}], 1, 0) = 1",
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0) = 0x7f0000000000",
        "io_uring_setup(8, {flags=0}) = 5",
        "copy_file_range(7, NULL, 3, NULL, 10, 0) = 10",
        "fallocate(3, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 10) = 0",
        "fcntl(3, F_SETFL, O_APPEND) = 0",
        "openat(AT_FDCWD, '/data/b', O_WRONLY|O_APPEND) = 5",
        "linkat(AT_FDCWD, '/data/a', AT_FDCWD, '/data/b', 0) = 0",
        "symlink('a', '/data/b') = 0",
        "truncate('/data/a', 0) = 0",
        "rename('/elsewhere/b', '/data/b') = 0",
        "renameat2(AT_FDCWD, '/data/a', AT_FDCWD, '/data/b', RENAME_EXCHANGE) = 0",
        "dup2(7, 3) = 3",
        "sync() = 0",
        "pwrite64(3, 'xyz', 3, 0) = 2",
        "pwrite64(3, 'xyz', 3, 0) = -1 EIO (Input/output error)",
        "fsync(3) = -1 EIO (Input/output error)",
    ] {
        let outcome = observed(&[OPENS, &format!("1 {call}")]);
        assert!(outcome.is_err(), "{call}: {outcome:?}");
    }
}
