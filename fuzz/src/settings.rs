//! Settings: building never panics, and what it accepts is a cookie that browsers keep, judged here by the rules of
//! RFC 6265bis sections 5.6 and 5.7 once more; that cookie opens its session, and a logout clears the same one.

use std::time::Duration;

use session_core::store::MemoryStore;
use session_core::testing::TestRequest;
use session_core::{
    Authenticated, CookieSettings, Lifetimes, SameSite, SessionManagerBuilder, TokenForm, TrustedProxies,
};
use url::{Host, Url};

use crate::world::{User, assert_header_value, manager, ready};

/// What one line after the other sets.
struct Settings {
    cookie: CookieSettings,
    lifetimes: Lifetimes,
    manager: SessionManagerBuilder<User>,
}

/// Each line is a setting and its value.
pub fn settings(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let settings =
        Settings { cookie: CookieSettings::default(), lifetimes: Lifetimes::default(), manager: manager() };
    let Some(settings) = text.lines().take(32).try_fold(settings, Settings::with) else { return };
    let built = settings.manager.cookie(settings.cookie).lifetimes(settings.lifetimes).build();
    let sessions = match built {
        Ok(sessions) => sessions,
        // A sentence for people, on one line.
        Err(error) => return assert!(!error.to_string().contains(['\n', '\r', '\0'])),
    };
    assert!(!sessions.describe().is_empty());
    let page = TestRequest::new("GET", "/page?a=1").header("sec-fetch-mode", "navigate");
    let refused = ready(sessions.slot().receive(&page).extract::<Authenticated<User>>()).unwrap_err();
    refused.to_response().headers.iter().for_each(|(_, value)| assert_header_value(value));

    let login = TestRequest::new("POST", "/login");
    // No token has room for every issuer.
    let Ok(outcome) = ready(sessions.create_session(User::named("alice"), &login)) else { return };
    let set = Kept::by_browser(outcome.changes.set_cookie().unwrap());
    assert_eq!(set.name, sessions.cookie_name());
    assert!(outcome.status().is_valid && outcome.status().expires_at.is_some());
    let pair = format!("{}={}", set.name, set.value);
    let back = TestRequest::new("POST", "/me").cookie(&pair);
    let found = ready(sessions.get_session(&back)).unwrap().expect("the browser's cookie opens the session");
    assert_eq!(found.user().unwrap().user_id, "alice");
    assert!(found.changes.set_cookie().is_none(), "a refresh of a token that has just been made");
    let changes = ready(sessions.destroy_session(&back)).unwrap();
    let cleared = Kept::by_browser(changes.set_cookie().unwrap());
    assert_eq!(cleared.max_age, Some(0));
    assert_eq!((cleared.name, cleared.domain, cleared.path), (set.name, set.domain, set.path));
    assert!(ready(sessions.get_session(&back)).unwrap().is_none());
}

