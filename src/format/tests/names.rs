//! IDs and digests: the token for the cookie, and the name on disk.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::session_id::SessionId;

#[test]
fn the_token_of_an_id_never_changes() {
    let id = SessionId::from_bytes(DATABASE.0);
    assert_eq!(id.to_string(), "AAECAwQFBgcICQoLDA0ODw");
    assert_eq!("AAECAwQFBgcICQoLDA0ODw".parse::<SessionId>().unwrap(), id);
    let id = SessionId::from_bytes([0xff; 16]);
    assert_eq!(id.to_string(), "_____________________w");
    let id = SessionId::from_bytes([0xfb; 16]);
    assert_eq!(id.to_string(), "-_v7-_v7-_v7-_v7-_v7-w");
}

/// The first half of `SHA-256(00 01 .. 0f)`, from another implementation.
#[test]
fn the_digest_of_an_id_never_changes() {
    let digest = SessionId::from_bytes(DATABASE.0).digest();
    assert_eq!(digest.to_string(), "be45cb2605bf36bebde684841a28f0fd");
    assert_eq!(
        "be45cb2605bf36bebde684841a28f0fd"
            .parse::<SessionDigest>()
            .unwrap(),
        digest
    );
}

proptest! {
    #[test]
    fn a_digest_is_the_first_half_of_the_hash(bytes: [u8; 16]) {
        let hash = Sha256::digest(bytes);
        let digest = SessionId::from_bytes(bytes).digest();
        prop_assert_eq!(&digest.to_bytes()[..], &hash[..16]);
    }
}

#[test]
fn only_the_canonical_token_is_an_id() {
    for text in [
        "",
        "AAECAwQFBgcICQoLDA0OD",      // too short
        "AAECAwQFBgcICQoLDA0ODw=",    // padding
        "AAECAwQFBgcICQoLDA0ODwA",    // too long
        "AAECAwQFBgcICQoLDA0ODx",     // bits behind the last byte
        "AAECAwQFBgcICQoLDA0ODz",     // likewise
        "AAECAwQFBgcICQoLDA0OD ",     // white space
        "+/v7+/v7+/v7+/v7+/v7+w",     // the other alphabet
        "AAECAwQFBgcICQoLDA0O\u{e9}", // 22 bytes, and no letter
    ] {
        assert!(text.parse::<SessionId>().is_err(), "{text:?}");
    }
}

#[test]
fn only_lower_case_digits_are_a_digest() {
    let digest = DIGEST.to_string();
    for text in [
        String::new(),
        digest[1..].to_owned(),
        format!("{digest}0"),
        digest.to_uppercase(),
        digest.replace("d0", "+0"),
        digest.replace("d0", "g0"),
        digest.replace("d0", "\u{e9}"),
    ] {
        assert!(text.parse::<SessionDigest>().is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn ids_and_digests_round_trip(bytes in any::<[u8; 16]>()) {
        let id = SessionId::from_bytes(bytes);
        prop_assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        prop_assert_eq!(id.to_bytes(), bytes);
        let digest = SessionDigest::from_bytes(bytes);
        prop_assert_eq!(digest.to_string().parse::<SessionDigest>().unwrap(), digest);
        is_raw(digest, bytes);
    }

    #[test]
    fn any_text_is_an_id_or_an_error(text in "\\PC{0,24}|[-_A-Za-z0-9]{22}|[0-9a-f]{32}") {
        if let Ok(id) = text.parse::<SessionId>() {
            prop_assert_eq!(id.to_string(), text.clone());
        }
        if let Ok(digest) = text.parse::<SessionDigest>() {
            prop_assert_eq!(digest.to_string(), text);
        }
    }
}

/// On disk a digest is its bytes and nothing else.
#[track_caller]
fn is_raw(digest: SessionDigest, bytes: [u8; 16]) {
    assert_eq!(codec::encode(&digest).unwrap(), bytes);
    assert_eq!(codec::decode(&bytes, "a digest"), Ok(digest));
}
