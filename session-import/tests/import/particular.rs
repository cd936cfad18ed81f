//! What is particular to a system.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use session_import::{
    AuthJs, BetterAuth, CookiePrefix, CookieSession, Cookies, Django, ExpressSession, Flask, ImportError,
    IronSession, NextAuth, Rails, Timestamp,
};

use crate::vectors::{SECOND, SECRET, node, node_extra, python, python_extra, rails, rails_extra, text};

const AUTH_JS: &str = "__Secure-authjs.session-token";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn made() -> Timestamp {
    at(node_extra()["made_at"].as_i64().unwrap() + 10)
}

fn cookie(name: &str, value: &Value) -> String {
    format!("{name}={}", text(value))
}

fn cookies(header: &str) -> Cookies<'_> {
    Cookies::from_header(header.as_bytes())
}

#[test]
fn auth_js_of_several_visits_is_the_newest() {
    let first = cookie(AUTH_JS, &node()[1]["value"]);
    let again = cookie(AUTH_JS, &node_extra()["auth_js_again"]);
    for both in [format!("{first}; {again}"), format!("{again}; {first}")] {
        let reader = AuthJs::new(SECRET);
        let found = reader.read::<Value>(&cookies(&both), made()).unwrap().unwrap();
        assert!(found.issued_at.unwrap() > at(1_795_647_438) && found.payload["role"].is_null());
        assert_eq!(reader.read_all::<Value>(&cookies(&both), made()).unwrap().len(), 2);
    }
}

#[test]
fn auth_js_under_another_name_is_nothing_but_by_its_salt() {
    let renamed = cookie("sid", &node()[1]["value"]);
    let reader = AuthJs::new(SECRET).cookie_name("sid");
    assert_eq!(reader.read::<Value>(&cookies(&renamed), made()), Ok(None));
    assert!(reader.salt(AUTH_JS).read::<Value>(&cookies(&renamed), made()).unwrap().is_some());
    let salted = cookie(AUTH_JS, &node_extra()["auth_js_custom_salt"]);
    assert_eq!(AuthJs::new(SECRET).read::<Value>(&cookies(&salted), made()), Ok(None));
    assert!(AuthJs::new(SECRET).salt("custom").read::<Value>(&cookies(&salted), made()).unwrap().is_some());
}

#[test]
fn auth_js_and_next_auth_end_when_they_expire_without_leeway() {
    let (extra, made) = (node_extra(), python_extra()["made_at"].as_i64().unwrap());
    let auth = cookie(AUTH_JS, &extra["auth_js_expires_soon"]);
    let next = cookie("__Secure-next-auth.session-token", &extra["next_auth_expires_soon"]);
    let found = AuthJs::new(SECRET).read::<Value>(&cookies(&auth), at(made)).unwrap().unwrap();
    let ends = found.ends_at.unwrap();
    assert_eq!(AuthJs::new(SECRET).read::<Value>(&cookies(&auth), ends), Ok(None));
    let found = NextAuth::new(SECRET).read::<Value>(&cookies(&next), at(made)).unwrap().unwrap();
    assert_eq!(NextAuth::new(SECRET).read::<Value>(&cookies(&next), found.ends_at.unwrap()), Ok(None));
}

#[test]
fn chunks_are_joined_by_number_whatever_their_order_and_without_gaps() {
    let extra = node_extra();
    let chunks: Vec<String> =
        extra["next_auth_chunked"]["chunks"].as_array().unwrap().iter().map(text).collect();
    let name = "__Secure-next-auth.session-token";
    let read = |header: &str| NextAuth::new(SECRET).read::<Value>(&cookies(header), made());
    let backwards = format!("{name}.1={}; {name}.0={}", chunks[1], chunks[0]);
    let found = read(&backwards).unwrap().unwrap();
    assert_eq!(found.payload["note"].as_str().unwrap().len(), 5000);
    assert_eq!(found.cookies.len(), 2);
    assert_eq!(read(&format!("{name}.0={}; {name}.2={}", chunks[0], chunks[1])), Ok(None));
    assert_eq!(read(&format!("{name}.00={}; {name}.1={}", chunks[0], chunks[1])), Ok(None));
    // Which of two belongs to the others is open.
    let planted = format!("{backwards}; {name}.0=planted");
    assert_eq!(read(&planted), Err(ImportError::Ambiguous));
}

