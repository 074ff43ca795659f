//! Whole numbers as figures, and figures for readers.

/// Exact up to 2^53.
pub(crate) fn float(number: u64) -> f64 {
    let [high, low] = [number >> 32, number & u64::from(u32::MAX)];
    let [high, low] = [high, low].map(|half| f64::from(u32::try_from(half).unwrap_or(u32::MAX)));
    high * 4_294_967_296.0 + low
}

/// Bytes as a figure of a row.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / 1_048_576.0
}

/// Three digits at least, or two where it is less than one; thousands apart.
pub(crate) fn readable(figure: f64) -> String {
    let places = match figure.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 0.1 => 2,
        smaller if smaller >= 0.01 => 3,
        _ => 4,
    };
    let text = format!("{figure:.places$}");
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), ""), |parts| parts);
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() {
        grouped
    } else {
        format!("{grouped}.{fraction}")
    }
}
