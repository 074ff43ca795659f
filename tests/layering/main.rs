//! The architecture is held by tests: imports go downward only, and each
//! foreign crate of the storage is named in one place.

#![expect(clippy::unwrap_used, reason = "tests")]

mod checker_tests;
mod imports;
mod names;
mod rules;
mod source;
mod tokens;
mod tokens_tests;

use crate::rules::{Rules, Sideways, exported};
use crate::source::{Source, sources};

/// The table of layers: a module may import from the layers below it.
const LAYERS: &[&[&str]] = &[
    &["error", "session_id", "clock", "limits", "sync"],
    &["format"],
    &["disk", "journal", "segments", "index"],
    &["engine"],
    &["database", "session", "config", "maintenance"],
    // Other people's traits and the command line: the public interface only.
    &["adapters", "bin"],
];

/// What a module may import from its own layer, and why.
const SIDEWAYS: &[Sideways] = &[
    // The one error type says what is wrong with an ID.
    ("session_id", "error"),
    // Both keep their files on the one `Disk`.
    ("journal", "disk"),
    ("segments", "disk"),
    // A user's types hand each other out.
    ("config", "database"),
    ("config", "maintenance"),
    ("database", "config"),
    ("database", "maintenance"),
    ("database", "session"),
    ("session", "database"),
];

/// Crates that only one folder names, so that each can be replaced.
const CONFINED: &[(&str, &str)] = &[
    ("sled", "index"),
    ("bincode", "format"),
    ("crc32fast", "format"),
];

/// A file this long holds more than one noun.
const TOO_MANY_LINES: usize = 600;

#[test]
fn imports_go_downward_only() {
    let sources = sources("src");
    let root = sources.iter().find(|source| source.path == "src/lib.rs");
    let rules = Rules {
        layers: LAYERS,
        sideways: SIDEWAYS,
        exported: exported(root.unwrap()),
    };
    assert_none(&rules.violations(&sources));
}

#[test]
fn every_module_has_a_layer() {
    let unknown = sources("src").into_iter().filter(|source| {
        let module = source.module.first();
        module.is_some_and(|module| !LAYERS.iter().any(|layer| layer.contains(&module.as_str())))
    });
    let unknown: Vec<String> = unknown.map(|source| source.path).collect();
    assert_none(&unknown);
}

#[test]
fn sled_bincode_and_crc32fast_are_named_in_one_folder_each() {
    assert_none(&all(|source| names::confined(source, CONFINED)));
}

#[test]
fn nothing_is_unsafe_or_left_to_do() {
    assert_none(&all(names::forbidden));
}

#[test]
fn the_root_exports_names_and_no_modules() {
    let root = sources("src")
        .into_iter()
        .find(|source| source.path == "src/lib.rs");
    assert_none(&names::exported_as_a_whole(&root.unwrap()));
}

#[test]
fn every_file_is_short_enough_to_hold_one_noun() {
    let folders = ["src", "tests", "benches", "examples", "fuzz"];
    let files = folders.into_iter().flat_map(sources);
    let long: Vec<String> = files
        .filter(|file| file.lines >= TOO_MANY_LINES)
        .map(|file| format!("{}: {} lines", file.path, file.lines))
        .collect();
    assert_none(&long);
}

fn all(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let sources = sources("src");
    assert!(sources.len() > 50, "the sources were not found");
    sources.iter().flat_map(check).collect()
}

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
