//! Reading a login, or another form, from the bytes of a request, the same for every framework.

use std::collections::HashMap;
use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use serde::Deserialize;
use session_core::checked_next;

/// The largest body of a form. A framework's file reads no further than this.
pub const MAX_BODY: usize = 8 * 1024;

/// The body of a request, as far as it was read.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// All of it.
    Complete(&'a [u8]),
    /// There is more than [`MAX_BODY`].
    TooLarge,
    /// The client stopped in the middle.
    Broken,
}

/// How the client speaks, and so how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A browser's form: answered with pages and redirects.
    Form,
    /// A program: answered with JSON.
    Json,
}

/// A login as it was asked for. `Debug` does not show the password.
#[derive(PartialEq, Eq, Deserialize)]
pub struct Login {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: String,
    /// Whether the cookie outlives the browser.
    #[serde(default = "yes")]
    pub remember: bool,
    /// Where a form wants to go afterwards: only what [`checked_next`] lets through.
    #[serde(skip)]
    pub next: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, password: _, remember, next } = self;
        let mut shown = f.debug_struct("Login");
        shown.field("username", username).field("remember", remember).field("next", next);
        shown.finish_non_exhaustive()
    }
}

const fn yes() -> bool {
    true
}

/// The fields of a form, or the strings of a JSON object. No `Debug`: one of them may be a password.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field that is there once.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub fn one(&self, name: &str) -> Result<&str, Refusal> {
        self.optional(name)?.ok_or(Refusal::Unreadable)
    }

    /// The value of a field that is there once or not at all.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub fn optional(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() { Err(Refusal::Unreadable) } else { Ok(value) }
    }

    /// Where the form wants to go afterwards, if it may.
    ///
    /// # Errors
    /// [`Refusal::Unreadable`].
    pub fn next(&self) -> Result<Option<String>, Refusal> {
        Ok(self.optional("next")?.and_then(checked_next).map(str::to_owned))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request that is no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither form nor JSON. 415.
    UnsupportedMediaType,
    /// More than [`MAX_BODY`]. 413.
    TooLarge,
    /// Not what its content type says, or a field is missing or there twice. 400.
    Unreadable,
}

impl Refusal {
    /// Status, code, and the sentence for the client.
    #[must_use]
    pub const fn answer(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::UnsupportedMediaType => {
                (415, "UNSUPPORTED_MEDIA_TYPE", "Send application/x-www-form-urlencoded or application/json.")
            }
            Self::TooLarge => (413, "CONTENT_TOO_LARGE", "A form has at most 8192 bytes."),
            Self::Unreadable => (400, "BAD_REQUEST", "Send each field once."),
        }
    }
}

/// Reads a login.
///
/// # Errors
/// In this order: the content type, the size, the body itself.
pub fn parse(content_type: Option<&[u8]>, body: Body<'_>) -> Result<(Style, Login), Refusal> {
    let style = content_type.and_then(style).ok_or(Refusal::UnsupportedMediaType)?;
    let bytes = complete(body)?;
    let login = match style {
        Style::Form => from_form(bytes)?,
        Style::Json => serde_json::from_slice(bytes).map_err(|_| Refusal::Unreadable)?,
    };
    Ok((style, login))
}

/// Reads the fields of another form, in this style.
///
/// # Errors
/// As [`parse`].
pub fn fields(style: Style, body: Body<'_>) -> Result<Fields, Refusal> {
    let bytes = complete(body)?;
    match style {
        _ if bytes.is_empty() => Ok(Fields::default()),
        Style::Form => pairs(bytes).ok_or(Refusal::Unreadable),
        Style::Json => {
            let fields: HashMap<_, _> = serde_json::from_slice(bytes).map_err(|_| Refusal::Unreadable)?;
            Ok(Fields(fields.into_iter().collect()))
        }
    }
}

fn complete(body: Body<'_>) -> Result<&[u8], Refusal> {
    match body {
        Body::Complete(bytes) if bytes.len() <= MAX_BODY => Ok(bytes),
        Body::Complete(_) | Body::TooLarge => Err(Refusal::TooLarge),
        Body::Broken => Err(Refusal::Unreadable),
    }
}

