//! Valid bytes of every kind, each with its decoder.

use super::super::codec::Bytes;
use super::super::page::{Fences, write_body};
use super::super::record::{PageRow, RowContent, SessionRow};
use super::super::segment_frame::{
    Footer, FooterEntry, Identity, ImageHead, Kind, PageHead, PageTombstone, RetiredSum,
    Retirement, SealedFile, SessionDamage, SessionTombstone,
};
use super::*;

/// Valid bytes.
pub(super) struct Sample {
    /// What they are.
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// How many of them a checksum guards; none where the frame around them
    /// is what is guarded, or where they are derived.
    pub(super) guarded: Option<usize>,
    /// Decodes them; what comes of it is shown, so that any two compare.
    pub(super) read: fn(&[u8]) -> Option<String>,
}

impl Sample {
    /// What the bytes decode as.
    pub(super) fn value(&self) -> String {
        (self.read)(&self.bytes).unwrap_or_else(|| panic!("{} does not decode", self.name))
    }
}

fn shown<T: fmt::Debug, E>(outcome: Result<T, E>) -> Option<String> {
    outcome.ok().map(|value| format!("{value:?}"))
}

/// Samples of everything that has a decoder of its own.
pub(super) fn samples() -> Vec<Sample> {
    let mut samples = sealed();
    samples.extend(journal());
    samples.extend(rows());
    samples.extend(pages());
    samples.extend(frames());
    samples
}

fn sealed() -> Vec<Sample> {
    let current = Current {
        database: DATABASE,
        index: "index-0001".to_owned(),
    };
    let file = |name: &str| FileMark {
        name: name.to_owned(),
        length: 70_000,
        checksum: 0x1234_5678,
    };
    let mark = CleanMark {
        database: DATABASE,
        batch: Batch(300),
        index_hash: 12,
        files: vec![file("blobs/1"), file("db")],
    };
    let journal = JournalHeader {
        database: DATABASE,
        number: JournalNumber(3),
        first: Sequence(1000),
        synced_through: Sequence(990),
        previous: Some((JournalNumber(2), 65_536)),
        declaration: Declaration {
            batch: Batch(5),
            through: Sequence(800),
        },
    };
    let segment = SegmentHeader {
        database: DATABASE,
        number: SegmentNumber(2),
    };
    let sealed = |name, bytes: Vec<u8>, read| {
        let payload = codec::read_u32(&bytes, 12).unwrap() as usize;
        Sample {
            name,
            bytes,
            guarded: Some(codec::SEAL_BYTES + payload),
            read,
        }
    };
    vec![
        sealed("CURRENT", current.encode().unwrap(), |bytes| {
            shown(Current::decode(bytes))
        }),
        sealed("CLEAN", mark.encode().unwrap(), |bytes| {
            shown(CleanMark::decode(bytes))
        }),
        sealed("a journal header", journal.encode().unwrap(), |bytes| {
            shown(JournalHeader::decode(bytes))
        }),
        sealed("a segment header", segment.encode().unwrap(), |bytes| {
            shown(SegmentHeader::decode(bytes))
        }),
    ]
}

/// A transaction with every effect and every change.
pub(super) fn full_payload() -> Payload<'static> {
    let put = |key, deadline| Change::Put {
        key,
        value: Bytes(&[1, 2, 42]),
        deadline,
    };
    Payload::Transaction(vec![
        Effect::PutSession {
            digest: OTHER_DIGEST,
            record: SessionRecord {
                expiry: ExpiryOverride::Idle(1_800_000_000_000),
                owner: Some("user:42".into()),
                hint_at: Some(LATER),
                ..record()
            },
            moved_from: Some(DIGEST),
        },
        Effect::RemoveSession {
            digest: DIGEST,
            generation: Generation(7),
        },
        Effect::Retire {
            digest: DIGEST,
            until: LATER,
        },
        Effect::Change {
            digest: DIGEST,
            generation: Generation(7),
            at: LATER,
            changes: vec![
                put("user", None),
                put("code", Some(LATER)),
                Change::Remove { key: "clé" },
                Change::RemovePrefix { prefix: "cart/" },
            ],
        },
    ])
}

fn journal() -> Vec<Sample> {
    let payload = |name, payload: &Payload<'_>| {
        let mut bytes = Vec::new();
        payload.encode_into(&mut bytes).unwrap();
        Sample {
            name,
            bytes,
            guarded: None,
            read: |bytes| shown(Payload::decode(bytes)),
        }
    };
    let declaration = Declaration {
        batch: Batch(5),
        through: Sequence(800),
    };
    let mut frame = Vec::new();
    let start = journal_frame::begin(&mut frame);
    full_payload().encode_into(&mut frame).unwrap();
    let guarded = frame.len();
    let (sequence, synced) = (Sequence(1000), Sequence(990));
    journal_frame::finish(&mut frame, start, JOURNAL_PLACE, sequence, synced).unwrap();
    vec![
        payload("a transaction", &full_payload()),
        payload("a checkpoint", &Payload::Checkpointed(declaration)),
        Sample {
            name: "a journal frame",
            bytes: frame,
            guarded: Some(guarded),
            read: |bytes| {
                let frame = journal_frame::parse(bytes, 0, JOURNAL_PLACE)?;
                Some(format!("{frame:?}"))
            },
        },
    ]
}

