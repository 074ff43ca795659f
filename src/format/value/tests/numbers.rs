//! Numbers convert by value or fail.

use proptest::prelude::*;

use super::*;

#[test]
fn integers_convert_by_value_or_fail() {
    assert_eq!(convert::<u32>(&7i32).unwrap(), 7);
    assert_eq!(convert::<i8>(&7u128).unwrap(), 7);
    assert_eq!(convert::<i64>(&-7i8).unwrap(), -7);
    assert_eq!(convert::<u64>(&i128::from(u64::MAX)).unwrap(), u64::MAX);
    assert!(convert::<u32>(&-1i32).is_err());
    assert!(convert::<u8>(&256u32).is_err());
    assert!(convert::<i8>(&128u8).is_err());
    assert!(convert::<u64>(&(u128::from(u64::MAX) + 1)).is_err());
    assert!(convert::<i64>(&u64::MAX).is_err());
    assert!(convert::<i64>(&(i128::from(i64::MIN) - 1)).is_err());
    assert!(convert::<i128>(&u128::MAX).is_err());
    assert!(convert::<u128>(&i128::MIN).is_err());
}

#[test]
fn the_extremes_of_every_integer_type_round_trip() {
    round_trips([u8::MIN, u8::MAX]);
    round_trips([u16::MIN, u16::MAX]);
    round_trips([u32::MIN, u32::MAX]);
    round_trips([u64::MIN, u64::MAX]);
    round_trips([u128::MIN, u128::MAX]);
    round_trips([usize::MIN, usize::MAX]);
    round_trips([i8::MIN, -1, i8::MAX]);
    round_trips([i16::MIN, -1, i16::MAX]);
    round_trips([i32::MIN, -1, i32::MAX]);
    round_trips([i64::MIN, -1, i64::MAX]);
    round_trips([i128::MIN, -1, i128::MAX]);
    round_trips([isize::MIN, -1, isize::MAX]);
}

#[test]
fn the_same_number_is_the_same_bytes_in_every_integer_type() {
    let stored = encode(&5u8).unwrap();
    assert_eq!(encode(&5i8).unwrap(), stored);
    assert_eq!(encode(&5u64).unwrap(), stored);
    assert_eq!(encode(&5i128).unwrap(), stored);
    assert_eq!(encode(&-5i8).unwrap(), encode(&-5i128).unwrap());
}

#[test]
fn floats_round_trip_by_their_bits() {
    for float in [
        0.0,
        -0.0,
        1.0,
        0.1,
        f64::MIN_POSITIVE,
        5e-324,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        assert_eq!(convert::<f64>(&float).unwrap().to_bits(), float.to_bits());
    }
    for float in [
        0.0,
        -0.0,
        1.0,
        0.1,
        f32::MIN_POSITIVE,
        1e-45,
        f32::MAX,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ] {
        assert_eq!(convert::<f32>(&float).unwrap().to_bits(), float.to_bits());
        assert_eq!(
            convert::<f64>(&float).unwrap().to_bits(),
            f64::from(float).to_bits()
        );
    }
    assert_eq!(
        convert::<f64>(&f64::NAN).unwrap().to_bits(),
        f64::NAN.to_bits()
    );
    assert!(convert::<f32>(&f32::NAN).unwrap().is_nan());
    assert!(convert::<f32>(&f64::NAN).unwrap().is_nan());
}

#[test]
fn a_float_narrows_exactly_or_fails() {
    assert_eq!(convert::<f32>(&0.5f64).unwrap().to_bits(), 0.5f32.to_bits());
    assert_eq!(
        convert::<f32>(&f64::NEG_INFINITY).unwrap().to_bits(),
        f32::NEG_INFINITY.to_bits()
    );
    for float in [0.1, f64::MAX, 1e-300, -1e-300, 16_777_217.0] {
        assert!(convert::<f32>(&float).is_err());
    }
}

#[test]
fn an_integer_is_read_as_a_float_exactly_or_fails() {
    const EXACT: u64 = 1 << 53;
    assert_eq!(convert::<f64>(&3u8).unwrap().to_bits(), 3.0f64.to_bits());
    assert_eq!(
        convert::<f64>(&-3i8).unwrap().to_bits(),
        (-3.0f64).to_bits()
    );
    assert_eq!(convert::<f64>(&0u8).unwrap().to_bits(), 0.0f64.to_bits());
    assert_eq!(
        convert::<f64>(&EXACT).unwrap().to_bits(),
        9_007_199_254_740_992.0f64.to_bits()
    );
    assert_eq!(
        convert::<f32>(&(1u32 << 24)).unwrap().to_bits(),
        16_777_216.0f32.to_bits()
    );
    assert!(convert::<f64>(&(EXACT + 1)).is_err());
    assert!(convert::<f64>(&u64::MAX).is_err());
    assert!(convert::<f64>(&u128::MAX).is_err());
    assert!(convert::<f64>(&i128::MIN).is_err());
    assert!(convert::<f32>(&((1u32 << 24) + 1)).is_err());
    assert!(convert::<f32>(&-((1i32 << 24) + 1)).is_err());
}

#[test]
fn a_float_is_never_read_as_an_integer() {
    for float in [0.0, 1.0, 1.5, -0.0, f64::NAN, f64::INFINITY] {
        assert!(convert::<u8>(&float).is_err());
        assert!(convert::<i64>(&float).is_err());
        assert!(convert::<u128>(&float).is_err());
    }
}

#[test]
fn a_number_is_no_other_scalar() {
    assert!(convert::<String>(&1u8).is_err());
    assert!(convert::<bool>(&1u8).is_err());
    assert!(convert::<u8>(&true).is_err());
    assert!(convert::<char>(&97u8).is_err());
    assert!(convert::<u8>("1").is_err());
    assert!(convert::<f64>("1").is_err());
    assert!(convert::<f32>(&()).is_err());
    assert!(convert::<u8>(&()).is_err());
    assert!(convert::<()>(&0u8).is_err());
}

proptest! {
    #[test]
    fn any_integer_is_read_as_any_type_by_value_or_not_at_all(
        number in prop_oneof![any::<i128>(), any::<i64>().prop_map(i128::from), any::<i16>().prop_map(i128::from)],
    ) {
        prop_assert_eq!(convert::<u8>(&number).ok(), u8::try_from(number).ok());
        prop_assert_eq!(convert::<u16>(&number).ok(), u16::try_from(number).ok());
        prop_assert_eq!(convert::<u32>(&number).ok(), u32::try_from(number).ok());
        prop_assert_eq!(convert::<u64>(&number).ok(), u64::try_from(number).ok());
        prop_assert_eq!(convert::<u128>(&number).ok(), u128::try_from(number).ok());
        prop_assert_eq!(convert::<i8>(&number).ok(), i8::try_from(number).ok());
        prop_assert_eq!(convert::<i16>(&number).ok(), i16::try_from(number).ok());
        prop_assert_eq!(convert::<i32>(&number).ok(), i32::try_from(number).ok());
        prop_assert_eq!(convert::<i64>(&number).ok(), i64::try_from(number).ok());
        prop_assert_eq!(convert::<i128>(&number).unwrap(), number);
    }

    #[test]
    fn any_float_round_trips(wide in any::<f64>(), narrow in any::<f32>()) {
        prop_assert_eq!(convert::<f64>(&wide).unwrap().to_bits(), wide.to_bits());
        let read = convert::<f32>(&narrow).unwrap();
        prop_assert!(read.to_bits() == narrow.to_bits() || (read.is_nan() && narrow.is_nan()));
    }
}