/// The style of a content type: parameters (`; charset=utf-8`) are allowed, upper and lower case are one.
#[must_use]
pub fn style(content_type: &[u8]) -> Option<Style> {
    let essence = content_type.split(|&byte| byte == b';').next()?.trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Some(Style::Form)
    } else if essence.eq_ignore_ascii_case(b"application/json") {
        Some(Style::Json)
    } else {
        None
    }
}

/// The checked `next` of a query (`next=%2Fapi%2Fme`).
#[must_use]
pub fn next_of_query(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("next="))?;
    let next = decode(value.as_bytes())?;
    checked_next(&next).map(str::to_owned)
}

/// The address of the page that goes on to `next`, which has been checked.
#[must_use]
pub fn home_for(next: &str) -> String {
    format!("/?next={}", percent_encode(next.as_bytes(), NON_ALPHANUMERIC))
}

fn from_form(body: &[u8]) -> Result<Login, Refusal> {
    let fields = pairs(body).ok_or(Refusal::Unreadable)?;
    Ok(Login {
        username: fields.one("username")?.to_owned(),
        password: fields.one("password")?.to_owned(),
        // A checkbox that is not ticked sends nothing, so the page sends `off` before it.
        remember: fields.all("remember").last() != Some("off"),
        next: fields.next()?,
    })
}

fn pairs(body: &[u8]) -> Option<Fields> {
    let pairs = body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        Some((decode(name)?, decode(value)?))
    });
    decoded.collect::<Option<_>>().map(Fields)
}

