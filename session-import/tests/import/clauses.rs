//! One clause, one name, for every system.

use proptest::prelude::*;
use serde_json::Value;
use session_import::{CookiePrefix, Cookies, ForeignSession, ImportError, Timestamp};

use crate::systems::{self, Jar, Read, System};

/// A test of each clause for each system.
macro_rules! every_system {
    ($systems:tt $($clause:ident)*) => { $( every_system! { @one $clause $systems } )* };
    (@one $clause:ident [$($system:ident)*]) => {
        mod $clause {
            $( #[test] fn $system() { super::$clause(super::systems::$system()) } )*
        }
    };
}

every_system! {
    [
        auth_js auth_js_in_chunks next_auth iron_session better_auth_compact better_auth_jwt better_auth_jwe
        express_session cookie_session django_signed django_compressed django_stored flask flask_compressed
        rails rails_by_sha1
    ]
    what_the_library_wrote_is_read
    a_changed_byte_is_no_session
    a_cut_value_is_no_session
    another_secret_reads_nothing
    a_secret_of_before_reads
    an_empty_secret_is_an_error
    a_cookie_of_another_name_is_not_read
    a_session_ends_when_the_other_system_says
    what_is_too_long_is_no_session
    one_session_twice_is_one
    two_accounts_are_refused_in_either_order
    a_damaged_cookie_beside_a_good_one_does_not_matter
    the_cookies_to_clear_are_those_that_came
    any_bytes_are_no_session
    no_cookie_is_no_session
    debug_shows_no_value
}

fn header(jar: &Jar) -> Vec<u8> {
    let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("; ").into_bytes()
}

fn ask(read: &Read, jar: &Jar, now: Timestamp) -> Result<Option<ForeignSession<Value>>, ImportError> {
    read(&Cookies::from_header(&header(jar)), now)
}

fn is_none(read: &Read, jar: &Jar, now: Timestamp) -> bool {
    matches!(ask(read, jar, now), Ok(None))
}

/// better-auth's payload has two fields more than the vectors tell.
fn assert_holds(found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) if expected.contains_key("session") => {
            expected.iter().for_each(|(name, value)| assert_eq!(found.get(name), Some(value)));
        }
        _ => assert_eq!(found, expected),
    }
}

fn what_the_library_wrote_is_read(system: System) {
    let found = ask(&system.readers.good, &system.cookies, system.now).unwrap().unwrap();
    assert_holds(&found.payload, &system.expected);
    assert_eq!(found.id.as_deref(), system.id);
    assert_eq!(found.ends_at, system.ends_at);
    if system.issued_at.is_some() {
        assert_eq!(found.issued_at, system.issued_at);
    }
    assert_eq!(found.cookie, system.cookies[0].0.trim_end_matches(".0"));
    let is_prefixed = found.cookie.starts_with("__Secure-");
    assert_eq!(found.prefix, if is_prefixed { CookiePrefix::Secure } else { CookiePrefix::None });
    for time in [found.issued_at, found.authenticated_at].into_iter().flatten() {
        assert!(time <= system.now, "{time}");
    }
}

/// Every byte of every value; of a long one every 29th.
fn a_changed_byte_is_no_session(system: System) {
    for (cookie, (_, value)) in system.cookies.iter().enumerate() {
        let step = if value.len() > 1500 { 29 } else { 1 };
        for at in (0..value.len()).step_by(step).chain([value.len() - 1]) {
            let mut changed = system.cookies.clone();
            let mut bytes = value.clone().into_bytes();
            bytes[at] ^= 1;
            changed[cookie].1 = String::from_utf8(bytes).unwrap();
            assert!(is_none(&system.readers.good, &changed, system.now), "byte {at} of cookie {cookie}");
        }
    }
}

fn a_cut_value_is_no_session(system: System) {
    for (cookie, (_, value)) in system.cookies.iter().enumerate() {
        let step = if value.len() > 1500 { 29 } else { 1 };
        for length in (0..value.len()).step_by(step) {
            let mut cut = system.cookies.clone();
            cut[cookie].1.truncate(length);
            assert!(is_none(&system.readers.good, &cut, system.now), "{length} of cookie {cookie}");
        }
    }
}

fn another_secret_reads_nothing(system: System) {
    assert!(is_none(&system.readers.wrong_secret, &system.cookies, system.now));
    assert!(is_none(&system.readers.good, &system.second, system.now));
}

fn a_secret_of_before_reads(system: System) {
    for cookies in [&system.cookies, &system.second] {
        assert!(ask(&system.readers.rotated, cookies, system.now).unwrap().is_some());
    }
}

fn an_empty_secret_is_an_error(system: System) {
    for read in [&system.readers.empty, &system.readers.half_empty] {
        assert_eq!(ask(read, &system.cookies, system.now), Err(ImportError::EmptySecret));
    }
}

