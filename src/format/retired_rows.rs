//! The rows of the index tree of dead IDs.

use super::identity::Timestamp;
use super::record::row_hash;
use crate::session_id::SessionDigest;

const SHORT_BYTES: usize = 8;

/// Members of a row when one is added, at most: each that is added writes the
/// row again.
pub(crate) const ROW_MEMBERS: usize = 64;
/// Members of a row when many are made at once, at most: the index takes the least
/// space for rows of one to two kibibytes.
pub(crate) const PACKED_MEMBERS: usize = 192;

/// What the index holds of a dead ID: the first half of its digest.
///
/// The footers hold all of it. With N dead IDs, another one is taken for one of
/// them with a chance of N / 2^64: one that is unknown is called retired then,
/// and one that somebody chose is refused. None that is dead is ever taken for
/// another that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShortDigest([u8; SHORT_BYTES]);

/// A dead ID, by the time until when it must not come alive again.
pub(crate) type RetiredId = (Timestamp, ShortDigest);

impl ShortDigest {
    /// The lowest there can be.
    pub(crate) const FIRST: Self = Self([0; SHORT_BYTES]);
    /// And the highest.
    pub(crate) const LAST: Self = Self([0xff; SHORT_BYTES]);

    /// That of a digest.
    pub(crate) fn of(digest: SessionDigest) -> Self {
        Self(filled(digest.to_bytes()))
    }
}

/// The key of a row that begins with an ID: times sort as bytes.
pub(crate) fn retired_key((until, first): RetiredId) -> [u8; 16] {
    filled(until.0.to_be_bytes().into_iter().chain(first.0))
}

/// As many bytes as there is room for.
fn filled<const N: usize>(bytes: impl IntoIterator<Item = u8>) -> [u8; N] {
    let mut filled = [0; N];
    for (to, from) in filled.iter_mut().zip(bytes) {
        *to = from;
    }
    filled
}

/// What a [`retired_key`] was made of.
pub(crate) fn split_retired_key(key: &[u8]) -> Option<RetiredId> {
    let (until, first) = key.split_first_chunk()?;
    let first = first.try_into().ok()?;
    Some((Timestamp(u64::from_be_bytes(*until)), ShortDigest(first)))
}

/// A row: its members, which are in order.
pub(crate) fn encode_retired(members: &[ShortDigest]) -> Vec<u8> {
    let mut row = Vec::with_capacity(members.len().saturating_mul(SHORT_BYTES));
    row.extend(members.iter().flat_map(|member| member.0));
    row
}

/// The members of a row: at least one, each once, in order.
pub(crate) fn decode_retired(row: &[u8]) -> Option<Vec<ShortDigest>> {
    let (members, rest) = row.as_chunks::<SHORT_BYTES>();
    let is_sorted = members.is_sorted_by(|one, other| one < other);
    if members.is_empty() || !rest.is_empty() || !is_sorted {
        return None;
    }
    Some(members.iter().copied().map(ShortDigest).collect())
}

/// What an ID adds to the sum of its time.
pub(crate) fn retired_hash(id: RetiredId) -> u64 {
    row_hash(&retired_key(id), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: ShortDigest = ShortDigest([7; 8]);

    #[test]
    fn a_short_digest_is_the_first_half_of_a_digest() {
        let bytes = [9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let digest = SessionDigest::from_bytes(bytes);
        assert_eq!(ShortDigest::of(digest).0, bytes[..8]);
        let all = [
            ShortDigest::FIRST,
            ShortDigest::of(digest),
            ShortDigest::LAST,
        ];
        assert!(all.is_sorted());
    }

    #[test]
    fn the_keys_of_times_sort_by_time() {
        let keys = [0, 1, 255, 256, u64::MAX].map(|time| retired_key((Timestamp(time), SHORT)));
        assert!(keys.is_sorted());
        assert_eq!(
            split_retired_key(&keys[3]),
            Some((Timestamp(256), SHORT)),
            "the key says what it was made of"
        );
    }

    #[test]
    fn a_row_of_retired_ids_never_changes() {
        let key = retired_key((Timestamp(0x0102_0304), SHORT));
        assert_eq!(key[..8], [0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(key[8..], [7; 8]);
        let members = [SHORT, ShortDigest([9; 8])];
        assert_eq!(encode_retired(&members), [[7; 8], [9; 8]].concat());
        let hash = retired_hash((Timestamp(0x0102_0304), SHORT));
        assert_eq!(hash, 0x9314_16de_44d4_c784);
        let readme = include_str!("README.md");
        assert!(readme.contains("until:byte{8} first:short                 -> short*"));
        assert!(readme.contains(&format!("at most {ROW_MEMBERS} when one is added")));
        assert!(readme.contains(&format!("at most {PACKED_MEMBERS} when many are")));
    }

    #[test]
    fn a_row_says_what_it_was_made_of() {
        let members: Vec<_> = (0..=u8::MAX).map(|byte| ShortDigest([byte; 8])).collect();
        for members in [&members[..1], &members[..ROW_MEMBERS], &members] {
            let row = encode_retired(members);
            assert_eq!(row.len(), 8 * members.len());
            assert_eq!(decode_retired(&row).as_deref(), Some(members));
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let [low, high] = [1, 2].map(|byte| [byte; 8]);
        let refused = [
            Vec::new(),
            vec![0; 7],
            vec![0; 9],
            [low, low].concat(),
            [high, low].concat(),
        ];
        for row in refused {
            assert_eq!(decode_retired(&row), None, "{row:?}");
        }
        assert!(decode_retired(&[low, high].concat()).is_some());
        for bytes in [&[][..], &[0], &[0; 15], &[0; 17], &[0xff; 24]] {
            assert_eq!(split_retired_key(bytes), None, "{bytes:?}");
        }
    }
}
