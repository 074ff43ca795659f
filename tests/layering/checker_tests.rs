//! The checker, on made-up sources that break the rules and some that do not.

use std::collections::BTreeMap;

use crate::names::{confined, exported_as_a_whole, forbidden};
use crate::rules::{Rules, exported};
use crate::source::Source;
use crate::{CONFINED, LAYERS};

fn rules() -> Rules {
    let root = Source::new(
        "src/lib.rs",
        "pub use error::{Error, Result}; pub use engine::Durability; pub use database::Database;",
    );
    Rules {
        layers: LAYERS,
        sideways: &[],
        exported: exported(&root),
    }
}

fn violations(path: &str, text: &str) -> Vec<String> {
    rules().violations(&[Source::new(path, text)])
}

fn is_refused(path: &str, text: &str) {
    assert_eq!(violations(path, text).len(), 1, "{path}: {text}");
}

fn is_fine(path: &str, text: &str) {
    assert_eq!(violations(path, text), [""; 0], "{path}: {text}");
}

#[test]
fn an_import_from_above_is_refused_with_its_place() {
    assert_eq!(
        violations(
            "src/format/page.rs",
            "use std::fmt;\nuse crate::journal::Position;"
        ),
        ["src/format/page.rs:2: format (layer 1) imports journal (layer 2)"]
    );
}

#[test]
fn an_import_from_below_or_from_the_own_module_is_fine() {
    is_fine(
        "src/engine/open.rs",
        "use crate::disk::Disk; use crate::error::Error;",
    );
    is_fine(
        "src/engine/open.rs",
        "use crate::engine::Options; use super::cell::Cell;",
    );
    is_fine("src/disk/simulated/state.rs", "use super::super::Disk;");
}

#[test]
fn an_import_from_the_own_layer_is_refused() {
    is_refused("src/segments/scan.rs", "use crate::journal::Journal;");
    is_refused("src/limits.rs", "use crate::error::Error;");
}

#[test]
fn an_import_from_the_own_layer_is_fine_where_the_table_names_it() {
    let mut rules = rules();
    rules.sideways = &[("journal", "disk")];
    let source = Source::new("src/journal/files.rs", "use crate::disk::Disk;");
    assert_eq!(rules.violations(&[source]), [""; 0]);
    let source = Source::new("src/segments/files.rs", "use crate::disk::Disk;");
    assert_eq!(rules.violations(&[source]).len(), 2);
}

#[test]
fn an_exception_that_nobody_needs_is_refused() {
    let mut rules = rules();
    rules.sideways = &[("journal", "disk")];
    assert_eq!(rules.violations(&[]), ["journal need not import disk"]);
}

#[test]
fn a_path_inside_a_function_counts() {
    is_refused(
        "src/index/rows.rs",
        "fn f() { let e = crate::engine::Engine::new(); }",
    );
    is_refused(
        "src/index/rows.rs",
        "fn f(e: &dyn crate::session::Session) {}",
    );
    is_refused(
        "src/index/rows.rs",
        "macro_rules! m { () => { $crate::engine::f() } }",
    );
}

#[test]
fn every_branch_of_a_tree_counts() {
    is_refused(
        "src/engine/mod.rs",
        "use crate::{disk::{Disk, DiskLock}, session, format};",
    );
    is_refused(
        "src/engine/mod.rs",
        "use crate::{disk::Disk, format::{a, b}, config::Builder};",
    );
    is_fine(
        "src/engine/mod.rs",
        "use crate::{disk::{self, Disk as D}, format, index::*};",
    );
}

#[test]
fn climbing_out_of_the_module_counts() {
    is_refused(
        "src/disk/simulated/state.rs",
        "use super::super::super::engine::Engine;",
    );
    is_refused("src/disk/mod.rs", "use super::engine::Engine;");
    is_refused("src/limits.rs", "fn f() { super::engine::f() }");
    is_refused(
        "src/disk/real.rs",
        "mod inner { use super::super::super::engine::Engine; }",
    );
    is_fine(
        "src/disk/real.rs",
        "mod inner { use super::super::engine; } use super::x;",
    );
}

#[test]
fn the_root_as_a_whole_is_refused() {
    is_refused("src/engine/mod.rs", "use crate::*;");
    is_refused("src/engine/mod.rs", "use crate as everything;");
    is_refused("src/engine/mod.rs", "use crate::{self};");
    is_refused("src/engine.rs", "use super::*;");
}

#[test]
fn a_public_name_counts_as_its_module() {
    is_fine(
        "src/index/mod.rs",
        "fn f() -> crate::Result<()> { Err(crate::Error::Closed) }",
    );
    is_refused("src/index/mod.rs", "fn f(d: crate::Durability) {}");
    is_refused("src/engine/mod.rs", "use crate::Database;");
}

