//! Words that may stand in one folder only, or nowhere.

use crate::source::Source;

/// Where a crate is named outside its folder.
pub(crate) fn confined(source: &Source, confined: &[(&str, &str)]) -> Vec<String> {
    let home = source.module.first().map_or("", String::as_str);
    let strays = source.tokens.iter().filter(|token| {
        let mut rules = confined.iter();
        rules.any(|(name, folder)| token.text == *name && home != *folder)
    });
    strays
        .map(|token| format!("{}:{}: {}", source.path, token.line, token.text))
        .collect()
}

/// Where something stands that may stand nowhere.
pub(crate) fn forbidden(source: &Source) -> Vec<String> {
    let tokens = source.tokens.iter().enumerate();
    let found = tokens.filter(|(at, token)| match token.text.as_str() {
        "unsafe" => true,
        "todo" | "unimplemented" | "dbg" => source.text(at + 1) == "!",
        _ => false,
    });
    found
        .map(|(_, token)| format!("{}:{}: {}", source.path, token.line, token.text))
        .collect()
}

/// Where the root exports a module, or all of one.
pub(crate) fn exported_as_a_whole(root: &Source) -> Vec<String> {
    let tokens = root.tokens.iter().enumerate();
    let found = tokens.filter(|(at, token)| {
        root.reads(*at, &["pub", "mod"]) || token.text == "*" && root.text(at + 1) == ";"
    });
    found
        .map(|(_, token)| format!("{}:{}", root.path, token.line))
        .collect()
}
