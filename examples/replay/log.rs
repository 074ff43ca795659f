//! A line of an access log in the combined format:
//!
//! ```text
//! ADDRESS IDENTITY USER [DD/Mon/YYYY:HH:MM:SS +ZZZZ] "METHOD PATH PROTOCOL" STATUS BYTES "REFERRER" "USER AGENT"
//! ```

use jiff::Timestamp;

/// The most bytes of a path that tell pages apart; with what stands before it,
/// it has to fit a session's key.
const MAX_PAGE_BYTES: usize = 500;

/// Who asks: nobody is asked for a name, so address and user agent have to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Visitor {
    pub(crate) address: String,
    pub(crate) user_agent: String,
}

/// What a line says, as far as a session cares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'l> {
    pub(crate) visitor: Visitor,
    pub(crate) at: Timestamp,
    /// The path without its query.
    pub(crate) page: &'l str,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl<'l> Request<'l> {
    /// Reads a line, its end already cut off.
    pub(crate) fn parse(line: &'l str) -> Result<Self, Malformed> {
        let (address, rest) = word(line).ok_or(Malformed("there is no address"))?;
        let (_identity, rest) = word(rest).ok_or(Malformed("there is no identity"))?;
        let (_user, rest) = rest.split_once(" [").ok_or(Malformed("there is no time"))?;
        let (time, rest) = rest
            .split_once("] ")
            .ok_or(Malformed("the time does not end"))?;
        let (request, rest) = quoted(rest).ok_or(Malformed("there is no whole request"))?;
        let (_status, rest) = word(rest).ok_or(Malformed("there is no status"))?;
        let (_bytes, rest) = word(rest).ok_or(Malformed("there is no size"))?;
        let (_referrer, rest) = quoted(rest).ok_or(Malformed("there is no whole referrer"))?;
        let (user_agent, _) = quoted(rest).ok_or(Malformed("there is no whole user agent"))?;
        Ok(Self {
            visitor: Visitor {
                address: address.to_owned(),
                user_agent: user_agent.to_owned(),
            },
            at: Timestamp::strptime("%d/%b/%Y:%H:%M:%S %z", time)
                .map_err(|_| Malformed("the time is not one"))?,
            page: page(request).ok_or(Malformed("the request names no path"))?,
        })
    }
}

/// A word that is not empty, and what comes after the space that ends it.
fn word(text: &str) -> Option<(&str, &str)> {
    text.split_once(' ').filter(|(word, _)| !word.is_empty())
}

/// A text in quotes, where a backslash protects the next character, and what
/// comes after it and one space.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut protected = false;
    let end = text.find(|character| {
        let ends = character == '"' && !protected;
        protected = character == '\\' && !protected;
        ends
    })?;
    let (inside, rest) = text.split_at_checked(end)?;
    let rest = rest.strip_prefix('"')?;
    Some((inside, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The path of a request line, without its query and not longer than a key may
/// be.
fn page(request: &str) -> Option<&str> {
    let path = request.split(' ').nth(1)?;
    let page = path.split(['?', '#']).next().unwrap_or(path);
    let most = page.len().min(MAX_PAGE_BYTES);
    let end = (0..=most).rev().find(|end| page.is_char_boundary(*end))?;
    page.get(..end).filter(|page| !page.is_empty())
}
