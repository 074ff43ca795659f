//! Journal frames, and what they carry.

use super::codec::Bytes;
use super::*;

/// A payload is encoded as these bytes, and they decode as it.
#[track_caller]
fn payload_is_pinned(payload: &Payload<'_>, text: &str) {
    let mut bytes = Vec::new();
    payload.encode_into(&mut bytes).unwrap();
    assert_pinned(&bytes, text);
    assert_eq!(&Payload::decode(&pinned(text)).unwrap(), payload);
}

/// A transaction of one effect.
fn transaction(effect: Effect<'_>) -> Payload<'_> {
    Payload::Transaction(vec![effect])
}

/// A transaction of one change.
fn change(change: Change<'_>) -> Payload<'_> {
    transaction(Effect::Change {
        digest: DIGEST,
        generation: Generation(7),
        at: LATER,
        changes: vec![change],
    })
}

#[test]
fn a_journal_frame_never_changes() {
    let golden = "
        07 00 00 00                                     ; length 7
        c1 82 f5 a9                                     ; crc
        e8 03 00 00 00 00 00 00                         ; sequence 1000
        de 03 00 00 00 00 00 00                         ; synced_through 990
        70 61 79 6c 6f 61 64                            ; payload
        00                                              ; padding
    ";
    let mut bytes = Vec::new();
    let start = journal_frame::begin(&mut bytes);
    bytes.extend_from_slice(b"payload");
    let (sequence, synced_through) = (Sequence(1000), Sequence(990));
    journal_frame::finish(&mut bytes, start, JOURNAL_PLACE, sequence, synced_through).unwrap();
    assert_pinned(&bytes, golden);
    let frame = journal_frame::JournalFrame {
        sequence,
        synced_through,
        payload: b"payload",
        size: 32,
    };
    let bytes = pinned(golden);
    assert_eq!(journal_frame::parse(&bytes, 0, JOURNAL_PLACE), Some(frame));
    assert_eq!(journal_frame::peek_sequence(&bytes, 0), Some(sequence));
    assert_eq!(journal_frame::frame_bytes(7), bytes.len());
}

#[test]
fn a_frame_is_padded_to_eight_bytes_where_it_needs_to_be() {
    let golden = "
        08 00 00 00                                     ; length 8
        f5 67 1a a2                                     ; crc
        01 00 00 00 00 00 00 00                         ; sequence 1
        00 00 00 00 00 00 00 00                         ; synced_through 0
        38 20 62 79 74 65 73 2e                         ; payload
        09 00 00 00                                     ; length 9
        f8 3c 48 46                                     ; crc
        02 00 00 00 00 00 00 00                         ; sequence 2
        00 00 00 00 00 00 00 00                         ; synced_through 0
        39 20 62 79 74 65 73 2e 2e                      ; payload
        00 00 00 00 00 00 00                            ; padding
    ";
    let mut bytes = Vec::new();
    for (count, payload) in [(1, b"8 bytes.".as_slice()), (2, b"9 bytes..")] {
        let start = journal_frame::begin(&mut bytes);
        bytes.extend_from_slice(payload);
        let place = journal_frame::Place {
            offset: 256 + start as u64,
            ..JOURNAL_PLACE
        };
        journal_frame::finish(&mut bytes, start, place, Sequence(count), Sequence(0)).unwrap();
    }
    assert_pinned(&bytes, golden);
}

#[test]
fn a_transaction_of_several_effects_never_changes() {
    let payload = Payload::Transaction(vec![
        Effect::RemoveSession {
            digest: DIGEST,
            generation: Generation(7),
        },
        Effect::Retire {
            digest: DIGEST,
            until: LATER,
        },
    ]);
    payload_is_pinned(
        &payload,
        "
        00                                              ; 0: transaction
        02                                              ; effects: 2
        01                                              ; 1: remove session
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        02                                              ; 2: retire
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        fd 00 ca c4 71 fe 9c 97 17                      ; until 1700000001000000000
        ",
    );
    payload_is_pinned(&Payload::Transaction(Vec::new()), "00 00");
}

#[test]
fn the_word_of_a_checkpoint_never_changes() {
    payload_is_pinned(
        &Payload::Checkpointed(Declaration {
            batch: Batch(5),
            through: Sequence(800),
        }),
        "
        01                                              ; 1: checkpointed
        05                                              ; batch 5
        fb 20 03                                        ; through 800
        ",
    );
}

#[test]
fn a_session_put_never_changes() {
    payload_is_pinned(
        &transaction(Effect::PutSession {
            digest: DIGEST,
            record: record(),
            moved_from: None,
        }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        00                                              ; 0: put session
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        00                                              ; no owner
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
        00                                              ; no moved_from
        ",
    );
}

#[test]
fn a_session_put_under_a_new_id_never_changes() {
    payload_is_pinned(
        &transaction(Effect::PutSession {
            digest: OTHER_DIGEST,
            record: record(),
            moved_from: Some(DIGEST),
        }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        00                                              ; 0: put session
        e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 ea eb ec ed ee ef ; digest
        07                                              ; generation 7
        fd 00 00 2a 36 fe 9c 97 17                      ; created 1700000000000000000
        fd 00 ca c4 71 fe 9c 97 17                      ; last_seen 1700000001000000000
        00                                              ; 0: the database's expiry
        00                                              ; no owner
        00                                              ; no hint_at
        02                                              ; keys 2
        14                                              ; bytes 20
        01                                              ; with moved_from
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; moved_from
        ",
    );
}

#[test]
fn a_session_removed_never_changes() {
    payload_is_pinned(
        &transaction(Effect::RemoveSession {
            digest: DIGEST,
            generation: Generation(7),
        }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        01                                              ; 1: remove session
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        ",
    );
}

#[test]
fn an_id_retired_never_changes() {
    payload_is_pinned(
        &transaction(Effect::Retire {
            digest: DIGEST,
            until: LATER,
        }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        02                                              ; 2: retire
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        fd 00 ca c4 71 fe 9c 97 17                      ; until 1700000001000000000
        ",
    );
}

#[test]
fn a_key_put_never_changes() {
    payload_is_pinned(
        &change(Change::Put {
            key: "user",
            value: Bytes(&[1, 2, 42]),
            deadline: None,
        }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        03                                              ; 3: change
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        fd 00 ca c4 71 fe 9c 97 17                      ; at 1700000001000000000
        01                                              ; changes: 1
        00                                              ; 0: put
        04 75 73 65 72                                  ; key `user`
        03 01 02 2a                                     ; value
        00                                              ; no deadline
        ",
    );
}

#[test]
fn the_deadline_of_a_key_put_never_changes() {
    payload_is_pinned(
        &change(Change::Put {
            key: "code",
            value: Bytes(b"\0abc"),
            deadline: Some(LATER),
        }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        03                                              ; 3: change
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        fd 00 ca c4 71 fe 9c 97 17                      ; at 1700000001000000000
        01                                              ; changes: 1
        00                                              ; 0: put
        04 63 6f 64 65                                  ; key `code`
        04 00 61 62 63                                  ; value
        01                                              ; with deadline
        fd 00 ca c4 71 fe 9c 97 17                      ; deadline 1700000001000000000
        ",
    );
}

#[test]
fn a_key_removed_never_changes() {
    payload_is_pinned(
        &change(Change::Remove { key: "clé" }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        03                                              ; 3: change
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        fd 00 ca c4 71 fe 9c 97 17                      ; at 1700000001000000000
        01                                              ; changes: 1
        01                                              ; 1: remove
        04 63 6c c3 a9                                  ; key `clé`
        ",
    );
}

#[test]
fn a_prefix_removed_never_changes() {
    payload_is_pinned(
        &change(Change::RemovePrefix { prefix: "cart/" }),
        "
        00                                              ; 0: transaction
        01                                              ; effects: 1
        03                                              ; 3: change
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df ; digest
        07                                              ; generation 7
        fd 00 ca c4 71 fe 9c 97 17                      ; at 1700000001000000000
        01                                              ; changes: 1
        02                                              ; 2: remove prefix
        05 63 61 72 74 2f                               ; prefix `cart/`
        ",
    );
}