#[test]
fn what_is_no_payload_of_that_type_is_named_by_its_place_alone() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Token {
        sub: u64,
    }
    let header = cookie(AUTH_JS, &node()[1]["value"]);
    let error = AuthJs::new(SECRET).read::<Token>(&cookies(&header), made()).unwrap_err();
    assert_eq!(error, ImportError::Payload { path: "sub".to_owned() });
    assert!(!format!("{error} {error:?}").contains("42"));
}

#[test]
fn iron_session_tells_when_it_was_made_only_by_its_ttl() {
    let vector = &node_extra()["iron_one_day"];
    let ends = vector["expires_ms"].as_i64().unwrap() / 1000;
    let header = cookie("app", &vector["value"]);
    let reader = IronSession::new("app", SECRET);
    let found = reader.read::<Value>(&cookies(&header), at(ends - 1)).unwrap().unwrap();
    assert_eq!((found.issued_at, found.ends_at), (None, Some(at(ends))));
    let reader = reader.ttl(Duration::from_secs(24 * 3600));
    let found = reader.read::<Value>(&cookies(&header), at(ends - 1)).unwrap().unwrap();
    assert_eq!(found.issued_at, Some(at(ends - 24 * 3600)));
}

#[test]
fn iron_session_without_a_ttl_has_no_end() {
    let header = cookie("app", &node_extra()["iron_no_end"]);
    let reader = IronSession::new("app", SECRET).ttl(Duration::from_secs(60));
    let found = reader.read::<Value>(&cookies(&header), Timestamp::MAX).unwrap().unwrap();
    assert_eq!((found.issued_at, found.ends_at), (None, None));
}

fn better_auth(form: &str) -> (String, Vec<(String, String)>) {
    let pairs = node_extra()["better_auth"][form].clone();
    let pairs: Vec<(String, String)> =
        pairs.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    let header: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (header.join("; "), pairs)
}

#[test]
fn better_auth_tells_of_the_login() {
    for form in ["compact", "jwt", "jwe"] {
        let (header, pairs) = better_auth(form);
        let found = BetterAuth::new(SECRET).read::<Value>(&cookies(&header), made()).unwrap().unwrap();
        let login = found.authenticated_at.unwrap();
        assert!(login < made() && login > made().minus(Duration::from_secs(3600)), "{form}");
        assert!(pairs[0].1.starts_with(found.id.as_deref().unwrap()));
    }
}

#[test]
fn better_auth_in_chunks_is_read_and_cleared_whole() {
    for form in ["compact_chunked", "jwe_chunked"] {
        let (header, pairs) = better_auth(form);
        let header = format!("{header}; __Secure-better-auth.dont_remember=x");
        let found = BetterAuth::new(SECRET).read::<Value>(&cookies(&header), made()).unwrap().unwrap();
        assert_eq!(found.payload["user"]["name"].as_str().unwrap().len(), 5000);
        assert_eq!(found.cookies.len(), pairs.len() + 1);
    }
}

#[test]
fn better_auth_reads_a_copy_only_beside_the_token_that_it_is_of() {
    let ((_, one), (_, other)) = (better_auth("compact"), better_auth("jwt"));
    let mixed = format!("{}={}; {}={}", one[0].0, one[0].1, other[1].0, other[1].1);
    let alone = format!("{}={}", one[1].0, one[1].1);
    for header in [mixed, alone] {
        assert_eq!(BetterAuth::new(SECRET).read::<Value>(&cookies(&header), made()), Ok(None));
    }
}

