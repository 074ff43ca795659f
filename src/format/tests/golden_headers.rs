//! The two small files, and the heads of the others.

use super::*;

#[test]
fn the_current_file_never_changes() {
    let current = Current {
        database: DATABASE,
        index: "index-0001".to_owned(),
    };
    let golden = "
        73 64 62 43 55 52 52 45                         ; magic sdbCURRE
        01 00 00 00                                     ; version 1
        1b 00 00 00                                     ; length 27
        06 6b f7 7d                                     ; crc
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f ; database
        0a 69 6e 64 65 78 2d 30 30 30 31                ; index `index-0001`
    ";
    assert_pinned(&current.encode().unwrap(), golden);
    assert_eq!(Current::decode(&pinned(golden)).unwrap(), current);
}

#[test]
fn the_mark_of_a_clean_stop_never_changes() {
    let mark = CleanMark {
        database: DATABASE,
        batch: Batch(300),
        index_hash: 0x0123_4567_89ab_cdef,
        files: vec![
            FileMark {
                name: "blobs/1".to_owned(),
                length: 0,
                checksum: 0,
            },
            FileMark {
                name: "db".to_owned(),
                length: 4_194_304,
                checksum: 0x1234_5678,
            },
        ],
    };
    let golden = "
        73 64 62 43 4c 45 41 4e                         ; magic sdbCLEAN
        01 00 00 00                                     ; version 1
        34 00 00 00                                     ; length 52
        c3 91 11 5e                                     ; crc
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f ; database
        fb 2c 01                                        ; batch 300
        fd ef cd ab 89 67 45 23 01                      ; index_hash 0x0123456789abcdef
        02                                              ; files: 2
        07 62 6c 6f 62 73 2f 31                         ; name `blobs/1`
        00                                              ; length 0
        00                                              ; checksum 0
        02 64 62                                        ; name `db`
        fc 00 00 40 00                                  ; length 4194304
        fc 78 56 34 12                                  ; checksum 0x12345678
    ";
    assert_pinned(&mark.encode().unwrap(), golden);
    assert_eq!(CleanMark::decode(&pinned(golden)).unwrap(), mark);
}

#[test]
fn a_journal_files_header_never_changes() {
    let header = JournalHeader {
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
    let golden = "
        73 64 62 4a 4f 55 52 4e                         ; magic sdbJOURN
        01 00 00 00                                     ; version 1
        22 00 00 00                                     ; length 34
        bd 19 78 d2                                     ; crc
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f ; database
        03                                              ; number 3
        fb e8 03                                        ; first 1000
        fb de 03                                        ; synced_through 990
        01                                              ; with previous
        02                                              ; number 2
        fc 00 00 01 00                                  ; end 65536
        05                                              ; batch 5
        fb 20 03                                        ; through 800
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ; padding
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00
    ";
    assert_pinned(&header.encode().unwrap(), golden);
    assert_eq!(JournalHeader::decode(&pinned(golden)).unwrap(), header);
}

#[test]
fn the_header_of_the_first_journal_file_never_changes() {
    let header = JournalHeader {
        database: DATABASE,
        number: JournalNumber(1),
        first: Sequence(1),
        synced_through: Sequence(0),
        previous: None,
        declaration: Declaration::default(),
    };
    let golden = "
        73 64 62 4a 4f 55 52 4e                         ; magic sdbJOURN
        01 00 00 00                                     ; version 1
        16 00 00 00                                     ; length 22
        d2 54 b8 b5                                     ; crc
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f ; database
        01                                              ; number 1
        01                                              ; first 1
        00                                              ; synced_through 0
        00                                              ; no previous
        00                                              ; batch 0
        00                                              ; through 0
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ; padding
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00
    ";
    assert_pinned(&header.encode().unwrap(), golden);
    assert_eq!(JournalHeader::decode(&pinned(golden)).unwrap(), header);
}

#[test]
fn a_segment_files_header_never_changes() {
    let header = SegmentHeader {
        database: DATABASE,
        number: SegmentNumber(2),
    };
    let golden = "
        73 64 62 53 45 47 4d 45                         ; magic sdbSEGME
        01 00 00 00                                     ; version 1
        11 00 00 00                                     ; length 17
        1b 3d e9 6c                                     ; crc
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f ; database
        02                                              ; number 2
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ; padding
        00 00 00 00 00 00 00 00 00 00 00
    ";
    assert_pinned(&header.encode().unwrap(), golden);
    assert_eq!(SegmentHeader::decode(&pinned(golden)).unwrap(), header);
}

#[test]
fn a_header_of_the_largest_numbers_fits_its_place() {
    let journal = JournalHeader {
        database: DatabaseId([255; 16]),
        number: JournalNumber(u64::MAX),
        first: Sequence(u64::MAX),
        synced_through: Sequence(u64::MAX),
        previous: Some((JournalNumber(u64::MAX), u64::MAX)),
        declaration: Declaration {
            batch: Batch(u64::MAX),
            through: Sequence(u64::MAX),
        },
    };
    let bytes = journal.encode().unwrap();
    assert_eq!(bytes.len(), 256);
    assert_eq!(JournalHeader::decode(&bytes).unwrap(), journal);
    let segment = SegmentHeader {
        database: DatabaseId([255; 16]),
        number: SegmentNumber(u32::MAX),
    };
    let bytes = segment.encode().unwrap();
    assert_eq!(bytes.len(), 64);
    assert_eq!(SegmentHeader::decode(&bytes).unwrap(), segment);
}
