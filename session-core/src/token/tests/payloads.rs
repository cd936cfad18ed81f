//! Payload types of every kind go in and come out; what no token can carry is an error.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use serde::de::DeserializeOwned;

use super::*;
use crate::token::payload::{payload_json, place_of_fault};

#[track_caller]
fn round_trips<U: Serialize + DeserializeOwned + PartialEq + Debug>(payload: U) {
    for codec in [codec(), plain(), sealed()] {
        let token = codec.issue(&claims(), &payload).unwrap();
        let (read, back): (_, U) = codec.verify(token.as_bytes(), now()).unwrap();
        assert_eq!((read, &back), (claims(), &payload));
    }
}

#[test]
fn structs_and_newtypes_and_options() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(User);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Transparent(User);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Empty {}
    round_trips(ada());
    round_trips(Wrapped(ada()));
    round_trips(Transparent(ada()));
    round_trips(Some(ada()));
    round_trips(Empty {});
    round_trips(Box::new(ada()));
}

#[test]
fn nested_values() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nested {
        user: User,
        ids: Vec<u64>,
        big: u128,
        least: i64,
        ratio: f64,
        none: Option<String>,
        /// Below the top level every name is free.
        claims: BTreeMap<String, i64>,
        pair: (bool, char),
    }
    round_trips(Nested {
        user: ada(),
        ids: vec![0, u64::MAX],
        big: u128::MAX,
        least: i64::MIN,
        ratio: 0.1,
        none: None,
        claims: [("sid".to_owned(), 1), ("exp".to_owned(), 2)].into(),
        pair: (true, 'ß'),
    });
}

#[test]
fn maps_with_any_key_type() {
    #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    struct Id(String);
    #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    enum Color {
        Red,
        Green,
    }
    round_trips(BTreeMap::from([
        ("a".to_owned(), 1),
        ("\"quoted\" \u{1} ü".to_owned(), 2),
        (String::new(), 3),
    ]));
    round_trips(HashMap::from([(7_u32, "seven".to_owned()), (8, "eight".to_owned())]));
    round_trips(BTreeMap::from([(i64::MIN, 1), (-1, 2)]));
    round_trips(BTreeMap::from([(true, 1), (false, 2)]));
    round_trips(BTreeMap::from([(Id("x".to_owned()), 1)]));
    round_trips(BTreeMap::from([(Color::Red, 1), (Color::Green, 2)]));
    round_trips(BTreeMap::from([('c', 1)]));
    round_trips((0..200).map(|n| (format!("k{n}"), n)).collect::<BTreeMap<_, _>>());
    round_trips(serde_json::json!({"a": [1, 2.5, null, {"sid": true}], "b": "c"}));
}

#[test]
fn enums_in_every_tagging() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum External {
        Tuple(u8, String),
        Newtype(User),
        Struct { id: u32 },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Internal {
        Newtype(User),
        Struct { id: u32 },
        Unit,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", content = "content")]
    enum Adjacent {
        Newtype(User),
        Unit,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Newtype(User),
        Struct { id: u32 },
    }
    round_trips(External::Tuple(1, "a".to_owned()));
    round_trips(External::Newtype(ada()));
    round_trips(External::Struct { id: 7 });
    round_trips(Internal::Newtype(ada()));
    round_trips(Internal::Struct { id: 7 });
    round_trips(Internal::Unit);
    round_trips(Adjacent::Newtype(ada()));
    round_trips(Adjacent::Unit);
    round_trips(Untagged::Newtype(ada()));
    round_trips(Untagged::Struct { id: 7 });
}

#[test]
fn flattened_structs_and_rest_maps_see_no_registered_claim() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        id: u32,
        #[serde(flatten)]
        user: User,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
    }
    round_trips(Flat { id: 1, user: ada(), rest: [("more".to_owned(), 1.into())].into() });
    round_trips(Flat { id: 1, user: ada(), rest: BTreeMap::new() });
}

#[test]
fn a_type_that_denies_unknown_fields_sees_no_registered_claim() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        id: u32,
    }
    round_trips(Strict { id: 7 });
    let token = by_hand(our_header(), claims_with("sub", Some("\"someone\"")));
    assert_eq!(verify(&codec(), &token).unwrap().1, ada(), "sub is the token's, not the payload's");
}

