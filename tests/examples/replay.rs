//! `examples/replay`, run as a program.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::support::{Finished, run, sample_log};

const VERDICT: &str = "Closed and reopened: every session is as it has to be.";

fn replay(arguments: &[&Path]) -> Finished {
    run("replay", arguments)
}

/// The number in a row of the report.
fn row(finished: &Finished, name: &str) -> u64 {
    let mut lines = finished.stdout.lines();
    let number = lines.find_map(|line| {
        line.strip_prefix(name)?
            .trim()
            .replace(',', "")
            .parse()
            .ok()
    });
    number.unwrap_or_else(|| panic!("no row {name:?} in\n{}", finished.stdout))
}

#[test]
fn a_log_is_replayed_and_every_session_is_as_it_has_to_be() {
    let done = replay(&[&sample_log()]);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(row(&done, "lines"), 43);
    assert_eq!(row(&done, "requests"), 38);
    assert_eq!(row(&done, "sessions"), 5);
    assert_eq!(row(&done, "flushes"), 4);
    assert_eq!(row(&done, "operations "), 38 * 7 + 4);
    assert!(row(&done, "operations per second") > 0);
    assert!(row(&done, "bytes on disk") > 0);
    assert!(done.stdout.contains(VERDICT), "{}", done.stdout);
    assert_eq!(done.stderr, "", "a bar where there is no terminal");
}

#[test]
fn malformed_lines_are_counted_and_told_with_their_numbers() {
    let done = replay(&[&sample_log()]);
    assert_eq!(row(&done, "malformed lines"), 5);
    for told in [
        "line 5 is malformed: there is no address",
        "line 10 is malformed: there is no time",
        "line 17 is malformed: the request names no path",
        "line 21 is malformed: the time is not one",
        "line 28 is malformed: there is no whole user agent",
    ] {
        assert!(done.stdout.contains(told), "{told}\n{}", done.stdout);
    }
}

#[test]
fn bytes_that_are_no_text_do_not_stop_a_replay() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("access.log");
    let time = "[03/Feb/2025:10:00:00 +0000]";
    let mut bytes = b"\xff\xfe\0\x80\n".to_vec();
    bytes.extend(format!("192.0.2.1 - - {time} \"GET /caf").bytes());
    bytes.extend(b"\xe9 HTTP/1.1\" 200 1 \"-\" \"\xf0\x28\"\r\n");
    bytes.extend(format!("192.0.2.1 - - {time} \"GET /\0 HTTP/1.1\" 200 1 \"-\" \"-\"").bytes());
    fs::write(&log, bytes).unwrap();

    let done = replay(&[&log]);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(row(&done, "lines"), 3);
    assert_eq!(row(&done, "requests"), 2);
    assert_eq!(row(&done, "malformed lines"), 1);
    assert!(done.stdout.contains(VERDICT), "{}", done.stdout);
}

#[test]
fn a_second_replay_into_the_same_directory_leaves_the_first_ones_sessions_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("sessions");
    for round in 0..2 {
        let done = replay(&[&sample_log(), &data]);
        assert_eq!(
            done.code,
            Some(0),
            "round {round}: {}{}",
            done.stdout,
            done.stderr
        );
        assert_eq!(row(&done, "sessions"), 5, "round {round}");
    }
    let db = sessiondb::Database::open(&data).unwrap();
    assert_eq!(db.verify().unwrap().sessions, 10);
}

#[test]
fn an_empty_log_is_replayed_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("access.log");
    fs::write(&log, "").unwrap();
    let done = replay(&[&log]);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(row(&done, "requests"), 0);
}

#[test]
fn without_arguments_or_with_too_many_the_usage_is_told_and_the_exit_code_is_2() {
    for arguments in [&[][..], &["a", "b", "c"][..]] {
        let refused = run("replay", arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert!(
            refused.stderr.contains("usage: replay LOGFILE [DIRECTORY]"),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn a_log_that_is_missing_is_named_and_the_exit_code_is_1() {
    let refused = run("replay", &[OsStr::new("no/such/access.log")]);
    assert_eq!(refused.code, Some(1));
    let message = "replay: cannot open no/such/access.log:";
    assert!(refused.stderr.starts_with(message), "{}", refused.stderr);
}

#[test]
fn a_directory_that_is_a_file_is_named_and_the_exit_code_is_1() {
    let refused = replay(&[&sample_log(), &sample_log()]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("is not a directory"),
        "{}",
        refused.stderr
    );
}
