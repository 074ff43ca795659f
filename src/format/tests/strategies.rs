//! Any value of each kind, for the property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::codec::Bytes;
use super::super::record::{PageRow, RowContent, SessionRow};
use super::super::segment_frame::{
    Footer, FooterEntry, Identity, ImageHead, Kind, PageHead, RetiredSum, Retirement, SealedFile,
};
use super::*;

/// Numbers of all lengths that a varint has.
pub(super) fn number() -> impl Strategy<Value = u64> + Clone {
    prop_oneof![
        0..=251_u64,
        250..=65_536_u64,
        65_535..=(1_u64 << 32),
        any::<u64>(),
    ]
}

/// The same of 32 bits.
pub(super) fn small_number() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![0..=251_u32, 250..=65_536_u32, any::<u32>()]
}

pub(super) fn digest() -> impl Strategy<Value = SessionDigest> + Clone {
    any::<[u8; 16]>().prop_map(SessionDigest::from_bytes)
}

pub(super) fn database() -> impl Strategy<Value = DatabaseId> + Clone {
    any::<[u8; 16]>().prop_map(DatabaseId)
}

pub(super) fn time() -> impl Strategy<Value = Timestamp> + Clone {
    number().prop_map(Timestamp)
}

pub(super) fn text() -> impl Strategy<Value = Box<str>> + Clone {
    ".{0,9}".prop_map(Box::from)
}

pub(super) fn location() -> impl Strategy<Value = Location> + Clone {
    (small_number(), small_number(), small_number()).prop_map(|(segment, offset, length)| {
        Location {
            segment: SegmentNumber(segment),
            offset,
            length,
        }
    })
}

fn expiry() -> impl Strategy<Value = ExpiryOverride> {
    prop_oneof![
        Just(ExpiryOverride::Default),
        number().prop_map(ExpiryOverride::Idle),
        time().prop_map(ExpiryOverride::At),
        Just(ExpiryOverride::BrowserSession),
    ]
}

pub(super) fn any_record() -> impl Strategy<Value = SessionRecord> {
    let times = (time(), time(), option::of(time()));
    (
        number(),
        times,
        expiry(),
        option::of(text()),
        number(),
        number(),
    )
        .prop_map(
            |(generation, (created, last_seen, hint_at), expiry, owner, keys, bytes)| {
                SessionRecord {
                    generation: Generation(generation),
                    created,
                    last_seen,
                    expiry,
                    owner,
                    hint_at,
                    keys,
                    bytes,
                }
            },
        )
}

fn table() -> impl Strategy<Value = PageTable> {
    let numbers = (small_number(), small_number(), number());
    (numbers, option::of(time())).prop_map(|((pages, next_page, hash), first_deadline)| PageTable {
        pages,
        next_page: PageNumber(next_page),
        hash,
        first_deadline,
    })
}

pub(super) fn session_row() -> impl Strategy<Value = SessionRow> {
    let content = prop_oneof![
        // Boxed: two of these are more than a test's stack holds.
        (table(), any_record())
            .prop_map(|(table, record)| RowContent::Whole { table, record })
            .boxed(),
        number().prop_map(|generation| RowContent::Damaged {
            generation: Generation(generation)
        }),
    ];
    (location(), number(), content).prop_map(|(location, sequence, content)| SessionRow {
        location,
        sequence: Batch(sequence),
        content,
    })
}

pub(super) fn page_row() -> impl Strategy<Value = PageRow> {
    (location(), number(), small_number()).prop_map(|(location, sequence, number)| PageRow {
        location,
        sequence: Batch(sequence),
        number: PageNumber(number),
    })
}

pub(super) fn image_head() -> impl Strategy<Value = ImageHead> {
    (
        digest(),
        number(),
        any_record(),
        table(),
        option::of(text()),
    )
        .prop_map(|(digest, sequence, record, table, upper)| ImageHead {
            digest,
            sequence: Batch(sequence),
            record,
            table,
            upper,
        })
}

pub(super) fn page_head() -> impl Strategy<Value = PageHead> {
    (
        number(),
        small_number(),
        number(),
        text(),
        option::of(text()),
    )
        .prop_map(|(generation, number, sequence, lower, upper)| PageHead {
            generation: Generation(generation),
            number: PageNumber(number),
            sequence: Batch(sequence),
            lower,
            upper,
        })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Image,
        Kind::Page,
        Kind::SessionTombstone,
        Kind::SessionDamage,
        Kind::PageTombstone,
        Kind::Footer,
    ])
}

fn identity() -> impl Strategy<Value = Identity> {
    prop_oneof![
        (digest(), number())
            .prop_map(|(digest, generation)| Identity::Session(digest, Generation(generation))),
        (number(), small_number(), text()).prop_map(|(generation, number, lower)| {
            Identity::Page(Generation(generation), PageNumber(number), lower)
        }),
    ]
}

pub(super) fn footer() -> impl Strategy<Value = Footer> {
    let entry = (kind(), identity(), number(), location()).prop_map(
        |(kind, identity, sequence, location)| FooterEntry {
            kind,
            identity,
            sequence: Batch(sequence),
            location,
        },
    );
    let numbers = (number(), number(), number(), time(), number());
    let sum = (time(), number()).prop_map(|(until, hash)| RetiredSum { until, hash });
    let sums = vec(sum, 0..4);
    let file = (any::<u32>(), number()).prop_map(|(number, end)| SealedFile {
        number: SegmentNumber(number),
        end,
    });
    let retirement =
        (time(), vec(digest(), 0..4)).prop_map(|(until, digests)| Retirement { until, digests });
    let lists = (
        sums,
        vec(file, 0..4),
        vec(retirement, 0..3),
        vec(entry, 0..9),
    );
    (numbers, any::<bool>(), lists, option::of(location())).prop_map(
        |(
            (batch, through, generation, erased_through, index_hash),
            ends_batch,
            lists,
            previous,
        )| {
            let (retired, files, retirements, entries) = lists;
            Footer {
                batch: Batch(batch),
                ends_batch,
                journal_through: Sequence(through),
                next_generation: Generation(generation),
                erased_through,
                index_hash,
                retired,
                files,
                previous,
                retirements,
                entries,
            }
        },
    )
}

