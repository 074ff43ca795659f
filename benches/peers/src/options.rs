//! The command line: what every bench understands, and what this one does.

use std::path::PathBuf;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::engine::Kind;
use crate::engines;

pub(crate) struct Options {
    pub(crate) arguments: Arguments,
    pub(crate) json: Option<PathBuf>,
    pub(crate) kinds: Vec<Kind>,
}

impl Options {
    pub(crate) fn parse(words: Vec<String>) -> Outcome<Self> {
        let mut json = None;
        let mut asked: Option<Vec<String>> = None;
        let mut others = Vec::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => json = Some(words.next().ok_or("which file?")?.into()),
                "--engines" => {
                    let names = words.next().ok_or("which engines?")?;
                    asked = Some(names.split(',').map(str::to_owned).collect());
                }
                _ => others.push(word),
            }
        }
        Ok(Self {
            arguments: Arguments::parse(others.into_iter())?,
            json,
            kinds: choose(asked.as_deref())?,
        })
    }
}

/// Those that are asked for and can take part; ours always does.
fn choose(asked: Option<&[String]>) -> Outcome<Vec<Kind>> {
    let all = engines::all();
    let is_known = |name: &&String| all.iter().any(|kind| kind.name == **name);
    if let Some(unknown) = asked
        .unwrap_or_default()
        .iter()
        .find(|name| !is_known(name))
    {
        return Err(format!("there is no engine {unknown}").into());
    }
    let mut kinds = Vec::new();
    for kind in all {
        let is_asked = asked.is_none_or(|names| names.iter().any(|name| name == kind.name));
        if !is_asked && kind.name != engines::OURS {
            continue;
        }
        match (kind.hindrance)() {
            Some(hindrance) => println!("skipped: {}: {hindrance}", kind.name),
            None => kinds.push(kind),
        }
    }
    Ok(kinds)
}
