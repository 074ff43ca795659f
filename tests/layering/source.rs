//! A source file: where it stands in the tree of modules, and its tokens.

use std::fs;
use std::path::Path;

use crate::tokens::{Token, tokens};

/// A source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root of the repository.
    pub(crate) path: String,
    /// The module's path from the root of the crate; empty for `lib.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) lines: usize,
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    /// A file with this text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            module: module(path),
            lines: text.lines().count(),
            tokens: tokens(text),
        }
    }

    /// The text of a token; empty beyond the end.
    pub(crate) fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Whether these texts follow each other from a token on.
    pub(crate) fn reads(&self, at: usize, texts: &[&str]) -> bool {
        let ahead = texts.iter().enumerate();
        ahead.fold(true, |reads, (count, text)| {
            reads && self.text(at + count) == *text
        })
    }
}

/// `src/journal/reader.rs` is `journal::reader`, `src/journal/mod.rs` is
/// `journal`.
fn module(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// All source files in a folder of the repository and below; none where there
/// is no such folder.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let mut found = Vec::new();
    for name in names {
        let path = format!("{folder}/{name}");
        if name != "target" && root.join(&path).is_dir() {
            found.extend(sources(&path));
        } else if Path::new(&name).extension().is_some_and(|is| is == "rs") {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            found.push(Source::new(&path, &text));
        }
    }
    found
}