/// One name or value of a form (URL Standard section 5.1), except that bytes which are no UTF-8 are refused and not
/// replaced: two passwords must not become one.
fn decode(encoded: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = encoded.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");
    const JSON: Option<&[u8]> = Some(b"application/json");

    fn form(body: &str) -> Result<Login, Refusal> {
        parse(FORM, Body::Complete(body.as_bytes())).map(|(_, login)| login)
    }

    fn login(username: &str, password: &str, next: Option<&str>) -> Login {
        let next = next.map(str::to_owned);
        Login { username: username.into(), password: password.into(), remember: true, next }
    }

    #[test]
    fn a_form_is_read() {
        assert_eq!(form("username=alice&password=wonder+land%21"), Ok(login("alice", "wonder land!", None)));
        assert_eq!(form("password=%26%3D&x=1&username=%C3%A9"), Ok(login("é", "&=", None)));
        assert_eq!(form("username=&password"), Ok(login("", "", None)));
    }

    #[test]
    fn json_is_read() {
        let body = br#"{"username":"bob","password":"b\u00fcilder","more":[1]}"#;
        assert_eq!(parse(JSON, Body::Complete(body)), Ok((Style::Json, login("bob", "büilder", None))));
    }

    #[test]
    fn the_content_type_may_have_parameters_and_any_case() {
        for name in ["application/json; charset=utf-8", "Application/JSON", " application/json ;x=\"a;b\""] {
            assert_eq!(style(name.as_bytes()), Some(Style::Json), "{name}");
        }
        assert_eq!(style(b"APPLICATION/x-www-form-URLENCODED;charset=UTF-8"), Some(Style::Form));
    }

    #[test]
    fn another_content_type_is_415_before_the_body_is_looked_at() {
        for name in ["", "text/plain", "multipart/form-data; boundary=x", "application/jsonp", "text/json"] {
            assert_eq!(
                parse(Some(name.as_bytes()), Body::TooLarge),
                Err(Refusal::UnsupportedMediaType),
                "{name}"
            );
        }
        assert_eq!(parse(None, Body::Complete(b"{}")), Err(Refusal::UnsupportedMediaType));
    }

    #[test]
    fn more_than_8_kib_is_413() {
        let at_limit = format!("username=a&password={}", "p".repeat(MAX_BODY - 20));
        assert_eq!(at_limit.len(), MAX_BODY);
        assert!(form(&at_limit).is_ok());
        assert_eq!(form(&format!("{at_limit}p")), Err(Refusal::TooLarge));
        assert_eq!(parse(JSON, Body::TooLarge), Err(Refusal::TooLarge));
    }

    #[test]
    fn an_unreadable_form_is_400() {
        for body in [
            "",
            "username=alice",
            "password=x",
            "username=a&username=b&password=x",
            "username=%FF&password=x",
            "%FF=1&username=a&password=x",
        ] {
            assert_eq!(form(body), Err(Refusal::Unreadable), "{body}");
        }
        let latin = b"username=\xe9&password=x";
        assert_eq!(parse(FORM, Body::Complete(latin)), Err(Refusal::Unreadable));
        assert_eq!(parse(FORM, Body::Broken), Err(Refusal::Unreadable));
    }

    #[test]
    fn unreadable_json_is_400() {
        for body in [
            "",
            "{",
            "[]",
            "null",
            r#"{"username":"a"}"#,
            r#"{"username":"a","password":1}"#,
            r#"{"username":"a","password":"x"} x"#,
            r#"{"username":"a","username":"b","password":"x"}"#,
            "username=a&password=x",
        ] {
            assert_eq!(parse(JSON, Body::Complete(body.as_bytes())), Err(Refusal::Unreadable), "{body}");
        }
    }

    #[test]
    fn next_stays_on_this_site() {
        assert_eq!(form("username=a&password=b&next=%2Fapi%2Fme").unwrap().next.as_deref(), Some("/api/me"));
        assert_eq!(form("username=a&password=b&next=%2F%2Fevil").unwrap().next, None);
    }

    #[test]
    fn next_of_a_query_is_decoded_and_checked() {
        assert_eq!(next_of_query("a=1&next=%2Fapi%2Fme%3Fx%3D1").as_deref(), Some("/api/me?x=1"));
        assert_eq!(next_of_query("next=%2F%2Fevil"), None);
        assert_eq!(next_of_query("next=%FF"), None);
        assert_eq!(next_of_query(""), None);
    }

    #[test]
    fn a_login_is_remembered_unless_it_says_off() {
        for (more, remember) in [
            ("", true),
            ("&remember=on", true),
            ("&remember=off", false),
            ("&remember=off&remember=on", true),
        ] {
            assert_eq!(form(&format!("username=a&password=b{more}")).unwrap().remember, remember, "{more}");
        }
        let json = |more: &str| {
            let body = format!(r#"{{"username":"a","password":"b"{more}}}"#);
            parse(JSON, Body::Complete(body.as_bytes())).map(|(_, login)| login.remember)
        };
        assert_eq!(json(r#","remember":false"#), Ok(false));
        assert_eq!(json(r#","remember":true"#), Ok(true));
        assert_eq!(json(r#","remember":"off""#), Err(Refusal::Unreadable));
    }

    #[test]
    fn a_field_of_another_form_is_there_once() {
        for (style, body) in
            [(Style::Form, "code=12+3&a=1&a=2".as_bytes()), (Style::Json, br#"{"code":"12 3"}"#)]
        {
            let fields = fields(style, Body::Complete(body)).ok().unwrap();
            assert_eq!(fields.one("code"), Ok("12 3"));
            assert_eq!(fields.one("missing"), Err(Refusal::Unreadable));
            assert_eq!(fields.optional("missing"), Ok(None));
            assert_eq!(fields.optional("a").is_err(), style == Style::Form);
        }
        for (style, body) in [(Style::Form, "code=%FF"), (Style::Json, r#"{"code":1}"#), (Style::Json, "{")] {
            let refusal = fields(style, Body::Complete(body.as_bytes())).err();
            assert_eq!(refusal, Some(Refusal::Unreadable), "{body}");
        }
        assert!(fields(Style::Json, Body::Complete(b"")).is_ok());
    }

    #[test]
    fn debug_hides_the_password() {
        assert!(!format!("{:?}", login("alice", "wonderland", None)).contains("wonderland"));
    }
}
