//! A program changes its types: what it stored before stays readable.

use serde::{Deserialize, Serialize};

use super::{is_read_as, is_refused_as, round_trips};

#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
struct Old {
    name: String,
    visits: u32,
}

fn old() -> Old {
    Old {
        name: "ada".into(),
        visits: 3,
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New {
    #[serde(default = "german")]
    language: String,
    name: String,
    #[serde(default)]
    tags: Vec<String>,
    email: Option<String>,
    visits: u64,
}

fn german() -> String {
    "de".into()
}

#[test]
fn a_field_added_with_a_default_is_filled_in() {
    let new = New {
        language: "de".into(),
        name: "ada".into(),
        tags: vec![],
        email: None,
        visits: 3,
    };
    is_read_as(&[old()], &[new]);
}

#[test]
fn a_value_of_the_newer_type_is_read_as_the_older() {
    let new = New {
        language: "en".into(),
        name: "ada".into(),
        tags: vec!["x".into()],
        email: Some("a@example.org".into()),
        visits: 3,
    };
    is_read_as(&[new], &[old()]);
}

#[test]
fn a_field_added_without_a_default_is_an_error() {
    #[derive(Debug, Deserialize)]
    struct Stricter {
        #[expect(dead_code, reason = "never decoded")]
        name: String,
        #[expect(dead_code, reason = "never decoded")]
        email: String,
    }
    is_refused_as::<Stricter, _>(&[old()]);
}

#[test]
fn the_order_of_fields_does_not_matter() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Turned {
        visits: u32,
        name: String,
    }
    let turned = Turned {
        visits: 3,
        name: "ada".into(),
    };
    is_read_as(&[old()], &[turned]);
}

#[test]
fn skipped_fields_round_trip() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Profile {
        #[serde(skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        #[serde(skip)]
        cached: u8,
        name: String,
        #[serde(default, skip_serializing_if = "is_zero")]
        visits: u32,
    }
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_zero(number: &u32) -> bool {
        *number == 0
    }
    let profile = |email: Option<&str>, tags: &[&str], visits| Profile {
        email: email.map(str::to_owned),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        cached: 0,
        name: "ada".into(),
        visits,
    };
    round_trips(&[
        profile(None, &[], 0),
        profile(Some("a"), &[], 1),
        profile(None, &["x", "y"], 0),
        profile(Some("a"), &["x"], 2),
    ]);
}

#[test]
fn a_renamed_field_is_read_by_its_alias() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Renamed {
        #[serde(alias = "name")]
        full_name: String,
    }
    let renamed = Renamed {
        full_name: "ada".into(),
    };
    is_read_as(&[old()], &[renamed]);
}

#[test]
fn a_removed_field_is_ignored_unless_unknown_fields_are_denied() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Smaller {
        name: String,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "never decoded")]
        name: String,
    }
    let smaller = Smaller { name: "ada".into() };
    is_read_as(&[old()], &[smaller]);
    is_refused_as::<Strict, _>(&[old()]);
}
