//! Integers convert by value or fail; so do floats.

use super::{is_read_as, is_refused_as, round_trips};

#[test]
fn integers_of_every_width_round_trip() {
    round_trips(&[u8::MIN, 1, u8::MAX]);
    round_trips(&[i8::MIN, -1, 0, i8::MAX]);
    round_trips(&[u16::MIN, 250, 251, 252, u16::MAX]);
    round_trips(&[i16::MIN, -126, -125, i16::MAX]);
    round_trips(&[u32::MIN, 65_535, 65_536, u32::MAX]);
    round_trips(&[i32::MIN, -65_537, i32::MAX]);
    round_trips(&[u64::MIN, 1 << 32, u64::MAX]);
    round_trips(&[i64::MIN, -1, i64::MAX]);
    round_trips(&[u128::MIN, u128::from(u64::MAX) + 1, u128::MAX]);
    round_trips(&[i128::MIN, i128::from(i64::MIN) - 1, i128::MAX]);
    round_trips(&[usize::MIN, usize::MAX]);
    round_trips(&[isize::MIN, isize::MAX]);
}

#[test]
fn an_integer_is_read_as_any_integer_that_holds_its_value() {
    is_read_as(&[0_i32, 7, 255], &[0_u8, 7, 255]);
    is_read_as(&[0_u64, 127], &[0_i8, 127]);
    is_read_as(&[-128_i64, -1], &[-128_i8, -1]);
    is_read_as(&[7_u8], &[7_u128]);
    is_read_as(&[-7_i8], &[-7_i128]);
    is_read_as(&[i128::from(u64::MAX)], &[u64::MAX]);
}

#[test]
fn an_integer_is_refused_as_one_that_cannot_hold_its_value() {
    is_refused_as::<u32, _>(&[-1_i32, i32::MIN]);
    is_refused_as::<u8, _>(&[256_u32, u32::MAX]);
    is_refused_as::<i8, _>(&[128_i32, -129]);
    is_refused_as::<i64, _>(&[u64::MAX]);
    is_refused_as::<u64, _>(&[-1_i64]);
    is_refused_as::<u64, _>(&[u128::from(u64::MAX) + 1]);
    is_refused_as::<i64, _>(&[i128::from(i64::MIN) - 1]);
}

#[test]
fn floats_round_trip_exactly() {
    round_trips(&[0.0_f64, 0.1, -1.5e300, f64::MIN_POSITIVE, f64::INFINITY]);
    round_trips(&[0.0_f32, 0.1, f32::MAX, f32::NEG_INFINITY]);
    is_read_as(&[0.1_f32], &[f64::from(0.1_f32)]);
    is_read_as(&[0.5_f64], &[0.5_f32]);
}

#[test]
fn a_float_is_refused_where_it_would_change() {
    is_refused_as::<f32, _>(&[0.1_f64, 1e300]);
    is_refused_as::<i64, _>(&[1.5_f64, 2.0]);
    is_refused_as::<f64, _>(&[(1_i64 << 53) + 1]);
}

#[test]
fn an_integer_is_read_as_a_float_of_the_same_value() {
    is_read_as(
        &[0_i64, -7, 1 << 53],
        &[0.0_f64, -7.0, 9_007_199_254_740_992.0],
    );
}