impl Settings {
    /// `None` for a line that is no setting.
    fn with(mut self, line: &str) -> Option<Self> {
        let (setting, value) = line.split_once(' ').unwrap_or((line, ""));
        let seconds = value.parse().ok().map(Duration::from_secs);
        let (cookie, lifetimes, manager) = (self.cookie, self.lifetimes, self.manager);
        (self.cookie, self.lifetimes, self.manager) = match setting {
            "name" => (cookie.name(value), lifetimes, manager),
            "domain" => (cookie.domain(value), lifetimes, manager),
            "path" => (cookie.path(value), lifetimes, manager),
            "strict" => (cookie.same_site(SameSite::Strict), lifetimes, manager),
            "none" => (cookie.same_site(SameSite::None), lifetimes, manager),
            "insecure" => (cookie.secure(false), lifetimes, manager),
            "partitioned" => (cookie.partitioned(true), lifetimes, manager),
            "browser-session" => (cookie.browser_session(true), lifetimes, manager),
            "max-age" => (cookie, lifetimes.max_age(seconds?), manager),
            "threshold" => (cookie, lifetimes.refresh_threshold(seconds?), manager),
            "idle" => (cookie, lifetimes.idle_timeout(seconds?), manager),
            "absolute" => (cookie, lifetimes.absolute_lifetime(seconds?), manager),
            "unremembered" => (cookie, lifetimes.unremembered(seconds?), manager),
            "guest" => (cookie, lifetimes.guest(seconds?), manager),
            "interval" => (cookie, lifetimes.last_seen_interval(seconds?), manager),
            "grace" => (cookie, lifetimes.replay_grace(seconds?), manager),
            "leeway" => (cookie, lifetimes.leeway(seconds?), manager),
            "realm" => (cookie, lifetimes, manager.realm(value)),
            "issuer" => (cookie, lifetimes, manager.issuer(value)),
            "login-page" => (cookie, lifetimes, manager.login_page(value)),
            "origin" => (cookie, lifetimes, manager.public_origin(value)),
            "prefix" => (cookie, lifetimes, manager.public_prefix(value)),
            "proxy" => (cookie, lifetimes, manager.trusted_proxies(TrustedProxies::new([value]).ok()?)),
            "store" => (cookie, lifetimes, manager.store(MemoryStore::new())),
            "hybrid" => (cookie, lifetimes, manager.hybrid(seconds?)),
            "revocation" => (cookie, lifetimes, manager.fresh_for_revocation(seconds?)),
            "plain" => (cookie, lifetimes, manager.token_form(TokenForm::Plain)),
            "bearer" => (cookie, lifetimes, manager.bearer(true)),
            _ => return None,
        };
        Some(self)
    }
}

/// A cookie as a browser keeps it.
struct Kept {
    name: String,
    value: String,
    domain: Option<String>,
    path: String,
    max_age: Option<u64>,
}

impl Kept {
    /// Fails where a browser would drop it, or keep another one.
    fn by_browser(line: &str) -> Self {
        assert_header_value(line);
        let mut parts = line.split(';');
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a pair");
        assert!(name.trim() == name && value.trim() == value && !name.is_empty());
        assert!(name.len() + value.len() <= 4096, "longer than a browser keeps");
        let mut kept =
            Self { name: name.into(), value: value.into(), domain: None, path: String::new(), max_age: None };
        let (mut secure, mut http_only, mut partitioned, mut same_site) = (false, false, false, "");
        for part in parts {
            let (attribute, value) = part.trim().split_once('=').unwrap_or((part.trim(), ""));
            assert!(value.len() <= 1024, "an attribute that browsers ignore: {attribute}");
            match attribute {
                "Domain" => {
                    let host = Host::parse(value).expect("a domain");
                    assert!(
                        matches!(&host, Host::Domain(name) if name.eq_ignore_ascii_case(value)),
                        "{value}"
                    );
                    kept.domain = Some(value.into());
                }
                "Path" => kept.path = value.into(),
                "Max-Age" => kept.max_age = Some(value.parse().expect("seconds")),
                "SameSite" => same_site = value,
                "Secure" => secure = true,
                "HttpOnly" => http_only = true,
                "Partitioned" => partitioned = true,
                // For browsers that are older than Max-Age.
                "Expires" => {}
                _ => panic!("{part:?} is no attribute of ours"),
            }
        }
        let prefix = name.to_ascii_lowercase();
        if ["__secure-", "__host-", "__http-"].iter().any(|known| prefix.starts_with(known)) {
            assert!(secure, "a prefix without Secure");
        }
        if prefix.starts_with("__host-") {
            assert!(kept.domain.is_none() && kept.path == "/", "__Host- with a scope");
        }
        assert!(kept.path.starts_with('/'), "a path that browsers replace");
        assert!(Url::parse(&format!("https://a.example{}", kept.path.replace(['?', '#'], "_"))).is_ok());
        assert!(secure || !(same_site == "None" || partitioned), "dropped without Secure");
        assert!(http_only && matches!(same_site, "Lax" | "Strict" | "None"));
        kept
    }
}