#[test]
fn claims_may_stand_anywhere_between_the_payloads_fields() {
    let claims = format!(
        r#"{{"exp":{0},"userId":"ada","sid":"MDEyMzQ1Njc4OWFiY2RlZmdo","iat":{0},"role":"admin","aud":"__Host-session","auth_time":{0}}}"#,
        NOW
    );
    assert_eq!(verify(&codec(), &by_hand(our_header(), claims)).unwrap().1, ada());
}

#[test]
fn a_payload_that_is_no_object_is_an_error() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    enum Color {
        Red,
    }
    fn fails(payload: impl Serialize) {
        assert!(matches!(codec().issue(&claims(), &payload), Err(IssueError::NotAnObject)));
        assert!(matches!(payload_json(&payload), Err(IssueError::NotAnObject)));
    }
    fails(());
    fails(Unit);
    fails(Color::Red);
    fails(7);
    fails("text");
    fails([ada(), ada()]);
    fails((1, 2));
    fails(None::<User>);
    fails(f64::NAN);
}

#[test]
fn a_payload_with_a_reserved_name_at_its_top_level_is_an_error_that_names_it() {
    for name in [
        "iss",
        "aud",
        "sub",
        "exp",
        "nbf",
        "iat",
        "jti",
        "sid",
        "auth_time",
        "gen",
        "amr",
        "acr",
        "act",
        "ends_by",
        "at_most",
        "unremembered",
    ] {
        let payload = BTreeMap::from([("first", 1), (name, 1)]);
        let error = payload_json(&payload).unwrap_err();
        assert!(matches!(&error, IssueError::Reserved(named) if named == name));
        assert!(error.to_string().contains(name));
        assert!(codec().issue(&claims(), &payload).is_err());
        assert!(payload_json(&BTreeMap::from([("nested", payload)])).is_ok());
    }
    #[derive(Serialize)]
    #[allow(non_camel_case_types)]
    enum Variant {
        sid(u8),
    }
    assert!(matches!(payload_json(&Variant::sid(1)), Err(IssueError::Reserved(_))));
}

#[test]
fn a_payload_that_writes_a_name_twice_is_an_error_that_names_it() {
    #[derive(Serialize)]
    struct Twice {
        role: u8,
        #[serde(flatten)]
        user: User,
    }
    let error = codec().issue(&claims(), &Twice { role: 1, user: ada() }).unwrap_err();
    assert!(matches!(error, IssueError::Repeated(name) if name == "role"));
}

#[test]
fn a_payload_nested_deeper_than_readers_follow_is_an_error() {
    let nested = |depth: usize| {
        let list = (2..depth).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
        serde_json::json!({ "list": list })
    };
    round_trips(nested(100));
    assert!(matches!(payload_json(&nested(101)), Err(IssueError::TooDeep)));
}

#[test]
fn a_payload_whose_serialize_fails_is_an_error() {
    #[derive(Serialize)]
    struct Failing {
        map: HashMap<(u8, u8), u8>,
    }
    let payload = Failing { map: [((1, 2), 3)].into() };
    assert!(matches!(payload_json(&payload), Err(IssueError::Serialize(_))));
}

#[test]
fn where_a_payload_does_not_read_back_is_told_by_the_names_of_its_fields_alone() {
    #[derive(Deserialize)]
    struct Scores {
        #[serde(rename = "by_player")]
        _by_player: BTreeMap<String, Vec<f64>>,
    }
    let place = |key: &str| {
        let json = serde_json::json!({ "by_player": { key: [0.5, null] } }).to_string();
        place_of_fault::<Scores, _>(&mut serde_json::Deserializer::from_str(&json))
    };
    assert!(place("level_a").contains("`by_player.level_a.1`"), "{}", place("level_a"));
    // A key of a map could be anything.
    for key in ["eve@example.com", "a b", "n7", &"a".repeat(41)] {
        assert!(place(key).contains("`by_player....1`"), "{}", place(key));
    }
    assert!(place(&"a".repeat(40)).contains("aaa"));
    let missing = place_of_fault::<Scores, _>(&mut serde_json::Deserializer::from_str("{}"));
    assert!(missing.contains("`by_player` is left out"), "{missing}");
    let whole = place_of_fault::<Scores, _>(&mut serde_json::Deserializer::from_str("7"));
    assert!(whole.contains("flattened"), "{whole}");
}

#[test]
fn payload_json_is_the_payload_alone() {
    assert_eq!(payload_json(&ada()).unwrap(), br#"{"userId":"ada","role":"admin"}"#);
}
