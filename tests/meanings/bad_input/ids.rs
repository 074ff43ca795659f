//! Session IDs are canonical base64url of 128 bits, and nothing else is one.

use std::collections::HashSet;

use sessiondb::{Error, SessionDigest, SessionId};

use super::super::support::{Footprint, Stage, fresh};

const TOKEN: &str = "BwcHBwcHBwcHBwcHBwcHBw";

/// What is not a token, and why.
const MALFORMED: &[(&str, &str)] = &[
    ("", "empty"),
    ("B", "one character"),
    ("BwcHBwcHBwcHBwcHBwcHB", "too short by one"),
    ("BwcHBwcHBwcHBwcHBwcHBwc", "too long by one"),
    ("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "256 bits"),
    ("BwcHBwcHBwcHBwcHBwcHBw==", "padding"),
    ("BwcHBwcHBwcHBwcHBwcHB=", "padding within 22 characters"),
    ("BwcHBwcHBwcHBwcHBwcH==", "padding of 120 bits"),
    ("======================", "padding alone"),
    ("BwcHBwcHBwcHBwcHBwcHBx", "a trailing bit"),
    ("BwcHBwcHBwcHBwcHBwcHB_", "all trailing bits"),
    ("BwcHBwcHBwcHBwcH+wcHBw", "the alphabet of base64"),
    ("BwcHBwcHBwcHBwcH/wcHBw", "the alphabet of base64"),
    (" BwcHBwcHBwcHBwcHBwcHBw", "a space before"),
    ("BwcHBwcHBwcHBwcHBwcHBw ", "a space behind"),
    ("BwcHBwcHBwcHBwcHBwcHBw\n", "a line end"),
    ("BwcHBwcHBwcH wcHBwcHBw", "a space within"),
    ("BwcHBwcHBwcH\0wcHBwcHBw", "a zero byte"),
    ("\"BwcHBwcHBwcHBwcHBwcHBw\"", "quotes"),
    ("BwcHBwcHBwcHBwcHBwcHé", "22 bytes that are not ASCII"),
    ("ääääääääääääääääääääää", "22 characters that are not ASCII"),
    ("07070707070707070707070707070707", "hexadecimal"),
    ("../../../../etc/passwd", "a path of 22 characters"),
];

#[test]
fn malformed_ids_are_invalid_and_open_nothing() {
    let (disk, db) = fresh();
    db.create_session().set("a", &1).unwrap();
    let before = Footprint::of(&disk, &db);
    for (token, why) in MALFORMED {
        let parsed = token.parse::<SessionId>();
        assert!(
            matches!(parsed, Err(Error::InvalidId { .. })),
            "{why}: {parsed:?}"
        );
        assert!(db.open_token(token).unwrap().is_none(), "{why}");
    }
    assert_eq!(Footprint::of(&disk, &db), before);
    assert_eq!(db.stats().resident_sessions, 1, "one session was written");
}

#[test]
fn of_the_last_characters_only_those_without_trailing_bits_are_accepted() {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let accepted = alphabet.chars().filter(|last| {
        let token = format!("{}{last}", &TOKEN[..21]);
        let parsed = token.parse::<SessionId>();
        parsed.is_ok_and(|id| id.to_string() == token)
    });
    assert_eq!(accepted.collect::<String>(), "AQgw");
}

#[test]
fn a_token_in_another_spelling_does_not_open_the_session() {
    for stage in Stage::each(|session| session.set("a", &1).unwrap()) {
        let token = stage.session.id().to_string();
        assert!(stage.db.open_token(&token).unwrap().is_some());
        let spellings = [
            format!("{token}="),
            format!("{token}=="),
            format!(" {token}"),
            token.to_uppercase(),
            token.to_lowercase(),
            stage.session.id().digest().to_string(),
        ];
        for other in spellings.iter().filter(|other| **other != token) {
            assert!(stage.db.open_token(other).unwrap().is_none(), "{stage}");
        }
    }
}

#[test]
fn an_id_round_trips_through_its_token_and_its_bytes() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut tokens = HashSet::new();
    for bytes in [[0; 16], [255; 16], [7; 16]]
        .into_iter()
        .chain((0..200).map(|_| {
            let mut bytes = [0; 16];
            random.fill(&mut bytes);
            bytes
        }))
    {
        let id = SessionId::from_bytes(bytes);
        let token = id.to_string();
        assert_eq!(token.len(), 22);
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(token.parse::<SessionId>().unwrap(), id);
        assert_eq!(id.to_bytes(), bytes);
        assert!(tokens.insert(token), "two IDs with one token");
    }
    assert_eq!(SessionId::from_bytes([7; 16]).to_string(), TOKEN);
}

#[test]
fn ids_are_equal_and_hash_by_their_bytes() {
    let (one, same, other) = (
        SessionId::from_bytes([1; 16]),
        SessionId::from_bytes([1; 16]),
        SessionId::from_bytes([2; 16]),
    );
    assert!(one == same && one != other);
    let set: HashSet<_> = [one, same, other].into();
    assert_eq!(set.len(), 2);
}

#[test]
fn an_id_is_shown_by_its_digest_and_never_by_its_token() {
    let id = SessionId::from_bytes([7; 16]);
    let shown = format!("{id:?} {id:#?}");
    assert!(shown.contains(&id.digest().to_string()), "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains("7, 7"), "{shown}");
}

#[test]
fn a_digest_is_32_lower_case_hexadecimal_digits_and_nothing_else() {
    let digest = SessionId::from_bytes([7; 16]).digest();
    let text = digest.to_string();
    assert_eq!(text.parse::<SessionDigest>().unwrap(), digest);
    assert_eq!(SessionDigest::from_bytes(digest.to_bytes()), digest);
    let malformed = [
        String::new(),
        text[..31].to_owned(),
        format!("{text}0"),
        format!("+{}", &text[..31]),
        format!("0x{}", &text[..30]),
        "ABCDEF0123456789ABCDEF0123456789".to_owned(),
        "g".repeat(32),
        "é".repeat(16),
    ];
    for text in malformed {
        let parsed = text.parse::<SessionDigest>();
        assert!(
            matches!(parsed, Err(Error::InvalidId { .. })),
            "{text}: {parsed:?}"
        );
    }
}

#[test]
fn the_refusal_of_an_id_does_not_quote_it() {
    for (token, why) in MALFORMED.iter().filter(|(token, _)| token.len() > 4) {
        let error = token.parse::<SessionId>().unwrap_err();
        for message in [error.to_string(), format!("{error:?}")] {
            assert!(!message.contains(token), "{why}: {message}");
            assert!(!message.contains("BwcH"), "{why}: {message}");
        }
    }
}