#[test]
fn better_auth_whose_copy_is_stale_still_names_its_session() {
    for form in ["compact_soon", "jwt_soon"] {
        let (header, _) = better_auth(form);
        let reader = BetterAuth::new(SECRET);
        let early = made().minus(Duration::from_secs(3600 * 24));
        assert!(reader.read::<Value>(&cookies(&header), early).unwrap().is_some(), "{form}");
        let late = made().plus(Duration::from_secs(3600));
        assert_eq!(reader.read::<Value>(&cookies(&header), late), Ok(None), "{form}");
        let reference = reader.reference(&cookies(&header)).unwrap().unwrap();
        assert_eq!((reference.id.len(), reference.prefix), (32, CookiePrefix::Secure));
        assert!(!format!("{reference:?}").contains(&reference.id));
    }
}

#[test]
fn better_auth_over_plain_http_has_other_names() {
    let vector = &node()[6]["cookies"][0];
    let header = cookie(&text(&vector["name"]), &vector["value"]);
    assert_eq!(BetterAuth::new(SECRET).reference(&cookies(&header)), Ok(None));
    let reader = BetterAuth::new(SECRET).cookie_prefix("better-auth");
    let found = reader.reference(&cookies(&header)).unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.prefix), ("JTuhBXXTa4oHxk4PcoT84aic2mz8JQ2i", CookiePrefix::None));
}

