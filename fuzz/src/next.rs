//! Where to go after a login: whatever is accepted stays where a browser, by the URL standard, stays.

use std::sync::LazyLock;

use session_core::testing::{ManualClock, TestRequest};
use session_core::{Authenticated, ReturnTo, SessionManager, Timestamp, TrustedProxies, checked_next};
use url::Url;

use crate::world::{NOW, User, assert_header_value, manager_at, ready};

const OWN: &str = "https://app.example.com";
const LISTED: [&str; 3] = [OWN, "https://shop.example:8443", "http://[::1]:3000"];

struct World {
    return_to: ReturnTo,
    /// With the login page here, and on another origin.
    here: SessionManager<User>,
    elsewhere: SessionManager<User>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let manager = || {
        let proxies =
            TrustedProxies::new(["10.0.0.0/8"]).unwrap().prefix_header("x-forwarded-prefix").unwrap();
        manager_at(ManualClock::at(Timestamp::from_unix_seconds(NOW)))
            .trusted_proxies(proxies)
            .public_origin(OWN)
    };
    World {
        return_to: ReturnTo::new(LISTED).unwrap(),
        here: manager().login_page("/login").build().unwrap(),
        elsewhere: manager().login_page("https://login.example/in?lang=en#top").build().unwrap(),
    }
});

/// The first line is the place, the second what a proxy tells as the prefix.
pub fn next(input: &[u8]) {
    let mut lines = input.splitn(2, |&byte| byte == b'\n');
    let (place, prefix) = (lines.next().unwrap_or_default(), lines.next());
    let Ok(place) = std::str::from_utf8(place) else { return };
    let world = &*WORLD;
    if let Some(next) = checked_next(place) {
        assert_eq!(next, place);
        assert_header_value(next);
        assert_eq!(resolved(next), OWN, "{next:?}");
    }
    if let Some(next) = world.return_to.checked(place) {
        assert_eq!(next, place);
        assert_header_value(next);
        assert!(LISTED.contains(&&*resolved(next)), "{next:?} leads to {}", resolved(next));
    }
    if !place.is_empty() {
        redirected(place, prefix);
    }
}

/// The origin that a browser on our page goes to.
fn resolved(next: &str) -> String {
    let base = Url::parse(OWN).and_then(|own| own.join("/a/login?next=x")).unwrap();
    base.join(next).expect("a place that can be gone to").origin().ascii_serialization()
}

/// A navigation to a page that wants a login leads to the login page, and from there to itself.
fn redirected(target: &str, prefix: Option<&[u8]>) {
    let world = &*WORLD;
    let mut head =
        TestRequest::new("GET", target).header("sec-fetch-mode", "navigate").from_peer([10, 0, 0, 1].into());
    if let Some(prefix) = prefix {
        head = head.header("x-forwarded-prefix", prefix);
    }
    for (sessions, is_here) in [(&world.here, true), (&world.elsewhere, false)] {
        let refused = ready(sessions.slot().receive(&head).extract::<Authenticated<User>>()).unwrap_err();
        let response = refused.to_response();
        assert_eq!(response.status, 303);
        let (_, location) = response.headers.iter().find(|(name, _)| *name == "location").unwrap();
        assert_header_value(location);
        let page = Url::parse(OWN).unwrap().join(location).unwrap();
        let origin = page.origin().ascii_serialization();
        let path = page.path();
        if is_here {
            assert!(origin == OWN && path.ends_with("/login"), "{location}");
        } else {
            assert!(origin == "https://login.example" && path == "/in" && page.fragment() == Some("top"));
            assert!(page.query_pairs().any(|(name, value)| name == "lang" && value == "en"));
        }
        let next: Vec<_> = page.query_pairs().filter(|(name, _)| name == "next").collect();
        assert!(next.len() <= 1, "{location}");
        if let Some((_, next)) = next.first() {
            assert!(next.ends_with(target), "{next:?} instead of {target:?}");
            assert_eq!(resolved(next), OWN);
            assert_eq!(world.return_to.checked(next), Some(&**next));
        } else {
            let longest = target.len() + prefix.map_or(0, <[u8]>::len);
            assert!(checked_next(target).is_none() || longest > 1024, "no way back to {target:?}");
        }
    }
}
