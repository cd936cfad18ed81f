//! Reading a login from the bytes of a request, the same for every framework.

use std::fmt;

use percent_encoding::percent_decode;
use serde::Deserialize;
use session_core::checked_next;

/// The largest body of a login. A framework's file reads no further than this.
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
    /// Where a form wants to go afterwards: only what [`checked_next`] lets through.
    #[serde(skip)]
    pub next: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, password: _, next } = self;
        f.debug_struct("Login").field("username", username).field("next", next).finish_non_exhaustive()
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
            Self::TooLarge => (413, "CONTENT_TOO_LARGE", "A login has at most 8192 bytes."),
            Self::Unreadable => (400, "BAD_REQUEST", "Send username and password, each once."),
        }
    }
}

/// Reads a login.
///
/// # Errors
/// In this order: the content type, the size, the body itself.
pub fn parse(content_type: Option<&[u8]>, body: Body<'_>) -> Result<(Style, Login), Refusal> {
    let style = content_type.and_then(style).ok_or(Refusal::UnsupportedMediaType)?;
    let bytes = match body {
        Body::Complete(bytes) if bytes.len() <= MAX_BODY => bytes,
        Body::Complete(_) | Body::TooLarge => return Err(Refusal::TooLarge),
        Body::Broken => return Err(Refusal::Unreadable),
    };
    let login = match style {
        Style::Form => from_form(bytes),
        Style::Json => serde_json::from_slice(bytes).ok(),
    };
    login.map(|login| (style, login)).ok_or(Refusal::Unreadable)
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

fn from_form(body: &[u8]) -> Option<Login> {
    let (mut username, mut password, mut next) = (None, None, None);
    for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        let slot = match decode(name)?.as_str() {
            "username" => &mut username,
            "password" => &mut password,
            "next" => &mut next,
            _ => continue,
        };
        if slot.replace(decode(value)?).is_some() {
            return None;
        }
    }
    let next = next.as_deref().and_then(checked_next).map(str::to_owned);
    Some(Login { username: username?, password: password?, next })
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
        Login { username: username.into(), password: password.into(), next: next.map(str::to_owned) }
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
    fn debug_hides_the_password() {
        assert!(!format!("{:?}", login("alice", "wonderland", None)).contains("wonderland"));
    }
}
