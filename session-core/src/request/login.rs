//! Where to log in and how to come back, as the browser sees it: behind a proxy its paths may have a prefix that this
//! service never sees, and the login page may be another service.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::navigation::checked_next;
use super::origin::Origin;
use crate::error::ConfigError;

const MAX_PREFIX: usize = 256;
/// Left as they are in a query value: the unreserved characters (RFC 3986 section 2.3) and the slash.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The login page, checked when the manager is built.
pub(crate) struct LoginPage {
    /// A path as this service knows it, or a URL.
    page: String,
    is_path: bool,
    /// What the way back begins with, where the login page is on another origin.
    own_origin: Option<String>,
    /// What the proxy takes off the paths that browsers see.
    prefix: String,
}

impl LoginPage {
    /// `prefix` has been checked.
    pub(crate) fn new(page: String, public_origin: Option<&str>, prefix: &str) -> Result<Self, ConfigError> {
        let own = public_origin.map(web_origin).transpose()?;
        let prefix = prefix.to_owned();
        if checked_next(&page).is_some() {
            return Ok(Self { page, is_path: true, own_origin: None, prefix });
        }
        let Some((origin, _)) = split_url(&page) else {
            return Err(ConfigError::new(format!(
                "login_page is {page:?}: write a path of this service, such as /login, or a URL of another one, such \
                 as https://login.example.com/, in printable ASCII and without a user"
            )));
        };
        let own = own.ok_or_else(|| {
            ConfigError::new(
                "login_page is a URL, so the way back has to be one: add .public_origin(\"https://app.example.com\"), \
                 this service as browsers see it (the Host header is not taken for it: clients and proxies write what \
                 they like into it)",
            )
        })?;
        let own_origin = (own != origin).then(|| own.to_string());
        Ok(Self { page, is_path: false, own_origin, prefix })
    }

    /// The login page alone, for somebody who cannot go on where they were.
    pub(crate) fn without_return(&self, told: Option<&str>) -> String {
        self.location(told, "")
    }

    /// Where to send a browser that asked for `target`, with the way back when that is safe. `told` is the prefix that a
    /// trusted proxy names; it takes the place of the configured one.
    pub(crate) fn location(&self, told: Option<&str>, target: &str) -> String {
        let prefix = told.unwrap_or(&self.prefix);
        let page: Cow<'_, str> =
            if self.is_path { format!("{prefix}{}", self.page).into() } else { (&*self.page).into() };
        let next = checked_next(target).map(|target| format!("{prefix}{target}"));
        let Some(next) = next.filter(|next| checked_next(next).is_some()) else { return page.into_owned() };
        let origin = self.own_origin.as_deref().unwrap_or_default();
        let (page, fragment) = page.split_at(page.find('#').unwrap_or(page.len()));
        let separator = if page.contains('?') { '&' } else { '?' };
        let (origin, next) = (encoded(origin), encoded(&next));
        format!("{page}{separator}next={origin}{next}{fragment}")
    }
}

fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    utf8_percent_encode(text, QUERY_VALUE)
}

/// A path in front of all paths, without its trailing slash; empty for none. Nothing but segments of unreserved
/// characters, so that it can neither name another host nor leave its place.
pub(crate) fn checked_prefix(prefix: &str) -> Option<&str> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    let is_path = || prefix.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment));
    (prefix.len() <= MAX_PREFIX && (prefix.is_empty() || is_path())).then_some(prefix)
}

pub(crate) fn configured_prefix(prefix: &str) -> Result<&str, ConfigError> {
    checked_prefix(prefix).ok_or_else(|| {
        ConfigError::new(format!(
            "public_prefix is {prefix:?}: write the path that the proxy takes off, such as /rust, of letters, digits and \
             - . _ ~, at most {MAX_PREFIX} bytes"
        ))
    })
}

fn web_origin(text: &str) -> Result<Origin, ConfigError> {
    let origin = Origin::configured(text)?;
    if origin.is_web() {
        return Ok(origin);
    }
    Err(ConfigError::new(format!("{text:?} is no address of a page: write one with https:// or http://")))
}

/// The origin of a URL and what follows it: a path by the rules of [`checked_next`].
fn split_url(url: &str) -> Option<(Origin, &str)> {
    let authority = url.find("://")? + "://".len();
    let path = authority + url.get(authority..)?.find('/')?;
    let (origin, path) = url.split_at_checked(path)?;
    let origin = Origin::parse(origin.as_bytes()).filter(Origin::is_web)?;
    Some((origin, checked_next(path)?))
}

