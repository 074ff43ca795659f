//! The rows of the index trees that say nothing new: what is due when, and who
//! owns what. Only those of what is due have values.

use super::identity::Timestamp;
use super::record::row_hash;
use crate::session_id::SessionDigest;

const DIGEST_BYTES: usize = 16;

/// Members of a group of hints when it is made, at most.
pub(crate) const GROUP_MEMBERS: usize = 128;

/// The key of a group of hints: times sort as bytes.
pub(crate) fn timed_key(time: Timestamp, digest: SessionDigest) -> [u8; 24] {
    let mut key = [0; 24];
    for (to, from) in key
        .iter_mut()
        .zip(time.0.to_be_bytes().into_iter().chain(digest.to_bytes()))
    {
        *to = from;
    }
    key
}

/// The time and the digest of a [`timed_key`].
pub(crate) fn split_timed_key(key: &[u8]) -> Option<(Timestamp, SessionDigest)> {
    let (time, digest) = key.split_first_chunk()?;
    let digest = digest.try_into().ok()?;
    Some((
        Timestamp(u64::from_be_bytes(*time)),
        SessionDigest::from_bytes(digest),
    ))
}

/// The row of a group of hints: its members, which are in order.
pub(crate) fn encode_members(members: &[SessionDigest]) -> Vec<u8> {
    let bytes = members.iter().flat_map(|digest| digest.to_bytes());
    let mut row = Vec::with_capacity(members.len().saturating_mul(DIGEST_BYTES));
    row.extend(bytes);
    row
}

/// The members of a group of hints: at least one, each once, in order.
pub(crate) fn decode_members(row: &[u8]) -> Option<Vec<SessionDigest>> {
    let (digests, rest) = row.as_chunks::<DIGEST_BYTES>();
    let is_sorted = digests.is_sorted_by(|one, other| one < other);
    if digests.is_empty() || !rest.is_empty() || !is_sorted {
        return None;
    }
    let members = digests.iter().copied().map(SessionDigest::from_bytes);
    Some(members.collect())
}

/// What the keys of all sessions of an owner begin with: the length tells
/// `ann` from `anna`, whatever bytes follow.
pub(crate) fn owner_prefix(owner: &str) -> Vec<u8> {
    let length = u16::try_from(owner.len()).unwrap_or(u16::MAX);
    let mut key = Vec::with_capacity(2 + owner.len() + DIGEST_BYTES);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(owner.as_bytes());
    key
}

/// The key of an owner's session.
pub(crate) fn owner_key(owner: &str, digest: SessionDigest) -> Vec<u8> {
    let mut key = owner_prefix(owner);
    key.extend_from_slice(&digest.to_bytes());
    key
}

/// The owner and the digest of an [`owner_key`].
pub(crate) fn split_owner_key(key: &[u8]) -> Option<(&str, SessionDigest)> {
    let (length, rest) = key.split_first_chunk()?;
    let (owner, digest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let owner = std::str::from_utf8(owner).ok()?;
    Some((owner, SessionDigest::from_bytes(digest.try_into().ok()?)))
}

/// What a row adds to the sum of its tree.
pub(crate) fn key_hash(key: &[u8]) -> u64 {
    row_hash(key, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: SessionDigest = SessionDigest::from_bytes([7; 16]);

    #[test]
    fn the_keys_of_times_sort_by_time() {
        let keys = [0, 1, 255, 256, u64::MAX].map(|time| timed_key(Timestamp(time), DIGEST));
        assert!(keys.is_sorted());
        assert_eq!(
            split_timed_key(&keys[3]),
            Some((Timestamp(256), DIGEST)),
            "the key says what it was made of"
        );
    }

    #[test]
    fn a_group_says_what_it_was_made_of() {
        let members: Vec<_> = (0..200)
            .map(|byte| SessionDigest::from_bytes([byte; 16]))
            .collect();
        for members in [&members[..1], &members[..GROUP_MEMBERS], &members] {
            let row = encode_members(members);
            assert_eq!(row.len(), 16 * members.len());
            assert_eq!(decode_members(&row).as_deref(), Some(members));
        }
    }

    #[test]
    fn a_group_of_hints_never_changes() {
        let key = timed_key(Timestamp(0x0102_0304), DIGEST);
        assert_eq!(key[..8], [0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(key[8..], [7; 16]);
        let members = [DIGEST, SessionDigest::from_bytes([9; 16])];
        assert_eq!(encode_members(&members), [[7; 16], [9; 16]].concat());
        let readme = include_str!("README.md");
        assert!(readme.contains("hint_at:byte{8} first:digest              -> digest*"));
        assert!(readme.contains(&format!("at most {GROUP_MEMBERS} when it is made")));
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let [low, high] = [1, 2].map(|byte| [byte; 16]);
        let refused = [
            Vec::new(),
            vec![0; 15],
            vec![0; 17],
            [low, low].concat(),
            [high, low].concat(),
        ];
        for row in refused {
            assert_eq!(decode_members(&row), None, "{row:?}");
        }
        assert!(decode_members(&[low, high].concat()).is_some());
    }

    #[test]
    fn no_owner_is_another_ones_prefix() {
        for (one, other) in [
            ("ann", "anna"),
            ("", "a"),
            ("a", "a\0"),
            ("é", "é\u{10ffff}"),
        ] {
            assert!(!owner_key(other, DIGEST).starts_with(&owner_prefix(one)));
        }
    }

    #[test]
    fn an_owners_key_says_what_it_was_made_of() {
        for owner in ["a", "a\0b", &"o".repeat(512)] {
            let key = owner_key(owner, DIGEST);
            assert_eq!(split_owner_key(&key), Some((owner, DIGEST)));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bytes in [&[][..], &[0], &[0; 17], &[0, 9, 1], &[0; 25], &[0xff; 40]] {
            assert_eq!(split_timed_key(bytes), None, "{bytes:?}");
        }
        for bytes in [&[][..], &[0], &[0; 17], &[0, 9, 1], &[0; 19], &[0xff; 40]] {
            assert_eq!(split_owner_key(bytes), None, "{bytes:?}");
        }
    }
}