fn a_cookie_of_another_name_is_not_read(system: System) {
    assert!(is_none(&system.readers.other_name, &system.cookies, system.now));
    let longer = system.cookies.iter().map(|(name, value)| (format!("{name}x"), value.clone())).collect();
    assert!(is_none(&system.readers.good, &longer, system.now));
}

fn a_session_ends_when_the_other_system_says(system: System) {
    let ends_at = ask(&system.readers.good, &system.cookies, system.now).unwrap().unwrap().ends_at;
    let last = ends_at.unwrap_or(Timestamp::MAX).unix_seconds() - 1;
    let at = |seconds| ask(&system.readers.good, &system.cookies, Timestamp::from_unix_seconds(seconds));
    assert!(at(last).unwrap().is_some());
    assert_eq!(at(last + 1).unwrap().is_some(), ends_at.is_none());
    assert_eq!(at(i64::MAX).unwrap().is_some(), ends_at.is_none());
}

fn what_is_too_long_is_no_session(system: System) {
    let good = |cookies: &Jar| !is_none(&system.readers.good, cookies, system.now);
    let beside = |name: &str, length| {
        let mut cookies = system.cookies.clone();
        cookies.push((name.to_owned(), "x".repeat(length)));
        cookies
    };
    let many = |count: usize| {
        let others = (0..count - system.cookies.len()).map(|number| (format!("c{number}"), String::new()));
        others.chain(system.cookies.clone()).collect()
    };
    assert!(good(&beside("theme", 32 * 1024)) && good(&many(256)));
    assert!(!good(&beside("theme", 64 * 1024)) && !good(&many(257)));
    assert!(good(&beside(&system.cookies[0].0, 33 * 1024)), "a value that long is nobody's");
}

fn one_session_twice_is_one(system: System) {
    let twice = [system.cookies.clone(), system.cookies.clone()].concat();
    let found = ask(&system.readers.good, &twice, system.now).unwrap().unwrap();
    assert_eq!(found.id.as_deref(), system.id);
}

fn two_accounts_are_refused_in_either_order(system: System) {
    let (one, other) = (&system.cookies, &system.other_account);
    for both in [[one.clone(), other.clone()].concat(), [other.clone(), one.clone()].concat()] {
        assert_eq!(ask(&system.readers.good, &both, system.now), Err(ImportError::Ambiguous));
    }
}

fn a_damaged_cookie_beside_a_good_one_does_not_matter(system: System) {
    let name = system.cookies[0].0.trim_end_matches(".0");
    let damaged = (name.to_owned(), "damaged".to_owned());
    // As the systems see it, a stored key of Django is never damaged, only unknown: seven letters are no key.
    for both in [
        [vec![damaged.clone()], system.cookies.clone()].concat(),
        [system.cookies.clone(), vec![damaged]].concat(),
    ] {
        assert!(ask(&system.readers.good, &both, system.now).unwrap().is_some());
    }
    let planted = (0..9).map(|number| (name.to_owned(), format!("planted{number}"))).collect();
    let many: Jar = [planted, system.cookies.clone()].concat();
    assert!(!matches!(ask(&system.readers.good, &many, system.now), Ok(Some(_))), "at most eight are tried");
}

fn the_cookies_to_clear_are_those_that_came(system: System) {
    let mut jar = system.cookies.clone();
    jar.push(("theme".to_owned(), "dark".to_owned()));
    let found = ask(&system.readers.good, &jar, system.now).unwrap().unwrap();
    let cleared: Vec<_> = found.cookies.iter().map(|cookie| cookie.name.as_str()).collect();
    let came: Vec<_> = system.cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(cleared, came);
    for cookie in found.cookies {
        assert_eq!((cookie.path.as_str(), cookie.secure), ("/", cookie.name.starts_with("__Secure-")));
    }
}

fn any_bytes_are_no_session(system: System) {
    let name = system.cookies[0].0.clone().into_bytes();
    proptest!(ProptestConfig::with_cases(200), |(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in "[A-Za-z0-9_.:*~%=-]{0,200}",
    )| {
        let good = |cookies: Cookies<'_>| (system.readers.good)(&cookies, system.now);
        prop_assert_eq!(good(Cookies::from_header(&bytes)), Ok(None));
        for value in [&bytes[..], text.as_bytes()] {
            prop_assert_eq!(good(Cookies::from_pairs([(&name[..], value)])), Ok(None));
        }
    });
}

fn no_cookie_is_no_session(system: System) {
    assert!(is_none(&system.readers.good, &Vec::new(), system.now));
}

fn debug_shows_no_value(system: System) {
    let header = header(&system.cookies);
    let shown = format!("{:?}", Cookies::from_header(&header));
    for (name, value) in &system.cookies {
        assert!(shown.contains(name) && !shown.contains(value));
    }
    let found = ask(&system.readers.good, &system.cookies, system.now).unwrap().unwrap();
    let shown = format!("{found:?}");
    assert!(shown.contains(&found.cookie) && !shown.contains("Zo") && !shown.contains("user"), "{shown}");
    assert!(system.id.is_none_or(|id| !shown.contains(id)));
}
