//! Each system as the clauses see it: its cookies, what they hold, and readers that know more or less.

use std::cell::OnceCell;
use std::rc::Rc;

use serde_json::{Value, json};
use session_import::{
    AuthJs, BetterAuth, CookieSession, Cookies, Django, ExpressSession, Flask, ForeignSession, ImportError,
    IronSession, NextAuth, Rails, Timestamp,
};

use crate::vectors::{SECOND, SECRET, node, node_extra, python, python_extra, rails_extra, text};

pub(crate) type Answer = Result<Option<ForeignSession<Value>>, ImportError>;
pub(crate) type Read = Box<dyn Fn(&Cookies<'_>, Timestamp) -> Answer>;
pub(crate) type Jar = Vec<(String, String)>;

pub(crate) struct System {
    pub(crate) cookies: Jar,
    pub(crate) other_account: Jar,
    /// What the second secret made.
    pub(crate) second: Jar,
    pub(crate) expected: Value,
    pub(crate) id: Option<&'static str>,
    pub(crate) now: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) readers: Readers,
}

pub(crate) struct Readers {
    pub(crate) good: Read,
    pub(crate) wrong_secret: Read,
    pub(crate) rotated: Read,
    pub(crate) empty: Read,
    pub(crate) half_empty: Read,
    pub(crate) other_name: Read,
}

impl Readers {
    /// Each is made when it is first asked: Rails' keys take long without optimisation.
    fn new<R: 'static>(
        new: impl Fn(&str) -> R + Copy + 'static,
        old: impl Fn(R, &str) -> R + Copy + 'static,
        rename: impl Fn(R) -> R + Copy + 'static,
        read: impl Fn(&R, &Cookies<'_>, Timestamp) -> Answer + 'static,
    ) -> Self {
        let read = Rc::new(read);
        Self {
            good: lazy(&read, move || new(SECRET)),
            wrong_secret: lazy(&read, move || {
                old(new("another secret, of 32 characters"), "and one of before")
            }),
            rotated: lazy(&read, move || old(new(SECRET), SECOND)),
            empty: lazy(&read, move || new("")),
            half_empty: lazy(&read, move || old(new(SECRET), "")),
            other_name: lazy(&read, move || rename(new(SECRET))),
        }
    }
}