#[test]
fn an_express_record_is_read_in_the_type_that_is_asked_for() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Record {
        user: User,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct User {
        role: String,
    }
    let header = cookie("connect.sid", &node()[10]["value"]);
    let reader = ExpressSession::new(SECRET);
    let record = |json: &str, now| {
        let reference = reader.reference(&cookies(&header)).unwrap().unwrap();
        reader.record::<Record>(reference, json.as_bytes(), now)
    };
    let found = record(&node()[10]["record"].to_string(), at(1_795_700_000)).unwrap().unwrap();
    assert_eq!(found.payload.user.role, "editor");
    let endless = record(r#"{"cookie":{"expires":null},"user":{"role":"x"}}"#, Timestamp::MAX);
    assert_eq!(endless.unwrap().unwrap().ends_at, None);
    for nothing in ["", "[]", "null", r#"{"user":{"role":"x"}}"#, r#"{"cookie":{"expires":"soon"}}"#] {
        assert_eq!(record(nothing, at(0)), Ok(None), "{nothing}");
    }
    let other = record(r#"{"cookie":{},"user":{}}"#, at(0));
    assert_eq!(other, Err(ImportError::Payload { path: "user".to_owned() }));
    let long = format!(r#"{{"cookie":{{}},"user":{{"role":"{}"}}}}"#, "x".repeat(1024 * 1024));
    assert_eq!(record(&long, at(0)), Ok(None));
}

#[test]
fn an_express_id_spelled_in_two_ways_is_one() {
    let value = text(&node()[10]["value"]);
    let header = format!("connect.sid={value}; connect.sid={}", value.replace("%3A", ":"));
    assert!(ExpressSession::new(SECRET).reference(&cookies(&header)).unwrap().is_some());
}

#[test]
fn cookie_session_signs_its_name() {
    let vector = node()[11]["cookies"].clone();
    let renamed = format!("app={}; app.sig={}", text(&vector[0]["value"]), text(&vector[1]["value"]));
    let reader = CookieSession::new(SECRET).cookie_name("app");
    assert_eq!(reader.read::<Value>(&cookies(&renamed), made()), Ok(None));
    let own = renamed.replace("app", "session");
    let found = CookieSession::new(SECRET).read::<Value>(&cookies(&own), made()).unwrap().unwrap();
    assert_eq!(found.cookies.len(), 2);
}

#[test]
fn django_and_flask_decompress_up_to_a_bound() {
    let extra = python_extra();
    let django = cookie("sessionid", &extra["django_bomb"]);
    assert_eq!(Django::new(SECRET).read::<Value>(&cookies(&django), made()), Ok(None));
    let flask = cookie("session", &extra["flask_bomb"]);
    assert_eq!(Flask::new(SECRET).read::<Value>(&cookies(&flask), made()), Ok(None));
}

#[test]
fn django_takes_nothing_that_was_signed_for_another_use() {
    for vector in ["django_other_salt", "django_record_second_secret"] {
        let header = cookie("sessionid", &python_extra()[vector]);
        let reader = Django::new(SECRET).old_secret(SECOND);
        assert_eq!(reader.read::<Value>(&cookies(&header), made()), Ok(None), "{vector}");
    }
    // Nor a signed cookie as a record.
    let reader = Django::new(SECRET);
    let reference = reader.reference(&cookies("sessionid=abcdefgh")).unwrap().unwrap();
    let signed = text(&python()[0]["value"]);
    assert_eq!(reader.record::<Value>(reference, &signed, Timestamp::MAX, made()), Ok(None));
}

#[test]
fn django_without_compression_is_read() {
    let header = cookie("sessionid", &python_extra()["django_plain"]);
    let found = Django::new(SECRET).read::<Value>(&cookies(&header), made()).unwrap().unwrap();
    assert_eq!(found.payload["_auth_user_id"], json!("42"));
}

#[test]
fn django_ends_by_its_own_expiry_if_that_is_earlier() {
    let extra = python_extra();
    let header = cookie("sessionid", &extra["django_own_expiry"]);
    let ends = |reader: Django| {
        let found = reader.read::<Value>(&cookies(&header), at(0)).unwrap().unwrap();
        found.ends_at.unwrap().unix_seconds() - extra["made_at"].as_i64().unwrap()
    };
    assert!((55..=60).contains(&ends(Django::new(SECRET))));
    assert!((5..=10).contains(&ends(Django::new(SECRET).cookie_age(Duration::from_secs(10)))));
}

#[test]
fn django_keys_are_of_letters_and_digits() {
    let reader = Django::new(SECRET);
    let found = |value: &str| reader.reference(&cookies(&format!("sessionid={value}"))).unwrap().is_some();
    assert!(found("abcdefgh") && found(&"z9".repeat(20)));
    for wrong in ["abcdefg", "ABCDEFGH", "abcd-efgh", "", &"z".repeat(41), "%61bcdefgh"] {
        assert!(!found(wrong), "{wrong}");
    }
}

#[test]
fn django_knows_the_password_that_a_session_began_with() {
    let vector = &python_extra()["django_auth_hash"];
    let (hash, password) = (text(&vector["hash"]), text(&vector["password"]));
    let knows = |reader: &Django, hash: &str, password: &str| reader.knows_password(hash, password).unwrap();
    let (reader, rotated) = (Django::new(SECRET), Django::new(SECOND).old_secret(SECRET));
    assert!(knows(&reader, &hash, &password) && knows(&rotated, &hash, &password));
    assert!(
        !knows(&reader, &hash, "pbkdf2_sha256$changed") && !knows(&Django::new(SECOND), &hash, &password)
    );
    for wrong in ["", &hash[1..], &hash[2..], &hash.replace('4', "+"), &format!("{hash}00")] {
        assert!(!knows(&reader, wrong, &password), "{wrong}");
    }
    assert_eq!(Django::new("").knows_password(&hash, &password), Err(ImportError::EmptySecret));
}

#[test]
fn flask_ends_a_lifetime_after_its_last_change() {
    let header = cookie("session", &python_extra()["flask_plain"]);
    let reader = Flask::new(SECRET).lifetime(Duration::from_secs(60));
    let found = reader.read::<Value>(&cookies(&header), at(0)).unwrap().unwrap();
    let ends = found.ends_at.unwrap();
    assert_eq!(found.issued_at, Some(at(0)), "never later than now");
    assert!(reader.read::<Value>(&cookies(&header), at(ends.unix_seconds() - 1)).unwrap().is_some());
    assert_eq!(reader.read::<Value>(&cookies(&header), ends), Ok(None));
}

fn rails_reader() -> Rails {
    Rails::new("_app_session", SECRET.repeat(4))
}

#[test]
fn rails_reads_both_digests_of_its_key() {
    for (vector, ends_at) in [(&rails()[0], None), (&rails()[1], Some(at(2_082_758_400)))] {
        let header = cookie("_app_session", &vector["value"]);
        let found = rails_reader().read::<Value>(&cookies(&header), made()).unwrap().unwrap();
        assert_eq!((found.payload, found.id, found.ends_at), (vector["expected"].clone(), None, ends_at));
    }
}

#[test]
fn rails_takes_no_cookie_for_another() {
    for (vector, if_allowed) in [("other_purpose", false), ("no_purpose", true)] {
        let header = cookie("_app_session", &rails_extra()[vector]);
        assert_eq!(rails_reader().read::<Value>(&cookies(&header), made()), Ok(None), "{vector}");
        let found = rails_reader().allow_missing_purpose().read::<Value>(&cookies(&header), made());
        assert_eq!(found.unwrap().is_some(), if_allowed, "{vector}");
    }
}

#[test]
fn rails_ends_when_its_message_expires() {
    let header = cookie("_app_session", &rails_extra()["expires"]);
    let found = |now| rails_reader().read::<Value>(&cookies(&header), at(now)).unwrap();
    assert_eq!(found(1_799_999_999).unwrap().ends_at, Some(at(1_800_000_000)));
    assert_eq!(found(1_800_000_000), None);
}

#[test]
fn rails_says_that_marshal_is_no_json() {
    let header = cookie("_app_session", &rails_extra()["marshal"]);
    let error = rails_reader().read::<Value>(&cookies(&header), made());
    assert!(matches!(error, Err(ImportError::Payload { .. })), "{error:?}");
}

#[test]
fn no_reader_shows_its_secret() {
    let shown = [
        format!("{:?}", AuthJs::new(SECRET).old_secret(SECOND)),
        format!("{:?}", BetterAuth::new(SECRET)),
        format!("{:?}", CookieSession::new(SECRET)),
        format!("{:?}", Django::new(SECRET)),
        format!("{:?}", ExpressSession::new(SECRET)),
        format!("{:?}", Flask::new(SECRET)),
        format!("{:?}", IronSession::new("app", SECRET)),
        format!("{:?}", NextAuth::new(SECRET)),
        format!("{:?}", rails_reader()),
    ];
    for shown in shown {
        assert!(
            !shown.contains("0123") && !shown.contains("48, 49, 50") && !shown.contains("fedc"),
            "{shown}"
        );
    }
}

#[test]
fn a_prefix_counts_whatever_its_case() {
    for (name, prefix) in [
        ("__Host-sid", CookiePrefix::Host),
        ("__host-sid", CookiePrefix::Host),
        ("__SECURE-x", CookiePrefix::Secure),
        ("__Hostsid", CookiePrefix::None),
        ("sid", CookiePrefix::None),
        ("", CookiePrefix::None),
    ] {
        assert_eq!(CookiePrefix::of(name), prefix, "{name}");
    }
}

#[test]
fn cookies_come_in_several_headers_quoted_and_with_a_path() {
    let value = text(&python()[3]["value"]);
    let quoted = format!("a=b;session=\"{value}\" ");
    let several = Cookies::from_headers([b"theme=dark".as_slice(), quoted.as_bytes()]);
    let found = Flask::new(SECRET).path("/app").read::<Value>(&several, made()).unwrap().unwrap();
    assert_eq!(found.cookies[0].path, "/app");
}
