//! The body of an image and of a page.

use super::super::page::{Fences, write_body};
use super::*;

/// A body is written as these bytes, and they are read as it.
#[track_caller]
fn body_is_pinned(entries: &[Entry<'_>], text: &str) {
    let mut bytes = Vec::new();
    write_body(&mut bytes, entries).unwrap();
    assert_pinned(&bytes, text);
    let fences = Fences {
        lower: "".into(),
        upper: None,
    };
    let page = Page::parse(&pinned(text), fences).unwrap();
    let read: Vec<Entry<'_>> = (0..page.len())
        .filter_map(|index| entry_of(&page, index))
        .collect();
    assert_eq!(read, entries);
}

#[test]
fn the_body_of_a_page_never_changes() {
    body_is_pinned(
        &[
            Entry {
                key: "a",
                value: &[1, 2, 42],
                deadline: None,
            },
            Entry {
                key: "clé",
                value: b"\0raw",
                deadline: None,
            },
        ],
        "
        02 00 00 00                                     ; count 2
        08 00                                           ; place of an entry: 8
        0e 00                                           ; place of an entry: 14
        01 00                                           ; key_length 1
        61                                              ; key `a`
        01 02 2a                                        ; value
        04 00                                           ; key_length 4
        63 6c c3 a9                                     ; key `clé`
        00 72 61 77                                     ; value
        ",
    );
}

#[test]
fn the_deadline_of_a_key_in_a_page_never_changes() {
    body_is_pinned(
        &[
            Entry {
                key: "code",
                value: &[1, 5, 1, b'x'],
                deadline: Some(THEN),
            },
            Entry {
                key: "user",
                value: &[1, 0],
                deadline: None,
            },
        ],
        "
        02 00 00 00                                     ; count 2
        08 00                                           ; place of an entry: 8
        1a 00                                           ; place of an entry: 26
        04 80                                           ; key_length 4, with a deadline
        00 00 2a 36 fe 9c 97 17                         ; deadline 1700000000000000000
        63 6f 64 65                                     ; key `code`
        01 05 01 78                                     ; value
        04 00                                           ; key_length 4
        75 73 65 72                                     ; key `user`
        01 00                                           ; value
        ",
    );
}

#[test]
fn the_body_of_an_empty_page_never_changes() {
    body_is_pinned(&[], "00 00 00 00 ; count 0");
}
