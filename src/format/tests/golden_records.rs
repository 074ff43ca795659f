//! Records and the rows of the index, and the hashes of rows that images and
//! footers hold.

use super::super::record::{PageRow, RowContent, SessionRow, page_key, split_page_key};
use super::*;

const LOCATION: Location = Location {
    segment: SegmentNumber(2),
    offset: 64,
    length: 300,
};

fn session_row() -> SessionRow {
    SessionRow {
        location: LOCATION,
        sequence: Batch(5),
        content: RowContent::Whole {
            table: PageTable {
                pages: 1,
                next_page: PageNumber(2),
                hash: 0x1234,
                first_deadline: None,
            },
            record: record(),
        },
    }
}

fn page_row() -> PageRow {
    PageRow {
        location: LOCATION,
        sequence: Batch(5),
        number: PageNumber(1),
    }
}

#[test]
fn a_record_never_changes() {
    is_pinned(
        &record(),
        "
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        00                                              ; no owner
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
        ",
    );
}

#[test]
fn an_expiry_of_the_session_never_changes() {
    is_pinned(&ExpiryOverride::Default, "00");
    is_pinned(
        &ExpiryOverride::Idle(1_800_000_000_000),
        "
        01                                              ; 1: an idle timeout
        fd 00 50 5c 18 a3 01 00 00                      ; nanoseconds 1800000000000
        ",
    );
    is_pinned(
        &ExpiryOverride::At(LATER),
        "
        02                                              ; 2: a fixed time
        fd 00 ca c4 71 fe 9c 97 17                      ; time 1700000001000000000
        ",
    );
    is_pinned(&ExpiryOverride::BrowserSession, "03");
}

#[test]
fn the_expiry_in_a_record_never_changes() {
    is_pinned(
        &SessionRecord {
            expiry: ExpiryOverride::At(LATER),
            ..record()
        },
        "
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        02                                              ; 2: a fixed time
        fd 00 ca c4 71 fe 9c 97 17                      ; time 1700000001000000000
        00                                              ; no owner
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
        ",
    );
}

#[test]
fn the_owner_in_a_record_never_changes() {
    is_pinned(
        &SessionRecord {
            owner: Some("user:42".into()),
            ..record()
        },
        "
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        01                                              ; with owner
        07 75 73 65 72 3a 34 32                         ; owner `user:42`
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
        ",
    );
}

#[test]
fn the_purges_hint_in_a_record_never_changes() {
    is_pinned(
        &SessionRecord {
            hint_at: Some(LATER),
            ..record()
        },
        "
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        00                                              ; no owner
        01                                              ; with hint_at
        fd 00 ca c4 71 fe 9c 97 17                      ; hint_at 1700000001000000000
        02                                              ; keys 2
        14                                              ; bytes 20
        ",
    );
}

#[test]
fn a_session_row_never_changes() {
    let golden = "
        02                                              ; segment 2
        40                                              ; offset 64
        fb 2c 01                                        ; length 300
        05                                              ; sequence 5
        00                                              ; 0: whole
        01                                              ; pages 1
        02                                              ; next_page 2
        fb 34 12                                        ; hash 4660
        00                                              ; no first_deadline
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        00                                              ; no owner
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
    ";
    assert_pinned(&session_row().encode().unwrap(), golden);
    assert_eq!(SessionRow::decode(&pinned(golden)).unwrap(), session_row());
}

#[test]
fn the_row_of_a_damaged_session_never_changes() {
    let row = SessionRow {
        content: RowContent::Damaged {
            generation: Generation(7),
        },
        ..session_row()
    };
    let golden = "
        02                                              ; segment 2
        40                                              ; offset 64
        fb 2c 01                                        ; length 300
        05                                              ; sequence 5
        01                                              ; 1: damaged
        07                                              ; generation 7
    ";
    assert_pinned(&row.encode().unwrap(), golden);
    assert_eq!(SessionRow::decode(&pinned(golden)).unwrap(), row);
}

#[test]
fn a_page_row_and_its_key_never_change() {
    let golden = "
        02                                              ; segment 2
        40                                              ; offset 64
        fb 2c 01                                        ; length 300
        05                                              ; sequence 5
        01                                              ; number 1
    ";
    assert_pinned(&page_row().encode().unwrap(), golden);
    assert_eq!(PageRow::decode(&pinned(golden)).unwrap(), page_row());
    let golden = "
        00 00 00 00 00 00 01 02                         ; generation, the highest byte first
        63 6c c3 a9                                     ; first key `clé`
    ";
    assert_pinned(&page_key(Generation(0x0102), "clé"), golden);
    assert_eq!(
        split_page_key(&pinned(golden)),
        Some((Generation(0x0102), "clé"))
    );
}

/// Images and footers hold sums of these hashes: another hash is another format.
#[test]
fn the_hashes_of_rows_never_change() {
    assert_eq!(session_row().hash(DIGEST).unwrap(), 0x8b6e_8adf_3d4d_62a0);
    let damaged = SessionRow {
        content: RowContent::Damaged {
            generation: Generation(7),
        },
        ..session_row()
    };
    assert_eq!(damaged.hash(DIGEST).unwrap(), 0x7a9b_ff99_340d_b69e);
    let key = page_key(Generation(7), "m");
    assert_eq!(page_row().hash(&key).unwrap(), 0xc42a_e104_9247_05dd);
}
