//! The text that `strace` writes, as calls that begin and end.

/// One line of it. Threads run side by side, so that a call of one may begin
/// and end among those of others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    pub(crate) thread: &'t str,
    pub(crate) kind: Kind<'t>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind<'t> {
    /// A call from its begin to its end.
    Whole(Call<'t>, Outcome<'t>),
    /// What is known at its begin.
    Begin(Call<'t>),
    /// The rest of the arguments.
    End(&'t str, Outcome<'t>),
    /// The end of a thread, or a signal.
    Other,
}

/// A call and its arguments, as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call<'t> {
    pub(crate) name: &'t str,
    pub(crate) arguments: Vec<&'t str>,
}

/// What it returned: a number, or the name of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome<'t> {
    Number(i64),
    Error(&'t str),
}

fn arguments(text: &str) -> Vec<&str> {
    // Strings are in hexadecimal: no comma is part of one.
    let words = text.split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).collect()
}

fn call(text: &str) -> Call<'_> {
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    Call {
        name,
        arguments: arguments(rest),
    }
}

/// Parts what comes before a call's end from its result.
fn outcome(text: &str) -> Result<(&str, Outcome<'_>), String> {
    let parts = text.rsplit_once(" = ").and_then(|(before, result)| {
        let before = before.trim_end().strip_suffix(')')?;
        // Where the process ended in it.
        let unfinished = before.strip_suffix("<unfinished ...>");
        Some((unfinished.unwrap_or(before).trim_end(), result))
    });
    let (before, result) = parts.ok_or_else(|| format!("no result: {}", brief(text)))?;
    let mut words = result.split(' ');
    let number = words.next().unwrap_or_default();
    let outcome = match (number, words.next()) {
        ("-1" | "?", Some(error)) => Outcome::Error(error),
        // The process ended in it.
        ("?", None) => Outcome::Error("?"),
        (number, _) => {
            let value = match number.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16),
                None => number.parse(),
            };
            Outcome::Number(value.map_err(|error| format!("{error}: {result}"))?)
        }
    };
    Ok((before, outcome))
}

pub(crate) fn brief(text: &str) -> String {
    text.chars().take(200).collect()
}

impl<'t> Line<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, String> {
        let (thread, rest) = text
            .split_once(' ')
            .ok_or_else(|| format!("no thread: {}", brief(text)))?;
        let rest = rest.trim_start();
        let kind = if rest.starts_with("+++") || rest.starts_with("---") {
            Kind::Other
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, resumed) = resumed
                .split_once(" resumed>")
                .ok_or_else(|| format!("no end: {}", brief(text)))?;
            let (before, outcome) = outcome(resumed)?;
            Kind::End(before, outcome)
        } else if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            Kind::Begin(call(begun.trim_end()))
        } else {
            let (before, outcome) = outcome(rest)?;
            Kind::Whole(call(before), outcome)
        };
        Ok(Self { thread, kind })
    }
}

/// The bytes of a string in hexadecimal.
pub(crate) fn bytes(argument: &str) -> Result<Vec<u8>, String> {
    let digits = argument
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    // One that was cut short has dots behind it.
    let digits = digits.ok_or_else(|| format!("no whole string: {}", brief(argument)))?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let byte = |piece: &[u8]| match piece {
        [b'\\', b'x', high, low] => Some((value(*high)? << 4) | value(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(4).map(byte).collect();
    bytes.ok_or_else(|| format!("not in hexadecimal: {}", brief(argument)))
}

#[test]
fn a_line_is_a_whole_call_or_one_half_of_it() {
    let whole = Line::parse(r#"17    openat(AT_FDCWD, "\x61", O_RDWR|O_CREAT, 0600) = 3"#).unwrap();
    let call = Call {
        name: "openat",
        arguments: vec!["AT_FDCWD", r#""\x61""#, "O_RDWR|O_CREAT", "0600"],
    };
    assert_eq!(whole.kind, Kind::Whole(call, Outcome::Number(3)));
    let begin = Line::parse("18 fsync(4 <unfinished ...>").unwrap();
    let call = Call {
        name: "fsync",
        arguments: vec!["4"],
    };
    assert_eq!(begin.kind, Kind::Begin(call));
    let end = Line::parse("18 <... fsync resumed>)                = 0").unwrap();
    assert_eq!(end.kind, Kind::End("", Outcome::Number(0)));
    let failed = Line::parse(r#"17 unlink("\x61") = -1 ENOENT (No such file or directory)"#);
    let failed = failed.unwrap().kind;
    assert!(matches!(failed, Kind::Whole(_, Outcome::Error("ENOENT"))));
    let cut_off = Line::parse("17 fsync(4 <unfinished ...>) = ?").unwrap();
    let call = Call {
        name: "fsync",
        arguments: vec!["4"],
    };
    assert_eq!(cut_off.kind, Kind::Whole(call, Outcome::Error("?")));
    let ended = Line::parse("17 +++ exited with 0 +++").unwrap();
    assert_eq!(ended.kind, Kind::Other);
}

#[test]
fn a_string_is_its_bytes_and_one_that_was_cut_short_is_none() {
    assert_eq!(bytes(r#""\x00\x7f\xfa""#).unwrap(), [0, 0x7f, 0xfa]);
    assert_eq!(bytes(r#""""#).unwrap(), []);
    bytes(r#""\x00\x7f"..."#).unwrap_err();
    bytes(r#""ab""#).unwrap_err();
}
