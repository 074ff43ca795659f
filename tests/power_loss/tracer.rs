//! Running a child under `strace`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::child::{DIRECTORY, ORDERS};

/// All calls that change files or their names, and those that lead to them. A
/// name with a question mark is none of every machine's. `sync_file_range` is
/// none: it waits neither for the drive nor for the length of the file.
const CALLS: &str = "trace=?open,openat,?openat2,?creat,close,?close_range,dup,?dup2,dup3,fcntl,\
    read,lseek,write,pwrite64,writev,pwritev,?pwritev2,truncate,ftruncate,fallocate,\
    fsync,fdatasync,?sync,?syncfs,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,\
    ?unlink,unlinkat,?mkdir,mkdirat,?rmdir,?copy_file_range,sendfile,splice,mmap,?io_uring_setup";
/// More bytes than anybody writes at once.
const LONGEST: &str = "4194304";

fn strace(output: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-q", "-xx", "-e", "signal=none", "-s", LONGEST]);
    strace.args(["-e", CALLS, "-o"]).arg(output);
    strace
}

fn failure(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| format!("{}: {said}", output.status))
}

/// Says something also where the test passes, of which the harness keeps to
/// itself what is printed.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether there is a `strace` here, and it may do its work; says why not.
pub(crate) fn is_permitted() -> bool {
    let nowhere = tempfile::NamedTempFile::new().unwrap();
    let why = match strace(nowhere.path()).arg("true").output() {
        Ok(output) => failure(&output),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = &why {
        tell(&format!(
            "SKIPPED, no power is cut: strace cannot record here: {why}"
        ));
    }
    why.is_none()
}

/// What a child does that works in this directory.
pub(crate) fn record(directory: &Path, orders: &str) -> String {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = strace(trace.path());
    strace.arg(std::env::current_exe().expect("this program"));
    strace.args(["--exact", "child::works_while_it_is_recorded"]);
    strace.args(["--nocapture", "--test-threads=1"]);
    strace.env(DIRECTORY, directory).env(ORDERS, orders);
    let output = strace.stdout(Stdio::null()).output().expect("strace");
    let failure = failure(&output);
    assert_eq!(failure, None, "the child, with the orders {orders}");
    std::fs::read_to_string(trace.path()).expect("what was recorded")
}