const LOCATION: Location = Location {
    segment: SegmentNumber(2),
    offset: 70_000,
    length: 300,
};

fn rows() -> Vec<Sample> {
    let session = |name, content| Sample {
        name,
        bytes: SessionRow {
            location: LOCATION,
            sequence: Batch(5),
            content,
        }
        .encode()
        .unwrap(),
        guarded: None,
        read: |bytes| shown(SessionRow::decode(bytes)),
    };
    let page = PageRow {
        location: LOCATION,
        sequence: Batch(5),
        number: PageNumber(1),
    };
    let whole = RowContent::Whole {
        table: PageTable {
            pages: 1,
            next_page: PageNumber(2),
            hash: 0x1234,
            first_deadline: None,
        },
        record: SessionRecord {
            expiry: ExpiryOverride::At(LATER),
            owner: Some("user:42".into()),
            ..record()
        },
    };
    let damaged = RowContent::Damaged {
        generation: Generation(7),
    };
    vec![
        session("a session row", whole),
        session("the row of a damaged session", damaged),
        Sample {
            name: "a page row",
            bytes: page.encode().unwrap(),
            guarded: None,
            read: |bytes| shown(PageRow::decode(bytes)),
        },
    ]
}

fn entries() -> [Entry<'static>; 3] {
    let entry = |key, value, deadline| Entry {
        key,
        value,
        deadline,
    };
    [
        entry("cart", &[0, 9, 9], None),
        entry("code", &[1, 5, 1, b'x'], Some(LATER)),
        entry("user", &[], None),
    ]
}

fn body() -> Vec<u8> {
    let mut body = Vec::new();
    write_body(&mut body, &entries()).unwrap();
    body
}

fn pages() -> Vec<Sample> {
    vec![Sample {
        name: "the body of a page",
        bytes: body(),
        guarded: None,
        read: |bytes| {
            let fences = Fences {
                lower: "c".into(),
                upper: Some("v".into()),
            };
            let page = Page::parse(bytes, fences).ok()?;
            let entries: Vec<_> = (0..page.len())
                .map(|index| entry_of(&page, index))
                .collect();
            Some(format!("{entries:?}"))
        },
    }]
}

fn read_frame<T: DeserializeOwned + fmt::Debug>(bytes: &[u8]) -> Option<String> {
    let frame = segment_frame::parse(bytes, 0, SEGMENT_PLACE)?;
    let head = frame.head::<T>().ok()?;
    let body = bytes.get(frame.body..frame.length)?;
    Some(format!("{:?} {head:?} {body:?}", frame.kind))
}

fn frame<T>(name: &'static str, kind: Kind, head: &T, body: &[u8]) -> Sample
where
    T: Serialize + DeserializeOwned + fmt::Debug,
{
    let mut bytes = Vec::new();
    segment_frame::write(&mut bytes, SEGMENT_PLACE, kind, head, |buffer| {
        buffer.extend_from_slice(body);
        Ok(())
    })
    .unwrap();
    let guarded = Some(bytes.len());
    bytes.resize(segment_frame::frame_bytes(bytes.len()), 0);
    Sample {
        name,
        bytes,
        guarded,
        read: read_frame::<T>,
    }
}

fn frames() -> Vec<Sample> {
    let (digest, generation, number) = (DIGEST, Generation(7), PageNumber(1));
    let (sequence, written_in) = (Batch(5), SegmentNumber(2));
    let image = ImageHead {
        digest,
        sequence,
        record: record(),
        table: PageTable::default(),
        upper: Some("v".into()),
    };
    let page = PageHead {
        generation,
        number,
        sequence,
        lower: "c".into(),
        upper: None,
    };
    let session_tombstone = SessionTombstone {
        digest,
        generation,
        sequence,
        written_in,
    };
    let page_tombstone = PageTombstone {
        generation,
        number,
        sequence,
        written_in,
    };
    let damage = SessionDamage {
        digest,
        generation,
        sequence,
    };
    vec![
        frame("an image", Kind::Image, &image, &body()),
        frame("a page", Kind::Page, &page, &body()),
        frame(
            "a session's tombstone",
            Kind::SessionTombstone,
            &session_tombstone,
            &[],
        ),
        frame(
            "a page's tombstone",
            Kind::PageTombstone,
            &page_tombstone,
            &[],
        ),
        frame("a session's damage", Kind::SessionDamage, &damage, &[]),
        frame("a footer", Kind::Footer, &footer(), &[]),
    ]
}

fn footer() -> Footer {
    let entry = |kind, identity| FooterEntry {
        kind,
        identity,
        sequence: Batch(5),
        location: LOCATION,
    };
    Footer {
        batch: Batch(5),
        ends_batch: true,
        journal_through: Sequence(1000),
        next_generation: Generation(8),
        erased_through: LATER,
        index_hash: 0x0123_4567_89ab_cdef,
        retired: vec![RetiredSum {
            until: LATER,
            hash: 300,
        }],
        files: vec![SealedFile {
            number: SegmentNumber(1),
            end: 70_064,
        }],
        previous: Some(LOCATION),
        retirements: vec![Retirement {
            until: LATER,
            digests: vec![OTHER_DIGEST],
        }],
        entries: vec![
            entry(Kind::Image, Identity::Session(DIGEST, Generation(7))),
            entry(
                Kind::Page,
                Identity::Page(Generation(7), PageNumber(1), "m".into()),
            ),
        ],
    }
}
