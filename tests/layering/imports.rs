//! What a source file names of its own crate, by `crate::`, `super::` or
//! `$crate::`, in `use` and anywhere else; tests left out.

use crate::source::Source;

/// Something of the crate that a file names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) line: usize,
    /// The first name below the crate's root; `None` for the root as a whole.
    pub(crate) target: Option<String>,
}

/// What a file names, and the modules that it declares for tests only.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    pub(crate) imports: Vec<Import>,
    pub(crate) test_modules: Vec<Vec<String>>,
}

/// Reads a file.
pub(crate) fn imports(source: &Source) -> Imports {
    let mut walk = Walk {
        source,
        at: 0,
        depth: 0,
        inline: Vec::new(),
        found: Imports::default(),
    };
    while walk.at < source.tokens.len() {
        walk.step();
    }
    walk.found
}

struct Walk<'s> {
    source: &'s Source,
    at: usize,
    /// How many braces are open.
    depth: usize,
    /// Modules in the file that are open, with the depth outside them.
    inline: Vec<(String, usize)>,
    found: Imports,
}

impl Walk<'_> {
    fn text(&self) -> &str {
        self.source.text(self.at)
    }

    fn step(&mut self) {
        if self.is_for_tests() {
            self.skip_item();
            return;
        }
        match self.text() {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.inline.retain(|(_, outside)| *outside < self.depth);
            }
            "mod" if self.source.text(self.at + 2) == "{" => {
                let name = self.source.text(self.at + 1).to_owned();
                self.inline.push((name, self.depth));
                self.at += 2;
                self.depth += 1;
            }
            "crate" | "super" if self.begins_path() => {
                self.path();
                return;
            }
            _ => {}
        }
        self.at += 1;
    }

    /// Whether a path begins here; `pub(crate)` and `pub(in super::super)`
    /// only say who may look.
    fn begins_path(&self) -> bool {
        let before = |count| self.at.checked_sub(count).map(|at| self.source.text(at));
        let is_inside = before(1) == Some("::");
        let is_visibility = (before(1) == Some("(") && before(2) == Some("pub"))
            || (before(1) == Some("in") && before(2) == Some("("));
        !is_inside && !is_visibility
    }

    /// The module here, modules in the file included.
    fn module(&self) -> Vec<String> {
        let inline = self.inline.iter().map(|(name, _)| name.clone());
        self.source.module.iter().cloned().chain(inline).collect()
    }

    fn path(&mut self) {
        let base = self.module();
        self.tree(base);
    }

    /// A path, or the tree of a `use`, from the module `base` on.
    fn tree(&mut self, mut base: Vec<String>) {
        loop {
            let line = self
                .source
                .tokens
                .get(self.at)
                .map_or(0, |token| token.line);
            match self.text() {
                "crate" => base.clear(),
                "super" => {
                    base.pop();
                }
                "self" => {}
                "{" => {
                    self.branches(&base);
                    return;
                }
                name => {
                    let name = Some(name.to_owned()).filter(|name| name != "*");
                    let target = base.first().cloned().or(name);
                    self.push(line, target);
                    self.at += 1;
                    return;
                }
            }
            self.at += 1;
            if self.text() != "::" {
                self.push(line, base.first().cloned());
                return;
            }
            self.at += 1;
        }
    }

    /// The branches of a tree, each up to its comma.
    fn branches(&mut self, base: &[String]) {
        self.at += 1;
        while !matches!(self.text(), "}" | "") {
            self.tree(base.to_vec());
            self.rest_of_branch();
        }
        self.at += 1;
    }

    /// What the first name of a branch decided already.
    fn rest_of_branch(&mut self) {
        let mut open = 0_usize;
        loop {
            match self.text() {
                "" => return,
                "}" if open == 0 => return,
                "," if open == 0 => {
                    self.at += 1;
                    return;
                }
                "{" => open += 1,
                "}" => open -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn push(&mut self, line: usize, target: Option<String>) {
        self.found.imports.push(Import { line, target });
    }

    /// Whether an item that only tests compile begins here.
    fn is_for_tests(&self) -> bool {
        let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
        self.source.reads(self.at, &attribute)
    }

    /// Skips attributes and the item behind them, up to its `;` or the end of
    /// its braces. Notes a module that stands in a file of its own.
    fn skip_item(&mut self) {
        while self.text() == "#" {
            self.skip_balanced("[", "]");
        }
        let mut item = self.at;
        while !matches!(self.source.text(item), "mod" | "{" | ";" | "") {
            item += 1;
        }
        if self
            .source
            .reads(item, &["mod", self.source.text(item + 1), ";"])
        {
            let mut module = self.module();
            module.push(self.source.text(item + 1).to_owned());
            self.found.test_modules.push(module);
        }
        while !matches!(self.text(), "{" | ";" | "") {
            self.at += 1;
        }
        if self.text() == "{" {
            self.skip_balanced("{", "}");
        } else {
            self.at += 1;
        }
    }

    /// Skips to behind the end of the next such pair.
    fn skip_balanced(&mut self, open: &str, close: &str) {
        let mut depth = 0_usize;
        while self.at < self.source.tokens.len() {
            let text = self.text();
            if text == open {
                depth += 1;
            } else if text == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    self.at += 1;
                    return;
                }
            }
            self.at += 1;
        }
    }
}