pub(super) fn current() -> impl Strategy<Value = Current> {
    (database(), ".{0,20}").prop_map(|(database, index)| Current { database, index })
}

pub(super) fn clean_mark() -> impl Strategy<Value = CleanMark> {
    let file = (".{0,20}", number(), any::<u32>()).prop_map(|(name, length, checksum)| FileMark {
        name,
        length,
        checksum,
    });
    (database(), number(), number(), vec(file, 0..5)).prop_map(
        |(database, batch, index_hash, files)| CleanMark {
            database,
            batch: Batch(batch),
            index_hash,
            files,
        },
    )
}

pub(super) fn declaration() -> impl Strategy<Value = Declaration> {
    (number(), number()).prop_map(|(batch, through)| Declaration {
        batch: Batch(batch),
        through: Sequence(through),
    })
}

pub(super) fn journal_header() -> impl Strategy<Value = JournalHeader> {
    let previous = option::of((number(), number()));
    (
        database(),
        number(),
        number(),
        number(),
        previous,
        declaration(),
    )
        .prop_map(
            |(database, file, first, synced, previous, declaration)| JournalHeader {
                database,
                number: JournalNumber(file),
                first: Sequence(first),
                synced_through: Sequence(synced),
                previous: previous.map(|(number, end)| (JournalNumber(number), end)),
                declaration,
            },
        )
}

pub(super) fn segment_header() -> impl Strategy<Value = SegmentHeader> {
    (database(), small_number()).prop_map(|(database, number)| SegmentHeader {
        database,
        number: SegmentNumber(number),
    })
}

/// A change that owns its parts.
#[derive(Debug, Clone)]
pub(super) enum OwnedChange {
    Put(Box<str>, Vec<u8>, Option<Timestamp>),
    Remove(Box<str>),
    RemovePrefix(Box<str>),
}

impl OwnedChange {
    fn borrow(&self) -> Change<'_> {
        match self {
            Self::Put(key, value, deadline) => Change::Put {
                key,
                value: Bytes(value),
                deadline: *deadline,
            },
            Self::Remove(key) => Change::Remove { key },
            Self::RemovePrefix(prefix) => Change::RemovePrefix { prefix },
        }
    }
}

/// A payload that owns its parts: effects, each with its changes if it has any.
#[derive(Debug, Clone)]
pub(super) enum OwnedPayload {
    Transaction(Vec<(Effect<'static>, Vec<OwnedChange>)>),
    Checkpointed(Declaration),
}

impl OwnedPayload {
    pub(super) fn borrow(&self) -> Payload<'_> {
        let effects = match self {
            Self::Transaction(effects) => effects,
            Self::Checkpointed(declaration) => return Payload::Checkpointed(*declaration),
        };
        Payload::Transaction(effects.iter().map(with_changes).collect())
    }
}

fn with_changes<'o>((effect, owned): &'o (Effect<'static>, Vec<OwnedChange>)) -> Effect<'o> {
    let mut effect: Effect<'o> = effect.clone();
    if let Effect::Change { changes, .. } = &mut effect {
        changes.extend(owned.iter().map(OwnedChange::borrow));
    }
    effect
}

pub(super) fn payload() -> impl Strategy<Value = OwnedPayload> {
    let bytes = vec(any::<u8>(), 0..20);
    let change = prop_oneof![
        (text(), bytes, option::of(time()))
            .prop_map(|(key, value, deadline)| OwnedChange::Put(key, value, deadline)),
        text().prop_map(OwnedChange::Remove),
        text().prop_map(OwnedChange::RemovePrefix),
    ];
    let changed =
        (digest(), number(), time()).prop_map(|(digest, generation, at)| Effect::Change {
            digest,
            generation: Generation(generation),
            at,
            changes: Vec::new(),
        });
    let put =
        (digest(), any_record(), option::of(digest())).prop_map(|(digest, record, moved_from)| {
            Effect::PutSession {
                digest,
                record,
                moved_from,
            }
        });
    let removed = (digest(), number()).prop_map(|(digest, generation)| Effect::RemoveSession {
        digest,
        generation: Generation(generation),
    });
    let retired = (digest(), time()).prop_map(|(digest, until)| Effect::Retire { digest, until });
    let effect = prop_oneof![put, removed, retired, changed];
    prop_oneof![
        9 => vec((effect, vec(change, 0..5)), 0..5).prop_map(OwnedPayload::Transaction),
        1 => declaration().prop_map(OwnedPayload::Checkpointed),
    ]
}

/// An entry of a page: its key, its value and its deadline.
pub(super) type OwnedEntry = (Box<str>, Vec<u8>, Option<Timestamp>);

/// The entries of a page, in order.
pub(super) fn entries() -> impl Strategy<Value = Vec<OwnedEntry>> {
    let key = ".{1,9}".prop_map(Box::<str>::from);
    let value = (vec(any::<u8>(), 0..20), option::of(time()));
    prop::collection::btree_map(key, value, 0..9).prop_map(|entries| {
        let entries = entries.into_iter();
        entries
            .map(|(key, (value, deadline))| (key, value, deadline))
            .collect()
    })
}
