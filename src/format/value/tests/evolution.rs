//! A program changes its types; what it stored before stays readable.

use std::collections::{BTreeMap, HashMap};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
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

#[test]
fn an_added_field_with_a_default_decodes_old_values() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        #[serde(default)]
        cart: Vec<u8>,
        name: String,
        email: Option<String>,
        visits: u64,
    }
    let new: New = convert(&old()).unwrap();
    assert_eq!((new.cart, new.email, new.visits), (vec![], None, 3));
}

#[test]
fn an_added_field_without_a_default_is_an_error() {
    #[derive(Debug, Deserialize)]
    struct New {
        #[expect(dead_code, reason = "never decoded")]
        email: String,
    }
    assert!(matches!(
        convert::<New>(&old()),
        Err(ValueError::MissingField("email"))
    ));
}

#[test]
fn a_removed_field_is_ignored_whatever_it_holds() {
    #[derive(Serialize)]
    struct Before {
        gone: HashMap<String, (Old, Option<u8>, f32, Blob)>,
        also_gone: i128,
        name: String,
    }
    #[derive(Deserialize)]
    struct After {
        name: String,
    }
    let before = Before {
        gone: [("x".into(), (old(), None, 0.5, Blob(vec![1])))].into(),
        also_gone: i128::MIN,
        name: "ada".into(),
    };
    assert_eq!(convert::<After>(&before).unwrap().name, "ada");
}

#[test]
fn a_removed_field_is_an_error_where_unknown_fields_are_denied() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        #[expect(dead_code, reason = "never decoded")]
        name: String,
    }
    assert!(matches!(
        convert::<Strict>(&old()),
        Err(ValueError::WrongType { .. })
    ));
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
    }
    for (email, tags) in [(None, vec![]), (Some("e".into()), vec!["t".into()])] {
        round_trips(Profile {
            email,
            tags,
            cached: 0,
            name: "n".into(),
        });
    }
}

#[test]
fn a_renamed_field_is_read_by_its_alias() {
    #[derive(Deserialize)]
    struct New {
        #[serde(rename = "full-name", alias = "name")]
        full_name: String,
    }
    assert_eq!(convert::<New>(&old()).unwrap().full_name, "ada");
}

#[test]
fn a_field_may_become_optional_and_a_struct_a_map() {
    #[derive(Deserialize)]
    struct New {
        name: Option<String>,
    }
    assert_eq!(convert::<New>(&old()).unwrap().name.as_deref(), Some("ada"));
    let map: BTreeMap<String, serde_json::Value> = convert(&old()).unwrap();
    assert_eq!(map["visits"], 3);
    assert_eq!(convert::<Old>(&map).unwrap(), old());
}

#[test]
fn a_struct_is_not_read_by_the_position_of_its_fields() {
    #[derive(Debug, Deserialize)]
    struct Names {
        #[expect(dead_code, reason = "never decoded")]
        first: String,
    }
    assert!(convert::<Old>(&("ada", 3u32)).is_err());
    let by_index: BTreeMap<u8, &str> = [(0, "ada"), (1, "3")].into();
    assert!(convert::<Names>(&by_index).is_err());
    assert!(convert::<(String, u32)>(&old()).is_err());
}

#[test]
fn a_tuple_of_another_length_is_an_error() {
    assert!(convert::<(u8, u8)>(&(1, 2, 3)).is_err());
    assert!(convert::<(u8, u8)>(&[1]).is_err());
    assert!(convert::<[u8; 2]>(&Blob(vec![1, 2, 3])).is_err());
    assert!(convert::<[u8; 2]>(&Blob(vec![1])).is_err());
}

#[test]
fn the_tag_of_an_enum_is_not_read_by_position() {
    #[derive(Debug, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        A,
    }
    #[derive(Debug, Deserialize)]
    enum External {
        A,
        #[expect(dead_code, reason = "never decoded")]
        B(u8),
    }
    let by_index: BTreeMap<&str, u8> = [("type", 0)].into();
    assert!(convert::<Tagged>(&by_index).is_err());
    let by_name: BTreeMap<&str, &str> = [("type", "A")].into();
    assert!(matches!(convert::<Tagged>(&by_name).unwrap(), Tagged::A));
    assert!(convert::<External>(&0u8).is_err());
    assert!(convert::<External>(&BTreeMap::from([(1u8, 0u8)])).is_err());
    assert!(convert::<External>("B").is_err());
    assert!(convert::<External>(&BTreeMap::from([("A", 0u8)])).is_err());
    assert!(convert::<External>(&BTreeMap::from([("A", 0u8), ("B", 0)])).is_err());
    assert!(matches!(convert::<External>("A").unwrap(), External::A));
}

#[test]
fn a_failed_part_that_is_swallowed_does_not_misread_the_rest() {
    struct Lenient;
    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct LenientVisitor;
            impl<'de> Visitor<'de> for LenientVisitor {
                type Value = Lenient;

                fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str("a map")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Lenient, A::Error> {
                    while let Ok(Some(_)) = map.next_key::<String>() {
                        let _ = map.next_value::<u8>();
                    }
                    Ok(Lenient)
                }
            }
            deserializer.deserialize_map(LenientVisitor)
        }
    }
    assert!(convert::<Lenient>(&BTreeMap::from([("a", 1), ("b", 2)])).is_ok());
    assert!(convert::<Lenient>(&BTreeMap::from([("a", vec!["x", "y"]), ("b", vec![])])).is_err());
}
