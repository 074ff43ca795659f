//! A page: found in it is what was put into it, and what is no page is refused.

use super::super::codec::Malformed;
use super::super::page::{Fences, write_body};
use super::*;
use crate::limits::{MAX_KEY_BYTES, MAX_VALUE_BYTES};

fn entry<'a>(key: &'a str, value: &'a [u8]) -> Entry<'a> {
    Entry {
        key,
        value,
        deadline: None,
    }
}

fn fences(lower: &str, upper: Option<&str>) -> Fences {
    Fences {
        lower: lower.into(),
        upper: upper.map(Box::from),
    }
}

/// A body with these entries in this order, which `write_body` would refuse
/// when it is wrong.
fn body(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u16::try_from(length).unwrap().to_le_bytes();
    let mut body = vec![u8::try_from(entries.len()).unwrap(), 0, 0, 0];
    let mut place = 4 + 2 * entries.len();
    for (key, value) in entries {
        body.extend_from_slice(&number(place));
        place += 2 + key.len() + value.len();
    }
    for (key, value) in entries {
        body.extend_from_slice(&number(key.len()));
        body.extend_from_slice(key);
        body.extend_from_slice(value);
    }
    body
}

fn parse(body: &[u8]) -> Result<Page, Malformed> {
    Page::parse(body, fences("", None))
}

#[track_caller]
fn is_refused(body: &[u8], reason: &'static str) {
    assert_eq!(parse(body).map(|_| ()), Err(Malformed::Damaged(reason)));
}

const TABLE: &str = "a page's table of entries is damaged";
const ORDER: &str = "a page's keys are out of order";
const LIMITS: &str = "a page's entry is over the limits";

#[test]
fn a_search_finds_each_key_and_the_gap_of_every_other() {
    for count in 0..9 {
        let keys: Vec<String> = (0..count)
            .map(|index| format!("k{:02}", 2 * index + 1))
            .collect();
        let entries: Vec<Entry<'_>> = keys.iter().map(|key| entry(key, key.as_bytes())).collect();
        let mut bytes = Vec::new();
        write_body(&mut bytes, &entries).unwrap();
        let page = parse(&bytes).unwrap();
        assert_eq!(page.len(), count);
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(page.search(key), Ok(index));
            let found = page.find(key).unwrap();
            assert_eq!(found.key, key);
            assert_eq!(&page.raw()[found.value], key.as_bytes());
            let before = format!("k{:02}", 2 * index);
            assert_eq!(page.search(&before), Err(index));
            assert!(page.find(&before).is_none());
        }
        assert_eq!(page.search(""), Err(0));
        assert_eq!(page.search("l"), Err(count));
    }
}

#[test]
fn keys_that_look_alike_to_a_lookup_are_told_apart() {
    let keys: Vec<String> = (0..2000).map(|number| format!("k{number:04}")).collect();
    let (even, odd): (Vec<&str>, Vec<&str>) =
        keys.chunks(2).map(|pair| (&*pair[0], &*pair[1])).unzip();
    let entries: Vec<Entry<'_>> = even.iter().map(|key| entry(key, key.as_bytes())).collect();
    let mut bytes = Vec::new();
    write_body(&mut bytes, &entries).unwrap();
    let page = parse(&bytes).unwrap();
    for key in even {
        let found = page.find(key).unwrap();
        assert_eq!((found.key, &page.raw()[found.value]), (key, key.as_bytes()));
    }
    assert!(odd.into_iter().all(|key| page.find(key).is_none()));
}

#[test]
fn keys_are_in_the_order_of_their_bytes() {
    let keys = [
        "Z",
        "a",
        "a\0",
        "a\0b",
        "aa",
        "z",
        "\u{e9}",
        "\u{ffff}",
        "\u{10000}",
    ];
    let entries = keys.map(|key| entry(key, b"\0"));
    let mut bytes = Vec::new();
    write_body(&mut bytes, &entries).unwrap();
    let page = parse(&bytes).unwrap();
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(page.search(key), Ok(index), "{key:?}");
    }
}

#[test]
fn an_entry_takes_the_bytes_that_it_says() {
    for deadline in [None, Some(LATER)] {
        let entry = Entry {
            key: "key",
            value: b"value",
            deadline,
        };
        let mut bytes = Vec::new();
        write_body(&mut bytes, &[entry]).unwrap();
        assert_eq!(bytes.len(), 4 + entry.size());
    }
}

#[test]
fn fences_contain_what_lies_from_the_lower_up_to_the_upper() {
    let first = fences("", Some("m"));
    assert!(first.contain("") && first.contain("a") && first.contain("lzzz"));
    assert!(!first.contain("m") && !first.contain("m\0") && !first.contain("z"));
    let last = fences("m", None);
    assert!(last.contain("m") && last.contain("m\0") && last.contain("\u{10ffff}"));
    assert!(!last.contain("") && !last.contain("lzzz"));
    assert!(!fences("m", Some("m")).contain("m"));
}

#[test]
fn a_key_outside_the_fences_is_refused() {
    let bytes = body(&[(b"b", b"\0"), (b"c", b"\0")]);
    let parse = |lower, upper| {
        let parsed = Page::parse(&bytes, fences(lower, upper));
        parsed.map(|page| page.fences().clone())
    };
    for (lower, upper) in [
        ("", None),
        ("b", None),
        ("b", Some("c\0")),
        ("a", Some("d")),
    ] {
        assert_eq!(parse(lower, upper), Ok(fences(lower, upper)));
    }
    for (lower, upper) in [
        ("b\0", None),
        ("c", None),
        ("b", Some("c")),
        ("", Some("b")),
    ] {
        assert_eq!(parse(lower, upper), Err(Malformed::Damaged(ORDER)));
    }
}

