//! Which imports are allowed.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Import, imports};
use crate::source::Source;

/// One module that may import another of its own layer.
pub(crate) type Sideways = (&'static str, &'static str);

/// The table of layers.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) layers: &'static [&'static [&'static str]],
    pub(crate) sideways: &'static [Sideways],
    /// The public names, and the module that each comes from.
    pub(crate) exported: BTreeMap<String, String>,
}

impl Rules {
    /// Every import that the table forbids, and every exception that nobody
    /// needs.
    pub(crate) fn violations(&self, sources: &[Source]) -> Vec<String> {
        let read: Vec<_> = sources.iter().map(imports).collect();
        let tests: BTreeSet<&[String]> = read
            .iter()
            .flat_map(|file| file.test_modules.iter().map(Vec::as_slice))
            .collect();
        let is_test = |source: &Source| {
            let mut outer = (1..=source.module.len()).filter_map(|to| source.module.get(..to));
            outer.any(|module| tests.contains(module))
        };
        let mut violations = Vec::new();
        let mut unused: BTreeSet<Sideways> = self.sideways.iter().copied().collect();
        for (source, file) in sources.iter().zip(&read) {
            let Some(module) = source.module.first().filter(|_| !is_test(source)) else {
                continue;
            };
            for import in &file.imports {
                if let Err(reason) = self.check(module, import, &mut unused) {
                    let (path, line) = (&source.path, import.line);
                    violations.push(format!("{path}:{line}: {module} {reason}"));
                }
            }
        }
        let unused = unused.into_iter();
        violations.extend(unused.map(|(from, to)| format!("{from} need not import {to}")));
        violations
    }

    fn check(
        &self,
        module: &str,
        import: &Import,
        unused: &mut BTreeSet<Sideways>,
    ) -> Result<(), String> {
        let Some(name) = import.target.as_deref() else {
            return Err("imports the crate's root as a whole".to_owned());
        };
        let from = self.layer(module)?;
        let is_outermost = from + 1 == self.layers.len();
        let origin = self.exported.get(name);
        if name == module || is_outermost && origin.is_some() {
            return Ok(());
        }
        if is_outermost {
            return Err(format!("imports {name}, which is not public"));
        }
        let target = origin.map_or(name, String::as_str);
        let to = self.layer(target)?;
        let pair = |known: &Sideways| *known == (module, target);
        if target == module || to < from {
            Ok(())
        } else if let Some(exception) = self.sideways.iter().copied().find(pair) {
            unused.remove(&exception);
            Ok(())
        } else {
            Err(format!("(layer {from}) imports {target} (layer {to})"))
        }
    }

    fn layer(&self, module: &str) -> Result<usize, String> {
        let mut layers = self.layers.iter();
        let layer = layers.position(|layer| layer.contains(&module));
        layer.ok_or_else(|| format!("meets {module}, which has no layer"))
    }
}

/// The names that `lib.rs` exports by `pub use module::{names}`.
pub(crate) fn exported(root: &Source) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for at in 0..root.tokens.len() {
        if root.reads(at, &["pub", "use"]) {
            let module = root.text(at + 2);
            let tail = (at + 3..).map(|at| root.text(at));
            let words = tail.take_while(|text| !matches!(*text, ";" | ""));
            let words = words.filter(|text| text.starts_with(char::is_alphabetic));
            names.extend(words.map(|name| (name.to_owned(), module.to_owned())));
        }
    }
    names
}
