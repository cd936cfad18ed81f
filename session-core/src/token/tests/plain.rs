//! What others write into plain tokens beyond what ours have.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::payload::SessionPayload;
use crate::terms::Terms;
use crate::token::{Carried, MAX_TOKEN_LEN};

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        (!self.user_id.is_empty()).then(|| (&self.user_id).into())
    }
}

/// A token of the other side's with these members beside `iat` and `exp`.
fn theirs(members: &str) -> String {
    by_hand(JOSE, format!(r#"{{{members},"iat":{NOW},"exp":{}}}"#, NOW + 60))
}

fn read<U: DeserializeOwned>(codec: &Codec, token: &str) -> Result<Carried<U>, Refused> {
    codec.verify_with(token.as_bytes(), now(), &Tries::new(), |_| None)
}

fn said(token: &str) -> Value {
    let json = base64::to_vec(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The next token after `token`, with the payload as it was read or as `change` makes it.
fn next<U: Serialize + DeserializeOwned>(codec: &Codec, token: &str, change: impl FnOnce(&mut U)) -> String {
    let Carried { claims, terms, mut user } = read::<U>(codec, token).unwrap();
    change(&mut user);
    let json = codec.write(&claims, terms.as_deref(), &user, false).unwrap();
    codec.sign(&json, codec.form).unwrap()
}

#[track_caller]
fn judged(name: &str, value: &str) -> Result<Claims, ErrorKind> {
    let token = by_hand(JOSE, claims_with(name, Some(value)));
    verify(&plain(), &token).map(|(claims, _)| claims).map_err(|refused| refused.kind)
}

#[test]
fn dates_with_a_fraction_begin_and_end_no_later_than_they_say() {
    assert_eq!(judged("iat", "1799999999.9").unwrap().issued_at, at(NOW - 1));
    assert_eq!(judged("exp", "1800000059.999").unwrap().expires_at, at(NOW + 59));
    assert_eq!(judged("exp", "1800000059.0").unwrap().expires_at, at(NOW + 59));
    assert_eq!(judged("exp", "1.800000059e9").unwrap().expires_at, at(NOW + 59));
    assert_eq!(judged("auth_time", "1799999990.5").unwrap().authenticated_at, at(NOW - 10));
    assert_eq!(judged("ends_by", "1800000030.5").unwrap().ends_by, Some(at(NOW + 30)));
    let absolute = judged("iat", "1799999999.9").unwrap();
    assert!(absolute.expires_at <= at(NOW - 1 + ABSOLUTE));
}

#[test]
fn a_plain_token_with_a_fraction_in_nbf_is_good_no_earlier_than_it_says() {
    let latest = NOW + LEEWAY;
    assert!(judged("nbf", &format!("{}.5", latest - 1)).is_ok());
    assert_eq!(judged("nbf", &format!("{latest}.5")), Err(ErrorKind::TokenInvalid));
}

#[test]
fn what_is_no_date_is_refused_in_every_form() {
    for date in
        ["-1", "-0.5", "1e400", "-1e9", "253402300800.0", "253402300799.5", "\"1800000000\"", "null", "[]"]
    {
        for name in ["iat", "exp", "nbf", "auth_time"] {
            if name == "exp" && date == "253402300799.5" {
                assert_eq!(judged(name, date).unwrap().expires_at, at(NOW + ABSOLUTE), "in the year 9999");
                continue;
            }
            assert_eq!(judged(name, date), Err(ErrorKind::TokenInvalid), "{name}: {date}");
        }
    }
}

#[test]
fn a_date_with_a_fraction_is_refused_in_a_typed_token() {
    for name in ["iat", "exp", "auth_time"] {
        let token = by_hand(our_header(), claims_with(name, Some("1799999999.0")));
        for codec in [codec(), plain()] {
            assert_eq!(verify(&codec, &token).unwrap_err().kind, ErrorKind::TokenInvalid, "{name}");
        }
    }
}

fn by_sub() -> Codec {
    plain().with_sub_field(Some("userId".to_owned()))
}

#[test]
fn sub_is_read_as_the_field_that_it_was_made() {
    for members in [
        r#""sub":"ada","role":"admin""#,
        r#""role":"admin","sub":"ada""#,
        r#""\u0073ub":"\u0061da","role":"admin""#,
        r#""sub":"ada","userId":"ada","role":"admin""#,
        r#""sub":"ada","userId":"\u0061da","role":"admin""#,
        r#""userId":"ada","role":"admin""#,
    ] {
        assert_eq!(verify(&by_sub(), &theirs(members)).unwrap().1, ada(), "{members}");
    }
    let token = theirs(r#""sub":"ada","role":"admin""#);
    assert_eq!(verify(&plain(), &token).unwrap_err().kind, ErrorKind::Invalid, "not by itself");
    let spaced =
        by_hand(JOSE, format!(" {{ \"sub\":\"ada\",\"role\":\"admin\",\"iat\":{NOW},\"exp\":{NOW}}}"));
    assert_eq!(verify(&by_sub(), &spaced).unwrap().1, ada());
}

#[test]
fn sub_and_a_field_that_name_two_accounts_are_refused() {
    for members in [
        r#""sub":"eve","userId":"ada","role":"admin""#,
        r#""sub":7,"userId":"7","role":"admin""#,
        r#""sub":"","userId":"ada","role":"admin""#,
        r#""sub":"ada","sub":"eve","role":"admin""#,
        r#""sub":"ada","userId":"ada","userId":"eve","role":"admin""#,
        r#""sub":"eve","userId":"ada","userId":"eve","role":"admin""#,
    ] {
        assert_eq!(
            verify(&by_sub(), &theirs(members)).unwrap_err().kind,
            ErrorKind::TokenInvalid,
            "{members}"
        );
    }
}

#[test]
fn a_typed_token_has_its_sub_for_itself() {
    let token = by_hand(our_header(), claims_with("sub", Some("\"eve\"")));
    assert_eq!(verify(&by_sub(), &token).unwrap().1, ada());
}

#[test]
fn a_token_of_ours_has_the_field_and_sub_with_one_value() {
    let token = by_sub().issue_for(&claims(), None, &ada(), &SystemRandom).unwrap();
    let said = said(&token);
    assert_eq!((&said["sub"], &said["userId"]), (&json!("ada"), &json!("ada")));
    assert_eq!(verify(&by_sub(), &token).unwrap(), (claims(), ada()));
    assert_eq!(verify(&plain(), &token).unwrap(), (claims(), ada()), "where sub is no field, too");
    // Changed by whom it may be changed: both follow.
    let token = theirs(r#""sub":"ada","role":"admin""#);
    let changed = next::<User>(&by_sub(), &token, |user| user.user_id = "a\"d\"a".to_owned());
    assert_eq!(said_twice(&changed), ["a\"d\"a", "a\"d\"a"]);
}

fn said_twice(token: &str) -> [Value; 2] {
    let said = said(token);
    [said["sub"].clone(), said["userId"].clone()]
}

#[test]
fn a_field_that_cannot_be_sub_is_an_error_that_names_it() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Numbered {
        id: Option<u64>,
    }
    impl SessionPayload for Numbered {
        fn subject(&self) -> Option<Cow<'_, str>> {
            self.id.map(|id| id.to_string().into())
        }
    }
    for field in ["id", "userId"] {
        let codec = plain().with_sub_field(Some(field.to_owned()));
        let error = codec.issue_for(&claims(), None, &Numbered { id: Some(7) }, &SystemRandom).unwrap_err();
        assert!(error.to_string().contains(&format!("`{field}`")), "{error}");
        let guest = codec.issue_for(&claims(), None, &Numbered { id: None }, &SystemRandom).unwrap();
        assert_eq!(said(&guest).get("sub"), None, "a guest has none");
    }
}

#[test]
fn what_the_payload_leaves_out_is_in_the_next_token_as_it_was() {
    let members = r#""tenant":"acme","userId":"ada","big":12345678901234567890123,"exact":1.50,"huge":1e400,
        "nested":{"sid":"x","list":[1,{"exp":2}]},"n\u0061me \"q\"":null,"role":"admin","iss":"next","jti":"t-1","sub":"s""#;
    let token = theirs(members);
    let read = read::<User>(&plain(), &token).unwrap();
    assert_eq!(read.user, ada());
    let next = next::<User>(&plain(), &token, |user| user.role = "user".to_owned());
    let json = String::from_utf8(base64::to_vec(next.split('.').nth(1).unwrap()).unwrap()).unwrap();
    for kept in [
        r#""tenant":"acme""#,
        r#""big":12345678901234567890123"#,
        r#""exact":1.50"#,
        r#""huge":1e400"#,
        r#""nested":{"sid":"x","list":[1,{"exp":2}]}"#,
        r#""name \"q\"":null"#,
        r#""iss":"next""#,
        r#""jti":"t-1""#,
        r#""sub":"s""#,
        r#""role":"user""#,
    ] {
        assert_eq!(json.matches(kept).count(), 1, "{kept} in {json}");
    }
    // And in the one after that.
    assert_eq!(super::plain::next::<User>(&plain(), &next, |_| ()), next);
}

#[test]
fn what_a_token_says_of_its_own_time_and_rank_is_not_left_over() {
    // With our audience in the next token, `acr` would count.
    let token = theirs(r#""userId":"ada","role":"admin","acr":"2","nbf":1"#);
    let said = said(&next::<User>(&plain(), &token, |_| ()));
    assert_eq!((said.get("acr"), said.get("nbf")), (None, None));
    assert_eq!(said["aud"], "__Host-session");
}

#[test]
fn a_typed_token_or_form_keeps_nothing() {
    let token = by_hand(our_header(), claims_with("tenant", Some("\"acme\"")));
    for codec in [codec(), plain()] {
        assert_eq!(read::<User>(&codec, &token).unwrap().terms, None);
    }
    let terms = Terms { left_out: Some(r#"{"tenant":"acme"}"#.into()), ..Terms::default() };
    let json = codec().write(&claims(), Some(&terms), &ada(), false).unwrap();
    assert_eq!(json, codec().write(&claims(), None, &ada(), false).unwrap());
}

#[test]
fn the_payload_s_own_word_comes_first() {
    /// Writes what it does not read.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Changed {
        user: String,
        #[serde(skip_deserializing)]
        seen: u8,
        #[serde(alias = "label")]
        name: String,
    }
    let token = theirs(r#""user":"ada","seen":9,"label":"x","more":1"#);
    let said = said(&next::<Changed>(&plain(), &token, |_| ()));
    assert_eq!((&said["seen"], &said["name"], &said["more"]), (&json!(0), &json!("x"), &json!(1)));
    assert_eq!(said.get("label"), None, "read by another name, it is not left out");
}

#[test]
fn values_without_a_size_are_read_and_not_left_out() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Staff,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Marker;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(());
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sizeless {
        kind: Kind,
        marker: Marker,
        wrapped: Wrapped,
        nothing: (),
        none: [u8; 0],
    }
    let user = Sizeless { kind: Kind::Staff, marker: Marker, wrapped: Wrapped(()), nothing: (), none: [] };
    let token = plain().issue(&claims(), &user).unwrap();
    let read = read::<Sizeless>(&plain(), &token).unwrap();
    assert_eq!((read.user, read.terms), (user, None));
    let wrong = theirs(r#""kind":"Guest","marker":null,"wrapped":null,"nothing":null,"none":[]"#);
    assert_eq!(super::plain::read::<Sizeless>(&plain(), &wrong).unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn a_payload_that_takes_everything_leaves_nothing_out() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Open {
        user: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    let token = theirs(r#""user":"ada","tenant":"acme""#);
    let read = read::<Open>(&plain(), &token).unwrap();
    assert_eq!((read.user.rest["tenant"].clone(), read.terms), (json!("acme"), None));
    assert_eq!(said(&next::<Open>(&plain(), &token, |_| ()))["tenant"], "acme");
    assert_eq!(said(&next::<Value>(&plain(), &token, |_| ()))["tenant"], "acme");
}

#[test]
fn a_name_that_is_there_twice_is_refused_though_the_payload_leaves_it_out() {
    let token = theirs(r#""userId":"ada","role":"admin","tenant":1,"tenant":2"#);
    assert_eq!(verify(&plain(), &token).unwrap_err().kind, ErrorKind::TokenInvalid);
}

#[test]
fn with_what_is_kept_a_token_is_no_longer_than_any_other() {
    let long = "x".repeat(2700);
    let token = theirs(&format!(r#""userId":"ada","role":"admin","more":"{long}""#));
    assert!(token.len() <= MAX_TOKEN_LEN);
    let Carried { claims, terms, .. } = read::<User>(&plain(), &token).unwrap();
    let user = User { role: "x".repeat(400), ..ada() };
    let error = plain().issue_for(&claims, terms.as_deref(), &user, &SystemRandom).unwrap_err();
    assert!(matches!(error, IssueError::TooLong(_)), "{error}");
}

#[test]
fn a_session_without_anything_left_out_has_the_usual_terms() {
    let token = plain().issue(&claims(), &ada()).unwrap();
    assert_eq!(read::<User>(&plain(), &token).unwrap().terms, None::<Arc<Terms>>);
}

/// As a Next.js module names its sessions.
const THEIR_SID: &str = "0123456789abcdef012345";

#[test]
fn a_sid_of_another_form_is_the_same_in_the_next_token() {
    for spelled in [format!(r#""{THEIR_SID}""#), format!(r#""\u0030{}""#, &THEIR_SID[1..])] {
        let first = theirs(&format!(r#""sid":{spelled},"userId":"ada","role":"admin""#));
        let second = next::<User>(&plain(), &first, |_| {});
        let third = next::<User>(&plain(), &second, |user| user.role = "guest".to_owned());
        for token in [&second, &third] {
            assert_eq!(said(token)["sid"], THEIR_SID);
            assert_eq!(verify(&plain(), token).unwrap().0.sid, verify(&plain(), &first).unwrap().0.sid);
        }
    }
}

#[test]
fn a_typed_token_has_an_id_of_ours() {
    let token = by_hand(our_header(), claims_with("sid", Some(&format!(r#""{THEIR_SID}""#))));
    for codec in [super::codec(), plain()] {
        assert!(verify(&codec, &token).is_err());
    }
}

#[test]
fn a_session_with_a_new_id_no_more_has_the_sid_of_the_other_side() {
    let token = theirs(&format!(r#""sid":"{THEIR_SID}","userId":"ada","role":"admin""#));
    let Carried { claims: old, terms, user } = read::<User>(&plain(), &token).unwrap();
    let json = plain().write(&claims(), terms.as_deref(), &user, false).unwrap();
    let token = plain().sign(&json, TokenForm::Plain).unwrap();
    assert_eq!(said(&token)["sid"], claims().sid.to_text());
    assert_ne!(verify(&plain(), &token).unwrap().0.sid, old.sid);
}

#[test]
fn a_sid_that_is_no_string_is_refused() {
    for sid in ["7", "null", "[]", "{}", "true"] {
        let token = theirs(&format!(r#""sid":{sid},"userId":"ada","role":"admin""#));
        assert!(verify(&plain(), &token).is_err(), "{sid}");
    }
}