#[test]
fn keys_that_do_not_ascend_are_refused() {
    is_refused(&body(&[(b"b", b""), (b"a", b"")]), ORDER);
    is_refused(&body(&[(b"a", b"1"), (b"a", b"2")]), ORDER);
    is_refused(&body(&[(b"a", b""), (b"c", b""), (b"b", b"")]), ORDER);
    assert!(parse(&body(&[(b"a", b""), (b"b", b""), (b"c", b"")])).is_ok());
}

#[test]
fn an_entry_over_the_limits_is_refused() {
    let longest_key = vec![b'k'; MAX_KEY_BYTES];
    let longest_value = vec![0; MAX_VALUE_BYTES];
    assert!(parse(&body(&[(&longest_key, &longest_value)])).is_ok());
    let key = vec![b'k'; MAX_KEY_BYTES + 1];
    is_refused(&body(&[(&key, b"\0")]), LIMITS);
    let value = vec![0; MAX_VALUE_BYTES + 1];
    is_refused(&body(&[(b"k", &value)]), LIMITS);
    is_refused(&body(&[(b"", b"\0")]), LIMITS);
}

#[test]
fn a_key_that_is_not_utf_8_is_refused() {
    is_refused(&body(&[(b"\xff", b"\0")]), TABLE);
    is_refused(&body(&[(b"\xed\xa0\x80", b"\0")]), TABLE);
    assert!(parse(&body(&[("\u{10ffff}".as_bytes(), b"\xff")])).is_ok());
}

#[test]
fn a_count_that_is_not_the_number_of_entries_is_refused() {
    let whole = body(&[(b"a", b"1"), (b"b", b"2")]);
    for count in [0, 1, 3, 4, 1 << 20, u32::MAX / 4, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[..4].copy_from_slice(&count.to_le_bytes());
        is_refused(&bytes, TABLE);
    }
    is_refused(&[], TABLE);
    is_refused(&[0, 0, 0], TABLE);
}

#[test]
fn entries_lie_one_behind_another_and_nothing_between() {
    let whole = body(&[(b"a", b"1"), (b"b", b"2")]);
    assert!(parse(&whole).is_ok());
    // Each slot, and both at once: anywhere else than where the entry is. Of the
    // value before it nothing is there then.
    for place in 0..30_u16 {
        for slots in [&[4][..], &[6], &[4, 6]] {
            let mut bytes = whole.clone();
            for slot in slots.iter().copied() {
                bytes[slot..slot + 2].copy_from_slice(&place.to_le_bytes());
            }
            assert_eq!(parse(&bytes).is_ok(), bytes == whole, "{place} {slots:?}");
        }
    }
    // A byte before the first entry, and the table that says so.
    let mut bytes = whole.clone();
    bytes.insert(8, 0);
    for slot in [4, 6] {
        bytes[slot] += 1;
    }
    is_refused(&bytes, TABLE);
    is_refused(&whole[..whole.len() - 2], TABLE);
}

#[test]
fn a_value_ends_where_the_next_entry_begins() {
    let mut bytes = body(&[(b"a", b"1"), (b"b", b"2")]);
    bytes.insert(12, b'1');
    bytes[6] += 1;
    bytes.push(b'2');
    assert_eq!(bytes, body(&[(b"a", b"11"), (b"b", b"22")]));
    let page = parse(&bytes).unwrap();
    assert_eq!(entry_of(&page, 0), Some(entry("a", b"11")));
    assert_eq!(entry_of(&page, 1), Some(entry("b", b"22")));
}

#[test]
fn an_entry_beyond_what_a_place_can_say_is_not_written() {
    let value = vec![0; 1 << 16];
    let mut bytes = Vec::new();
    assert!(write_body(&mut bytes, &[entry("a", &value)]).is_ok());
    let both = [entry("a", &value), entry("b", b"")];
    assert!(write_body(&mut bytes, &both).is_err());
}

#[test]
fn an_entry_that_reaches_out_of_the_page_is_refused() {
    let whole = body(&[(b"a", b"1")]);
    for length in [3, 4, 1 << 14, u16::MAX >> 1, 1 << 15, u16::MAX] {
        let mut bytes = whole.clone();
        bytes[6..8].copy_from_slice(&length.to_le_bytes());
        assert!(parse(&bytes).is_err(), "{length}");
    }
}

#[test]
fn a_page_is_read_up_to_its_end() {
    let whole = body(&[(b"a", b"1"), (b"b", b"2")]);
    let page = parse(&whole).unwrap();
    let found = page.find("b").unwrap();
    assert_eq!(&page.raw()[found.value], b"2");
    assert_eq!(entry_of(&page, 0), Some(entry("a", b"1")));
    assert_eq!(entry_of(&page, 2), None);
    for begin in 1..whole.len() {
        assert!(parse(&whole[begin..]).is_err());
    }
    // The last value goes on to there.
    let longer = [&whole[..], b"3"].concat();
    let page = parse(&longer).unwrap();
    assert_eq!(entry_of(&page, 1), Some(entry("b", b"23")));
}
