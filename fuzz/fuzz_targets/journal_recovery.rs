//! Any bytes as the journal of a small database: opening it is `Ok` or an
//! error, never a panic, and what it opens is sound.
//!
//! The first byte of an input says what the others are:
//! - bit 0: changes of the real journal, three bytes each (where, what to
//!   flip), instead of a whole file
//! - bit 1: headers and checksums are mended afterwards, so that the decoders
//!   behind them are reached

#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use sessiondb::{Builder, Crash, Database, IndexFate, SimulatedDisk};

const JOURNAL: &str = "journal/000001.log";

/// A database as a kill leaves it: some of it checkpointed, some of it in the
/// journal, without an index.
struct Snapshot {
    /// All files but the journal.
    files: Vec<(String, Vec<u8>)>,
    journal: Vec<u8>,
    id: [u8; 16],
}

fn builder() -> Builder {
    Database::builder()
        .background(false)
        .journal_segment_bytes(16 << 10)
        .segment_bytes(64 << 10)
        .cache_bytes(4 << 20)
}

fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        let disk = SimulatedDisk::new(0).expect("a temporary directory");
        let db = builder().open_on(Arc::new(disk.clone())).expect("it opens");
        fill(&db).expect("it writes");
        let disk = disk
            .crash(Crash::KeepAll, IndexFate::Lost)
            .expect("it crashes");
        let read = |path: &str| disk.read_file(path).expect("it is there");
        let names = disk.files().into_iter().filter(|name| name != JOURNAL);
        let files = names.map(|name| (name.clone(), read(&name))).collect();
        let snapshot = Snapshot {
            files,
            journal: read(JOURNAL),
            id: read("CURRENT")[20..36].try_into().expect("16 bytes"),
        };
        // Should the format change, then this says that `mend` has to as well.
        let mut mended = snapshot.journal.clone();
        mend(&mut mended, snapshot.id);
        assert!(
            mended == snapshot.journal,
            "the real journal needs no mending"
        );
        snapshot
    })
}

fn fill(db: &Database) -> sessiondb::Result<()> {
    let mut settled = Vec::new();
    for user in 0..4_u32 {
        let session = db.create_session();
        session.set("user", &user)?;
        session.set("text", &"x".repeat(2000))?;
        session.set("cart/apple", &[1, 2, 3])?;
        settled.push(session);
    }
    db.checkpoint()?;
    for session in &mut settled {
        session.set("text", "shorter")?;
        session.pop::<u32>("user")?;
        session.remove_prefix("cart/")?;
    }
    settled[0].flush()?;
    settled[1].cycle_id()?;
    settled[2].clear()?;
    settled[3].transaction(|tx| tx.set("a", &1).and_then(|()| tx.set("b", &2)))
}

/// Makes the header one of this database, and every frame's checksum right:
/// `seal` of the format's `codec`, and `journal_frame`.
fn mend(journal: &mut [u8], id: [u8; 16]) {
    const HEADER: usize = 256;
    const HEAD: usize = 24;
    if journal.len() < HEADER {
        return;
    }
    journal[..12].copy_from_slice(b"sdbJOURN\x01\0\0\0");
    journal[20..36].copy_from_slice(&id);
    let length = word(journal, 12).min(HEADER - 20);
    let crc = checksum(&[&journal[..16], &journal[20..20 + length]]);
    journal[16..20].copy_from_slice(&crc);
    let mut at = HEADER;
    while at + HEAD < journal.len() {
        let length = word(journal, at);
        let end = at + HEAD + length;
        if length == 0 || end > journal.len() {
            return;
        }
        let place = [1_u64.to_le_bytes(), (at as u64).to_le_bytes()].concat();
        let crc = checksum(&[&id, &place, &journal[at..at + 4], &journal[at + 8..end]]);
        journal[at + 4..at + 8].copy_from_slice(&crc);
        at = end.next_multiple_of(8);
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

fn checksum(parts: &[&[u8]]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_le_bytes()
}

fn journal(input: &[u8]) -> (Vec<u8>, bool) {
    let snapshot = snapshot();
    let (how, bytes) = input
        .split_first()
        .map_or((0, input), |(how, rest)| (*how, rest));
    let mut journal = bytes.to_vec();
    if how & 1 != 0 {
        journal.clone_from(&snapshot.journal);
        for change in bytes.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
            if let Some(byte) = journal.get_mut(place) {
                *byte ^= change[2];
            }
        }
    }
    let is_mended = how & 2 != 0;
    if is_mended {
        mend(&mut journal, snapshot.id);
    }
    (journal, is_mended)
}

fuzz_target!(|input: &[u8]| {
    let (journal, is_mended) = journal(input);
    let disk = SimulatedDisk::new(0).expect("a temporary directory");
    for (path, bytes) in &snapshot().files {
        disk.write_file(path, bytes).expect("it is written");
    }
    disk.write_file(JOURNAL, &journal).expect("it is written");
    if let Ok(db) = builder().open_on(Arc::new(disk)) {
        let verified = db.verify();
        // Mended frames may say what no database ever wrote.
        assert!(verified.is_ok() || is_mended, "{verified:?}");
    }
});
