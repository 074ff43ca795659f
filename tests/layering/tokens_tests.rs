//! The tokens of made-up texts.

use crate::tokens::tokens;

fn texts(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(|token| token.text).collect()
}

#[test]
fn paths_are_words_and_separators() {
    assert_eq!(
        texts("use a::{b,c};"),
        ["use", "a", "::", "{", "b", ",", "c", "}", ";"]
    );
}

#[test]
fn comments_are_left_out() {
    assert_eq!(texts("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
    assert_eq!(texts("/// crate::engine\n//! sled\nx"), ["x"]);
}

#[test]
fn what_stands_inside_literals_is_left_out() {
    assert_eq!(
        texts(r#"f("a \" // b", 'c', '\'', b'd', b"e")"#).concat(),
        r#"f(",',',',")"#
    );
    assert_eq!(
        texts(r##"g(r"h\", r#"i "j" k"#, br"l")"##).concat(),
        r#"g(",",")"#
    );
    assert_eq!(texts(r"'\u{41}' x"), ["'", "x"]);
}

#[test]
fn lifetimes_are_no_literals() {
    assert_eq!(texts("f::<'a>(&'static b)").concat(), "f::<>(&b)");
}

#[test]
fn raw_names_are_names() {
    assert_eq!(texts("r#type"), ["type"]);
}

#[test]
fn lines_are_counted_through_comments_and_literals() {
    let last = tokens("/* \n\n */ \"\n\\\n\" // c\nlast").pop().unwrap();
    assert_eq!((last.text.as_str(), last.line), ("last", 6));
}
