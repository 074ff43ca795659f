//! Lines of an access log, one by one.

use crate::replay_example::log::{Malformed, Request};

const TIME: &str = "[17/May/2015:10:05:03 +0000]";

fn line(request: &str, user_agent: &str) -> String {
    format!("192.0.2.1 - - {TIME} \"{request}\" 200 1024 \"-\" \"{user_agent}\"")
}

fn malformed(line: &str) -> &'static str {
    match Request::parse(line) {
        Err(Malformed(reason)) => reason,
        Ok(request) => panic!("{line:?} was read as {request:?}"),
    }
}

#[test]
fn a_line_names_visitor_time_and_page() {
    let line = line("GET /a/b?c=d HTTP/1.1", "curl/8.5.0");
    let request = Request::parse(&line).unwrap();
    assert_eq!(request.visitor.address, "192.0.2.1");
    assert_eq!(request.visitor.user_agent, "curl/8.5.0");
    assert_eq!(request.at.to_string(), "2015-05-17T10:05:03Z");
    assert_eq!(request.page, "/a/b");
}

#[test]
fn a_time_zone_counts() {
    let line = line("GET / HTTP/1.1", "-").replace("+0000", "-0430");
    let request = Request::parse(&line).unwrap();
    assert_eq!(request.at.to_string(), "2015-05-17T14:35:03Z");
}

#[test]
fn a_protected_quote_does_not_end_a_text() {
    let line = line("GET / HTTP/1.1", r#"a \"b\" \\"#);
    let request = Request::parse(&line).unwrap();
    assert_eq!(request.visitor.user_agent, r#"a \"b\" \\"#);
}

#[test]
fn a_user_name_may_have_spaces() {
    let line = line("GET / HTTP/1.1", "-").replace("- - [", "- ada lovelace [");
    assert!(Request::parse(&line).is_ok());
}

#[test]
fn a_page_is_cut_between_characters() {
    let line = line(&format!("GET /{} HTTP/1.1", "é".repeat(400)), "-");
    let request = Request::parse(&line).unwrap();
    assert_eq!(request.page.len(), 499);
    assert!(request.page.ends_with('é'));
}

#[test]
fn every_prefix_of_a_line_is_malformed() {
    let whole = line("GET / HTTP/1.1", "é");
    assert!(Request::parse(&whole).is_ok());
    for (end, _) in whole.char_indices() {
        assert_ne!(malformed(&whole[..end]), "", "{end}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let whole = line("GET / HTTP/1.1", "-");
    for (from, to, reason) in [
        ("192.0.2.1", "", "there is no address"),
        (TIME, "17/May/2015", "there is no time"),
        ("+0000]", "+0000", "the time does not end"),
        ("17/May", "31/Feb", "the time is not one"),
        ("GET / HTTP/1.1", "-", "the request names no path"),
        (
            "GET / HTTP/1.1",
            "GET ? HTTP/1.1",
            "the request names no path",
        ),
        ("\"-\" \"-\"", "- \"-\"", "there is no whole referrer"),
    ] {
        let broken = whole.replacen(from, to, 1);
        assert_eq!(malformed(&broken), reason, "{broken}");
    }
}