/// For a login page that serves several origins: where it may send people after a login. A guard of a service whose
/// [`login_page`](crate::SessionManagerBuilder::login_page) is on another origin puts the whole URL of the page that
/// was asked for into `next`; this says whether to go there.
///
/// ```
/// use session_core::ReturnTo;
///
/// # fn main() -> Result<(), session_core::ConfigError> {
/// let return_to = ReturnTo::new(["https://app.example.com", "https://shop.example.com"])?;
/// assert_eq!(return_to.checked("https://shop.example.com/cart?a=1"), Some("https://shop.example.com/cart?a=1"));
/// assert_eq!(return_to.checked("/account"), Some("/account"));
/// assert_eq!(return_to.checked("https://shop.example.com.evil.example/"), None);
/// assert_eq!(return_to.checked("//evil.example"), None);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ReturnTo {
    origins: Vec<Origin>,
}

impl ReturnTo {
    /// The origins to go back to, beside the login page's own.
    ///
    /// # Errors
    /// Names the one that is no `https://host` or `http://host`, with or without a port.
    pub fn new(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ConfigError> {
        let origins = origins.into_iter().map(|origin| web_origin(origin.as_ref()));
        Ok(Self { origins: origins.collect::<Result<_, _>>()? })
    }

    /// The place to go to, percent-decoded from the query, when it is safe: a path of this origin by the rules of
    /// [`checked_next`], or a URL of one of the origins with such a path. `None` otherwise: go to your front page then.
    #[must_use]
    pub fn checked<'a>(&self, next: &'a str) -> Option<&'a str> {
        let is_listed = || split_url(next).is_some_and(|(origin, _)| self.origins.contains(&origin));
        checked_next(next).or_else(|| is_listed().then_some(next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn location(page: &str, target: &str) -> String {
        LoginPage::new(page.to_owned(), None, "").unwrap().location(None, target)
    }

    #[test]
    fn the_way_back_is_encoded_into_one_parameter() {
        assert_eq!(location("/login", "/a?b=c&d=e"), "/login?next=/a%3Fb%3Dc%26d%3De");
        assert_eq!(location("/login?x=1", "/a"), "/login?x=1&next=/a");
        assert_eq!(location("/login?x=1#form", "/a"), "/login?x=1&next=/a#form");
        assert_eq!(location("/login", "//evil"), "/login");
        assert_eq!(location("/login", "http://example.test/a"), "/login");
    }

    #[test]
    fn a_prefix_is_before_the_login_page_and_the_way_back() {
        let page = LoginPage::new("/login".to_owned(), None, "/rust").unwrap();
        assert_eq!(page.location(None, "/a?b=c"), "/rust/login?next=/rust/a%3Fb%3Dc");
        assert_eq!(page.location(None, "//evil"), "/rust/login");
        assert_eq!(page.location(Some("/other"), "/a"), "/other/login?next=/other/a");
        assert_eq!(page.location(Some(""), "/a"), "/login?next=/a");
        // Both together may be too long for a way back.
        let long = format!("/{}", "a".repeat(2045));
        assert_eq!(page.location(None, &long), "/rust/login");
    }

    #[test]
    fn to_another_origin_the_way_back_is_a_url_of_the_configured_one() {
        let elsewhere = |page: &str, prefix| {
            LoginPage::new(page.to_owned(), Some("https://App.example:443"), prefix).unwrap()
        };
        let page = elsewhere("https://login.example/in?x=1", "/rust");
        let expected = "https://login.example/in?x=1&next=https%3A//app.example/rust/a%3Fb";
        assert_eq!(page.location(None, "/a?b"), expected);
        assert_eq!(page.location(None, "//evil"), "https://login.example/in?x=1");
        // A URL of this very origin: its page takes paths.
        let own = elsewhere("https://app.example/in", "");
        assert_eq!(own.location(None, "/a"), "https://app.example/in?next=/a");
    }

    #[test]
    fn what_cannot_work_is_a_sentence() {
        let refused = |page: &str, origin| match LoginPage::new(page.to_owned(), origin, "") {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{page} is taken"),
        };
        for page in ["login", "//login.example", "https://user@login.example/", "https://login.example", ""] {
            assert!(refused(page, Some("https://a")).contains(&format!("login_page is {page:?}")));
        }
        for page in
            ["javascript://a/%0aalert(1)", "ftp://a/b", "https://a/\\b", "https://a?b/c", "https://a b/"]
        {
            assert!(refused(page, Some("https://a")).contains("login_page is"), "{page}");
        }
        assert!(refused("https://login.example/", None).contains(".public_origin("));
        assert!(refused("/login", Some("https://a/")).contains("is no origin"));
        assert!(refused("/login", Some("capacitor://a")).contains("no address of a page"));
        let prefix = configured_prefix("rust").unwrap_err().to_string();
        assert!(prefix.contains("public_prefix is \"rust\""), "{prefix}");
    }

    const NO_PREFIX: [&str; 16] = [
        "rust",
        "//",
        "//evil",
        "//evil/",
        "/a//b",
        "/a//",
        "/..",
        "/a/../b",
        "/.",
        "/\\evil",
        "/a b",
        "/a?b",
        "/a#b",
        "/a%2f",
        "https://evil",
        "/\u{e4}",
    ];

    #[test]
    fn a_prefix_is_plain_segments() {
        for prefix in NO_PREFIX {
            assert_eq!(checked_prefix(prefix), None, "{prefix}");
        }
        assert_eq!(checked_prefix(&format!("/{}", "a".repeat(256))), None);
        for (prefix, checked) in [("", ""), ("/", ""), ("/rust", "/rust"), ("/a/b.c~d_e-1/", "/a/b.c~d_e-1")]
        {
            assert_eq!(checked_prefix(prefix), Some(checked));
        }
    }

    #[test]
    fn people_are_sent_back_to_listed_origins_only() {
        let list = ReturnTo::new(["https://app.example", "http://[::1]:3000"]).unwrap();
        for next in [
            "/",
            "/a?b=https://evil",
            "https://app.example/",
            "https://app.example/a?b#c",
            "HTTPS://App.Example:443/a",
            "http://[0:0::1]:3000/",
        ] {
            assert_eq!(list.checked(next), Some(next));
        }
        for next in [
            "",
            "//app.example",
            "//app.example/",
            "///app.example/",
            "https:app.example/",
            "https:/app.example/",
            "https:///app.example/",
            "https://app.example",
            "https://app.example?a/",
            "https://app.example#/",
            "https://app.example\\.evil/",
            "https://app.example\\@evil/",
            "https://app.example@evil/",
            "https://evil@app.example/",
            "https://evil/@app.example/",
            "https://app.example.evil/",
            "https://app.example./",
            "https://app.example:8443/",
            "http://app.example/",
            "https://app.example//evil",
            "https://app.example/a b",
            "https://app.example/\n",
            "https://app.example/\u{e4}",
            "https://app%2eexample/",
            " https://app.example/",
            "javascript://app.example/%0aalert(1)",
            "/\\app.example/",
        ] {
            assert_eq!(list.checked(next), None, "{next:?}");
        }
        for origin in ["null", "https://a/", "javascript://a", "*"] {
            assert!(ReturnTo::new([origin]).is_err(), "{origin}");
        }
    }

    proptest! {
        /// Whatever is asked for and whatever prefix a proxy tells: the browser stays on this origin.
        #[test]
        fn the_way_back_stays_one_plain_parameter_of_this_origin(
            target in next_like(),
            told in prop::option::of(next_like()),
        ) {
            let told = told.as_deref().and_then(checked_prefix);
            let page = LoginPage::new("/login".to_owned(), None, "/rust").unwrap();
            let location = page.location(told, &target);
            prop_assert!(checked_next(&location).is_some() || location.len() > 2048);
            let prefix = told.unwrap_or("/rust");
            let Some(next) = location.strip_prefix(&format!("{prefix}/login?next=")) else {
                prop_assert_eq!(checked_next(&target), None);
                return Ok(());
            };
            prop_assert!(!next.contains(['&', '=', '?', '#', '+']));
            let decoded: Vec<u8> = percent_encoding::percent_decode_str(next).collect();
            prop_assert_eq!(decoded, format!("{prefix}{target}").into_bytes());
        }
    }

    /// Mostly paths, rich in what matters.
    fn next_like() -> impl Strategy<Value = String> {
        prop_oneof!["/[a-z/?&=#%+.]{0,20}", "[/\\\\:a \t]{0,6}", "/\\PC{0,20}", any::<String>()]
    }
}