#[test]
fn a_module_without_a_layer_is_refused() {
    is_refused("src/engine/mod.rs", "use crate::helpers::x;");
    is_refused("src/helpers.rs", "use crate::error::Error;");
}

#[test]
fn an_adapter_may_use_the_public_names_only() {
    is_fine("src/adapters/tower.rs", "use crate::{Database, Error};");
    is_refused("src/adapters/tower.rs", "use crate::engine::Durability;");
    is_refused("src/adapters/tower.rs", "use crate::database::Database;");
}

#[test]
fn visibility_is_no_import() {
    is_fine(
        "src/index/mod.rs",
        "pub(crate) fn f() {} pub(super) struct S;",
    );
    is_fine(
        "src/format/a/b.rs",
        "pub(in super::super) fn f() {} pub(in crate::format) fn g() {}",
    );
}

#[test]
fn comments_and_texts_are_no_imports() {
    is_fine(
        "src/index/mod.rs",
        "/// [`crate::engine::Engine`]\nfn f() { \"crate::engine\"; }",
    );
}

#[test]
fn tests_may_import_from_above() {
    is_fine(
        "src/disk/real.rs",
        "#[cfg(test)]\n#[expect(x)]\nmod tests { use crate::engine::Engine; fn f() {} }",
    );
    is_fine(
        "src/disk/real.rs",
        "#[cfg(test)] use crate::engine::Engine;",
    );
    let module = Source::new("src/disk/real.rs", "#[cfg(test)]\nmod tests;");
    let tests = Source::new("src/disk/real/tests.rs", "use crate::engine::Engine;");
    let inner = Source::new("src/disk/real/tests/more.rs", "use crate::engine::Engine;");
    assert_eq!(rules().violations(&[module, tests, inner]), [""; 0]);
}

#[test]
fn what_follows_the_tests_of_a_file_counts_again() {
    is_refused(
        "src/disk/real.rs",
        "#[cfg(test)] mod tests { fn f() { { } } } use crate::engine::Engine;",
    );
    is_refused(
        "src/disk/real.rs",
        "#[cfg(test)] mod tests; use crate::engine::Engine;",
    );
}

#[test]
fn a_file_that_only_calls_itself_tests_counts() {
    is_refused("src/disk/tests.rs", "use crate::engine::Engine;");
    is_refused(
        "src/disk/real.rs",
        "#[cfg(unix)] mod x { use crate::engine::Engine; }",
    );
}

#[test]
fn exports_are_read_from_the_root() {
    let root = Source::new(
        "src/lib.rs",
        "mod a; pub use a::X; #[cfg(y)] pub use b::{C, D,};",
    );
    let pairs = [("X", "a"), ("C", "b"), ("D", "b")];
    let expected = pairs.map(|(name, module)| (name.to_owned(), module.to_owned()));
    assert_eq!(exported(&root), BTreeMap::from(expected));
}

#[test]
fn a_confined_crate_elsewhere_is_refused() {
    let named = |path, text| confined(&Source::new(path, text), CONFINED).len();
    assert_eq!(named("src/engine/open.rs", "use sled::Db;"), 1);
    assert_eq!(
        named("src/engine/open.rs", "fn f() { ::bincode::serialize(x) }"),
        1
    );
    assert_eq!(named("src/index/rows.rs", "use crc32fast::Hasher;"), 1);
    assert_eq!(named("src/lib.rs", "extern crate sled;"), 1);
    assert_eq!(
        named("src/engine/open.rs", "// sled\nf(\"sled\"); unsled();"),
        0
    );
    assert_eq!(named("src/index/rows.rs", "use sled::Db;"), 0);
    assert_eq!(
        named(
            "src/format/codec.rs",
            "use bincode::Options; crc32fast::hash(b)"
        ),
        0
    );
}

#[test]
fn what_is_unsafe_or_left_to_do_is_refused() {
    let found = |text| forbidden(&Source::new("src/x.rs", text)).len();
    assert_eq!(found("fn f() { unsafe { g() } }"), 1);
    assert_eq!(
        found("fn f() { todo!() } fn g() { unimplemented!(); dbg!(x); }"),
        3
    );
    assert_eq!(found("#![forbid(unsafe_code)] // unsafe\nlet todo = 1;"), 0);
}

#[test]
fn an_exported_module_is_refused() {
    let found = |text| exported_as_a_whole(&Source::new("src/lib.rs", text)).len();
    assert_eq!(found("pub mod engine;"), 1);
    assert_eq!(found("pub use engine::*;"), 1);
    assert_eq!(found("mod engine; pub use engine::Durability;"), 0);
}
