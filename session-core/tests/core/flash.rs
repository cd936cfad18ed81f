//! A message for the next page: once, sealed, logged in or not.

use session_core::testing::TestRequest;
use session_core::{CookieSettings, ErrorKind, Flash, KeyRing, SessionManager};

use crate::jar::{Jar, arrive};
use crate::support::{User, World, user};

async fn leave(sessions: &SessionManager<User>, jar: &mut Jar, message: &str) {
    let (trip, flash) = arrive::<Flash<User>>(sessions, &jar.post("/save")).await;
    flash.set(message).unwrap();
    jar.keep(&trip.close(&()));
}

async fn read(sessions: &SessionManager<User>, jar: &mut Jar) -> Option<String> {
    let (trip, flash) = arrive::<Flash<User>>(sessions, &jar.get("/")).await;
    let message = flash.take().unwrap();
    jar.keep(&trip.close(&()));
    message
}

in_every_mode! {
    async fn a_message_is_read_once_and_then_it_is_gone(_world, sessions) {
        let mut jar = Jar::default();
        leave(&sessions, &mut jar, "Saved.").await;
        let (_, flash) = arrive::<Flash<User>>(&sessions, &jar.get("/")).await;
        assert_eq!(flash.take::<String>().unwrap().as_deref(), Some("Saved."));
        assert_eq!(flash.take::<String>().unwrap(), None);
        assert_eq!(read(&sessions, &mut jar).await.as_deref(), Some("Saved."));
        assert!(jar.names("flash").is_empty());
        assert_eq!(read(&sessions, &mut jar).await, None);
    }

    async fn it_survives_a_login_and_leaves_the_session_alone(_world, sessions) {
        let mut jar = Jar::default();
        leave(&sessions, &mut jar, "Welcome.").await;
        jar.log_in(&sessions, user("ann")).await;
        assert_eq!(read(&sessions, &mut jar).await.as_deref(), Some("Welcome."));
        assert_eq!(jar.names("").len(), 1, "the session's cookie stays");
    }

    async fn its_cookie_is_sealed_and_not_to_be_kept_by_caches(_world, sessions) {
        let (trip, flash) = arrive::<Flash<User>>(&sessions, &Jar::default().post("/save")).await;
        flash.set("Saved.").unwrap();
        let changes = trip.close(&());
        let line = changes.set_cookie().unwrap().to_owned();
        assert!(line.starts_with("__Host-session-flash=ey"), "{line}");
        assert!(line.ends_with("; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax"), "{line}");
        assert!(format!("{:?}", changes.iter().collect::<Vec<_>>()).contains("cache-control"));
        assert_eq!(format!("{flash:?}"), "Flash");
    }

    async fn one_that_replaces_another_is_sent_and_not_cleared(_world, sessions) {
        let mut jar = Jar::default();
        leave(&sessions, &mut jar, "one").await;
        let (trip, flash) = arrive::<Flash<User>>(&sessions, &jar.post("/save")).await;
        flash.set("two").unwrap();
        assert_eq!(flash.take::<String>().unwrap().as_deref(), Some("one"));
        jar.keep(&trip.close(&()));
        assert_eq!(read(&sessions, &mut jar).await.as_deref(), Some("two"));
    }

    async fn over_1_kib_is_refused_with_its_size(_world, sessions) {
        let (_, flash) = arrive::<Flash<User>>(&sessions, &Jar::default().post("/save")).await;
        flash.set(&"x".repeat(1022)).unwrap();
        let error = flash.set(&"x".repeat(1023)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PayloadTooLarge);
        assert!(error.to_string().contains("1025") && !error.to_string().contains("xxx"), "{error}");
    }

    async fn what_is_old_changed_or_of_another_type_is_no_message(world, sessions) {
        let mut jar = Jar::default();
        leave(&sessions, &mut jar, "Saved.").await;
        let (_, flash) = arrive::<Flash<User>>(&sessions, &jar.get("/")).await;
        assert_eq!(flash.take::<u8>().unwrap(), None);
        let mut changed = jar.clone();
        changed.change(|cookies| cookies.values_mut().for_each(|value| *value = value.replace('.', ".A")));
        assert_eq!(read(&sessions, &mut changed).await, None);
        world.advance(600);
        assert_eq!(read(&sessions, &mut jar).await, None);
        assert!(jar.names("flash").is_empty());
    }

    async fn after_the_response_none_can_follow(_world, sessions) {
        let (trip, flash) = arrive::<Flash<User>>(&sessions, &Jar::default().post("/save")).await;
        assert!(trip.close(&()).is_empty());
        assert_eq!(flash.set("late").unwrap_err().kind(), ErrorKind::ResponseSent);
    }

    async fn a_request_of_another_origin_sets_none(_world, sessions) {
        let request = TestRequest::new("POST", "/").header("sec-fetch-site", "cross-site");
        let (_, flash) = arrive::<Flash<User>>(&sessions, &request).await;
        assert_eq!(flash.set("x").unwrap_err().kind(), ErrorKind::CrossOrigin);
    }
}

