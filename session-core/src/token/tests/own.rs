//! The spelling that we write is read without a parser for its claims, and means what the parser makes of it.

use proptest::prelude::*;
use serde_json::Value;

use super::super::envelope::Envelope;
use super::super::header::Kind;
use super::*;

/// What the claims of a token of ours say, read by their own shape.
fn own(json: &str) -> Option<(Claims, Value)> {
    codec().read_own(&mut json.as_bytes().to_vec())
}

/// The same by the parser, which takes any order and spelling.
fn by_the_parser(json: &str) -> Option<(Claims, Value)> {
    let token = by_hand(JOSE, json);
    let envelope = Envelope::open(token.as_bytes()).unwrap();
    let read = codec().read_any::<Value>(json.as_bytes(), envelope.signed, Kind::Session, now(), |_| None);
    read.ok().filter(|read| read.terms.is_none()).map(|read| (read.claims, read.user.unwrap()))
}

fn written(codec: &Codec, claims: &Claims, payload: &impl Serialize) -> Vec<u8> {
    codec.write(claims, None, payload, false).unwrap()
}

#[test]
fn what_we_write_is_read_by_its_own_shape() {
    let with_issuer = Codec::new(
        ring(),
        "a \"realm\"".to_owned(),
        Some("https://issuer.example".to_owned()),
        TokenForm::Typed,
        Duration::ZERO,
        Duration::ZERO,
    );
    let empty = serde_json::json!({});
    for codec in [codec(), with_issuer] {
        let read = codec.read_own::<User>(&mut written(&codec, &claims(), &ada()));
        assert_eq!(read, Some((claims(), ada())));
        let read = codec.read_own::<Value>(&mut written(&codec, &claims(), &empty));
        assert_eq!(read, Some((claims(), empty.clone())));
    }
}

#[test]
fn a_reference_is_read_by_its_own_shape() {
    let mut json = br#"{"#.to_vec();
    codec().append_claims(&mut json, &reference(7), None).unwrap();
    let read = codec().read_own::<Value>(&mut json);
    assert_eq!(read, Some((reference(7), serde_json::json!({}))));
}

#[test]
fn a_number_with_a_zero_in_front_is_none() {
    let json = String::from_utf8(written(&codec(), &claims(), &ada())).unwrap();
    for good in ["1800000000", "1799999990"] {
        let wrong = json.replacen(good, &format!("0{good}"), 1);
        assert!(wrong != json && own(&wrong).is_none() && by_the_parser(&wrong).is_none(), "{wrong}");
    }
    assert!(own(&json).is_some());
}

#[test]
fn a_payload_of_another_type_leaves_the_json_as_it_was() {
    let mut json = written(&codec(), &claims(), &serde_json::json!({ "other": 1 }));
    let before = json.clone();
    assert_eq!(codec().read_own::<User>(&mut json), None);
    assert_eq!(json, before);
}

#[test]
fn a_claim_among_the_payload_is_not_of_our_making() {
    for member in [r#""exp":1"#, r#""sid":"x""#, r#""\u0065xp":1"#, r#""a":1,"a":2"#, r#""act":{"sub":"b"}"#]
    {
        let json = String::from_utf8(written(&codec(), &claims(), &ada())).unwrap();
        let json = json.replacen('{', &format!("{{{member},"), 1);
        assert_eq!(own(&json), None, "{json}");
        assert_eq!(by_the_parser(&json), None, "{json}");
    }
}

/// A member of an object, more or less as we write it.
fn member() -> impl Strategy<Value = String> {
    let sid = claims().sid.to_text();
    prop_oneof![
        4 => Just(format!(r#""sid":"{sid}""#)),
        1 => Just(r#""sid":"short""#.to_owned()),
        4 => (NOW - 100..NOW + 100).prop_map(|iat| format!(r#""iat":{iat}"#)),
        4 => any::<u64>().prop_map(|exp| format!(r#""exp":{}"#, exp % 4_000_000_000)),
        1 => any::<u64>().prop_map(|exp| format!(r#""exp":{exp}"#)),
        4 => Just(r#""auth_time":1799999990"#.to_owned()),
        1 => Just(r#""auth_time":01"#.to_owned()),
        1 => Just(r#""auth_time":1e3"#.to_owned()),
        2 => any::<u64>().prop_map(|generation| format!(r#""gen":{generation}"#)),
        4 => Just(r#""aud":"__Host-session""#.to_owned()),
        1 => Just(r#""role":"a\",\"sid\":\"b""#.to_owned()),
        1 => Just(r#""nested":{"sid":"a","iat":1}"#.to_owned()),
        1 => Just(r#""list":[1,{"exp":2}]"#.to_owned()),
        1 => Just(r#""level""#.to_owned()),
    ]
}

/// Our own order, with members left out, put in or changed.
fn nearly_ours() -> impl Strategy<Value = String> {
    let usual = codec().write(&claims(), None, &ada(), false).unwrap();
    let usual = String::from_utf8(usual).unwrap().trim_matches(['{', '}']).to_owned();
    let members: Vec<String> = usual.split(',').map(str::to_owned).collect();
    let change = (0..members.len() + 1, 0..3_usize, member());
    prop::collection::vec(change, 0..4).prop_map(move |changes| {
        let mut members = members.clone();
        for (at, removed, member) in changes {
            let at = at.min(members.len());
            let to = (at + removed).min(members.len());
            members.splice(at..to, [member]);
        }
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn what_is_read_by_its_own_shape_the_parser_reads_alike(json in nearly_ours()) {
        if let Some(read) = own(&json) {
            let judged = codec().timely(read.0, None, now()).ok().map(|_| read);
            prop_assert_eq!(judged, by_the_parser(&json));
        }
    }

    #[test]
    fn any_bytes_are_read_by_it_or_left_as_they_were(json in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut kept = json.clone();
        if codec().read_own::<Value>(&mut kept).is_none() {
            prop_assert_eq!(kept, json);
        }
    }
}
