//! Valid bytes, cut off or changed: an error, or never the value that was written.

use super::samples::samples;

#[test]
fn nothing_that_is_cut_off_decodes() {
    for sample in samples() {
        sample.value();
        let needed = sample.guarded.unwrap_or(sample.bytes.len());
        for end in 0..needed {
            let cut = &sample.bytes[..end];
            assert_eq!((sample.read)(cut), None, "{} of {end} bytes", sample.name);
        }
    }
}

#[test]
fn a_changed_byte_under_a_checksum_is_an_error() {
    for sample in samples() {
        let mut bytes = sample.bytes.clone();
        for place in 0..sample.guarded.unwrap_or(0) {
            for difference in 1..=255 {
                bytes[place] ^= difference;
                let read = (sample.read)(&bytes);
                assert_eq!(read, None, "{} at {place} ^ {difference}", sample.name);
                bytes[place] ^= difference;
            }
        }
    }
}

#[test]
fn two_changed_bytes_under_a_checksum_are_an_error() {
    for sample in samples() {
        let mut bytes = sample.bytes.clone();
        for place in 1..sample.guarded.unwrap_or(0) {
            for other in 0..place {
                bytes[place] ^= 0x40;
                bytes[other] ^= 0x04;
                let read = (sample.read)(&bytes);
                assert_eq!(read, None, "{} at {place} and {other}", sample.name);
                bytes[place] ^= 0x40;
                bytes[other] ^= 0x04;
            }
        }
    }
}

/// There is one encoding of a value in so many bytes.
#[test]
fn a_changed_byte_without_a_checksum_is_an_error_or_another_value() {
    for sample in samples() {
        if sample.guarded.is_some() {
            continue;
        }
        let value = sample.value();
        let mut bytes = sample.bytes.clone();
        for place in 0..bytes.len() {
            for difference in 1..=255 {
                bytes[place] ^= difference;
                let read = (sample.read)(&bytes);
                assert_ne!(
                    read.as_ref(),
                    Some(&value),
                    "{} at {place} ^ {difference}",
                    sample.name
                );
                bytes[place] ^= difference;
            }
        }
    }
}

#[test]
fn padding_is_not_read() {
    let mut padded = 0;
    for sample in samples() {
        let Some(guarded) = sample.guarded else {
            continue;
        };
        let value = sample.value();
        let mut bytes = sample.bytes.clone();
        padded += bytes.len() - guarded;
        assert!(bytes[guarded..].iter().all(|byte| *byte == 0));
        bytes[guarded..].fill(0xff);
        assert_eq!(
            (sample.read)(&bytes),
            Some(value.clone()),
            "{}",
            sample.name
        );
        bytes.extend_from_slice(b"what follows");
        assert_eq!((sample.read)(&bytes), Some(value), "{}", sample.name);
    }
    assert!(padded > 200, "the samples have padding");
}

#[test]
fn what_is_not_padding_may_not_follow() {
    for sample in samples() {
        if sample.guarded.is_none() {
            for more in [0, 1, 255] {
                let bytes = [sample.bytes.as_slice(), &[more]].concat();
                let read = (sample.read)(&bytes);
                // The last value of a page ends where the frame does.
                if sample.name == "the body of a page" {
                    assert_ne!(read, Some(sample.value()));
                } else {
                    assert_eq!(read, None, "{} and {more}", sample.name);
                }
            }
        }
    }
}