fn lazy<R, F>(read: &Rc<F>, make: impl Fn() -> R + 'static) -> Read
where
    R: 'static,
    F: Fn(&R, &Cookies<'_>, Timestamp) -> Answer + 'static,
{
    let (read, reader) = (Rc::clone(read), OnceCell::new());
    Box::new(move |cookies, now| read(reader.get_or_init(&make), cookies, now))
}

/// The readers of a type that has `read`.
macro_rules! readers {
    ($reader:ident, $new:expr) => {
        Readers::new($new, |reader, secret| reader.old_secret(secret), rename!(), $reader::read::<Value>)
    };
}

macro_rules! rename {
    () => {
        |reader| reader.cookie_name("another")
    };
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn one(name: &str, value: &Value) -> Jar {
    vec![(name.to_owned(), text(value))]
}

fn jar(pairs: &Value) -> Jar {
    pairs.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn claim(of: &Value, name: &str) -> Option<Timestamp> {
    Some(at(of[name].as_i64().unwrap()))
}

/// Shortly after the vectors were made.
fn made() -> Timestamp {
    at(node_extra()["made_at"].as_i64().unwrap() + 10)
}

pub(crate) fn auth_js() -> System {
    let (vector, extra) = (&node()[1], node_extra());
    let name = "__Secure-authjs.session-token";
    System {
        cookies: one(name, &vector["value"]),
        other_account: one(name, &extra["auth_js_other_account"]),
        second: one(name, &extra["auth_js_second_secret"]),
        expected: vector["expected"].clone(),
        id: None,
        now: made(),
        ends_at: claim(&vector["expected"], "exp"),
        issued_at: claim(&vector["expected"], "iat"),
        readers: readers!(AuthJs, |secret| AuthJs::new(secret)),
    }
}

pub(crate) fn auth_js_in_chunks() -> System {
    let (vector, extra) = (&node()[2], node_extra());
    let name = "authjs.session-token";
    let chunks = vector["chunks"].as_array().unwrap().iter();
    System {
        cookies: chunks.map(|chunk| (text(&chunk["name"]), text(&chunk["value"]))).collect(),
        other_account: one(name, &extra["auth_js_plain_http_other_account"]),
        second: one(name, &extra["auth_js_plain_http_second_secret"]),
        expected: vector["expected"].clone(),
        id: None,
        now: made(),
        ends_at: claim(&vector["expected"], "exp"),
        issued_at: claim(&vector["expected"], "iat"),
        readers: readers!(AuthJs, |secret| AuthJs::new(secret).cookie_name("authjs.session-token")),
    }
}

pub(crate) fn next_auth() -> System {
    let (vector, extra) = (&node()[3], node_extra());
    let name = "__Secure-next-auth.session-token";
    System {
        cookies: one(name, &vector["value"]),
        other_account: one(name, &extra["next_auth_other_account"]),
        second: one(name, &extra["next_auth_second_secret"]),
        expected: vector["expected"].clone(),
        id: None,
        now: made(),
        ends_at: claim(&vector["expected"], "exp"),
        issued_at: claim(&vector["expected"], "iat"),
        readers: readers!(NextAuth, |secret| NextAuth::new(secret)),
    }
}

pub(crate) fn iron_session() -> System {
    let (vector, extra) = (&node()[5], node_extra());
    let ends = vector["value"].as_str().unwrap().split('*').nth(5).unwrap().parse::<i64>().unwrap();
    System {
        cookies: one("app", &vector["value"]),
        other_account: one("app", &extra["iron_other_account"]),
        second: one("app", &extra["iron_second_password"]),
        expected: vector["expected"].clone(),
        id: None,
        now: at(ends / 1000 - 100),
        ends_at: Some(at(ends / 1000)),
        issued_at: None,
        readers: readers!(IronSession, |secret| IronSession::new("app", secret)),
    }
}

fn better_auth(form: &str, vector: usize, id: &'static str) -> System {
    let (vector, extra) = (&node()[vector], node_extra());
    let cookies = vector["cookies"].as_array().unwrap().iter();
    let prefix = |name: String| format!("__Secure-{name}");
    let cookies: Jar =
        cookies.map(|cookie| (prefix(text(&cookie["name"])), text(&cookie["value"]))).collect();
    let ends_at = vector["record"]["expiresAt"].as_str().unwrap();
    assert!(ends_at.starts_with("2027-12-29T22:57:2"));
    System {
        cookies,
        other_account: jar(&extra["better_auth"][form]),
        second: jar(&extra["better_auth"]["jwe_second"]),
        expected: json!({ "session": vector["record"], "user": vector["user"] }),
        id: Some(id),
        now: made(),
        ends_at: Some(at(1_830_121_040 + i64::from(ends_at.starts_with("2027-12-29T22:57:21")))),
        issued_at: None,
        readers: readers!(BetterAuth, |secret| BetterAuth::new(secret)),
    }
}

pub(crate) fn better_auth_compact() -> System {
    better_auth("compact", 7, "xVP4yS8bMHE96Lou49VkY9BPQxoh3NQE")
}

pub(crate) fn better_auth_jwt() -> System {
    better_auth("jwt", 8, "VyNNW4pNgDZVSfXm0eBsMfxpeHOt6g13")
}

pub(crate) fn better_auth_jwe() -> System {
    better_auth("jwe", 9, "obfKH7JsWM1PGOuMi0rn5JQx8TAkIYkG")
}

pub(crate) fn express_session() -> System {
    let (vector, extra) = (node()[10].clone(), node_extra());
    let record = vector["record"].to_string();
    // A store with one record.
    let read = move |reader: &ExpressSession, cookies: &Cookies<'_>, now| match reader.reference(cookies)? {
        Some(found) if found.id == "5WFlav9JlCpo9u9KQ16-1OB5phwZPKZ-" => {
            reader.record(found, record.as_bytes(), now)
        }
        _ => Ok(None),
    };
    System {
        cookies: one("connect.sid", &vector["value"]),
        other_account: one("connect.sid", &extra["express_other"]),
        second: one("connect.sid", &extra["express_second_secret"]),
        expected: vector["record"].clone(),
        id: Some("5WFlav9JlCpo9u9KQ16-1OB5phwZPKZ-"),
        now: at(1_795_700_000),
        ends_at: Some(at(1_795_733_841)),
        issued_at: None,
        readers: Readers::new(
            |secret| ExpressSession::new(secret),
            |reader, secret| reader.old_secret(secret),
            rename!(),
            read,
        ),
    }
}

pub(crate) fn cookie_session() -> System {
    let (vector, extra) = (&node()[11], node_extra());
    let cookies = vector["cookies"].as_array().unwrap().iter();
    let pair = |of: &Value| {
        vec![("session".to_owned(), text(&of["value"])), ("session.sig".to_owned(), text(&of["sig"]))]
    };
    System {
        cookies: cookies.map(|cookie| (text(&cookie["name"]), text(&cookie["value"]))).collect(),
        other_account: pair(&extra["cookie_session_other_account"]),
        second: pair(&extra["cookie_session_second_key"]),
        expected: vector["expected"].clone(),
        id: None,
        now: made(),
        ends_at: None,
        issued_at: None,
        readers: readers!(CookieSession, |secret| CookieSession::new(secret)),
    }
}

fn signed_django(vector: usize) -> System {
    let (vector, extra) = (&python()[vector], python_extra());
    System {
        cookies: one("sessionid", &vector["value"]),
        other_account: one("sessionid", &extra["django_other_account"]),
        second: one("sessionid", &extra["django_second_secret"]),
        expected: vector["expected"].clone(),
        id: None,
        now: made(),
        ends_at: Some(at(1_795_647_424 + 14 * 24 * 3600)),
        issued_at: Some(at(1_795_647_424)),
        readers: readers!(Django, |secret| Django::new(secret)),
    }
}

pub(crate) fn django_signed() -> System {
    signed_django(0)
}

pub(crate) fn django_compressed() -> System {
    signed_django(1)
}

pub(crate) fn django_stored() -> System {
    let (vector, extra) = (python()[2].clone(), python_extra());
    let (record, second) = (text(&vector["value"]), text(&extra["django_record_second_secret"]));
    let ends_at = at(1_796_000_000);
    // A store with two records, one of them signed with the second secret.
    let read = move |reader: &Django, cookies: &Cookies<'_>, now| match reader.reference(cookies)? {
        Some(found) if found.id == "abcdefghijklmnopqrstuvwxyz012345" => {
            reader.record(found, &record, ends_at, now)
        }
        Some(found) if found.id == "secondsecondsecondsecondsecond12" => {
            reader.record(found, &second, ends_at, now)
        }
        _ => Ok(None),
    };
    System {
        cookies: one("sessionid", &json!("abcdefghijklmnopqrstuvwxyz012345")),
        other_account: one("sessionid", &json!("otherotherotherotherotherother12")),
        second: one("sessionid", &json!("secondsecondsecondsecondsecond12")),
        expected: vector["expected"].clone(),
        id: Some("abcdefghijklmnopqrstuvwxyz012345"),
        now: made(),
        ends_at: Some(ends_at),
        issued_at: Some(at(1_795_647_424)),
        readers: Readers::new(
            |secret| Django::new(secret),
            |reader, secret| reader.old_secret(secret),
            rename!(),
            read,
        ),
    }
}

fn flasks(vector: usize) -> System {
    let (vector, extra) = (&python()[vector], python_extra());
    System {
        cookies: one("session", &vector["value"]),
        other_account: one("session", &extra["flask_other_account"]),
        second: one("session", &extra["flask_second_secret"]),
        expected: vector["expected"].clone(),
        id: None,
        now: made(),
        ends_at: Some(at(1_795_647_424 + 31 * 24 * 3600)),
        issued_at: Some(at(1_795_647_424)),
        readers: readers!(Flask, |secret| Flask::new(secret)),
    }
}

pub(crate) fn flask() -> System {
    flasks(3)
}

pub(crate) fn flask_compressed() -> System {
    flasks(4)
}

pub(crate) fn rails() -> System {
    rails_by("sha256")
}

pub(crate) fn rails_by_sha1() -> System {
    rails_by("sha1")
}

fn rails_by(digest: &str) -> System {
    let extra = rails_extra();
    System {
        cookies: one("_app_session", &extra[digest]),
        other_account: one("_app_session", &extra["other_account"]),
        second: one("_app_session", &extra["second_secret"]),
        expected: json!({
            "session_id": "0123456789abcdef0123456789abcdef", "user_id": 42, "_csrf_token": "x"
        }),
        id: Some("0123456789abcdef0123456789abcdef"),
        now: made(),
        ends_at: None,
        issued_at: None,
        readers: Readers::new(
            // Secrets of Rails are 128 characters long.
            |secret| Rails::new("_app_session", secret.repeat(4)),
            |reader, secret| reader.old_secret(secret.repeat(4)),
            rename!(),
            Rails::read::<Value>,
        ),
    }
}