#[tokio::test]
async fn another_realm_reads_none() {
    let world = World::new();
    let admins = world.builder().realm("admins").build().unwrap();
    let mut jar = Jar::default();
    leave(&world.stateless(), &mut jar, "Saved.").await;
    assert_eq!(read(&admins, &mut jar).await, None);
}

#[tokio::test]
async fn a_bearer_request_has_no_browser_to_keep_it() {
    let sessions = World::new().builder().bearer(true).build().unwrap();
    let request = TestRequest::new("POST", "/").header("authorization", "Bearer x");
    let (_, flash) = arrive::<Flash<User>>(&sessions, &request).await;
    assert_eq!(flash.set("x").unwrap_err().kind(), ErrorKind::Misuse);
}

#[cfg(feature = "asymmetric")]
#[tokio::test]
async fn key_pairs_seal_nothing_until_a_secret_is_given() {
    let pair = || {
        let pem = include_bytes!("../../src/token/tests/keys/ed25519.pem");
        KeyRing::new(session_core::Key::ed25519_pem(pem).unwrap()).unwrap()
    };
    let builder = || World::new().builder().keys(pair());
    let mut jar = Jar::default();
    let (_, flash) = arrive::<Flash<User>>(&builder().build().unwrap(), &jar.post("/")).await;
    let error = flash.set("x").unwrap_err();
    assert!(error.kind() == ErrorKind::Misuse && error.to_string().contains(".sealing_keys("), "{error}");
    let secret = KeyRing::from_secret(crate::support::SECRET).unwrap();
    let sessions = builder().sealing_keys(secret).build().unwrap();
    leave(&sessions, &mut jar, "Saved.").await;
    assert_eq!(read(&sessions, &mut jar).await.as_deref(), Some("Saved."));
    assert!(builder().sealing_keys(pair()).build().unwrap_err().to_string().contains("key pairs"));
}

/// A sibling subdomain plants cookies of a name that has no `__Host-`, and hides those that have it.
#[tokio::test]
async fn planted_cookies_hide_no_host_cookie() {
    let world = World::new();
    let cookie = CookieSettings::default().name("__Secure-id").domain("example.test");
    let sessions = world.builder().cookie(cookie).build().unwrap();
    let mut jar = Jar::default();
    let (trip, flash) = arrive::<Flash<User>>(&sessions, &jar.post("/save")).await;
    flash.set("Saved.").unwrap();
    jar.keep(&trip.close(&()));
    let own = format!("__Host-id-flash={}", jar.value("__Host-id-flash").unwrap());
    // Cookies of longer paths come first (RFC 6265 section 5.4).
    let planted = "__Secure-id-actor=x; ".repeat(8);
    let shown = TestRequest::new("GET", "/app").cookie(&format!("{planted}{own}"));
    let (_, flash) = arrive::<Flash<User>>(&sessions, &shown).await;
    assert_eq!(flash.take::<String>().unwrap().as_deref(), Some("Saved."));
}
