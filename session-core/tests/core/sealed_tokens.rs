//! Sessions in a cookie that browser and proxies cannot read. What is in a token and what is refused: `token/tests/sealed.rs`.

use session_core::testing::TestRequest;
use session_core::{ErrorKind, Key, KeyRing, SessionManager, TokenForm};

use crate::support::{Browser, SECRET, Trip, User, World, big_user, user};

fn form(world: &World, form: TokenForm) -> SessionManager<User> {
    world.builder().token_form(form).build().unwrap()
}

fn token(browser: &Browser) -> &str {
    browser.cookie().split_once('=').unwrap().1
}

fn is_sealed(browser: &Browser) -> bool {
    token(browser).split('.').count() == 5
}

#[tokio::test]
async fn the_cookie_does_not_show_who_is_logged_in() {
    let world = World::new();
    let sessions = world.sealed();
    let mut browser = Browser::login(&sessions, user("annabella")).await;
    assert!(is_sealed(&browser));
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("annabella"));
    // "userId":"annabella" in base64url, at each of its three beginnings.
    for text in ["YW5uYWJlbGxh", "FubmFiZWxsY", "hbm5hYmVsbG", "annabella"] {
        assert!(!token(&browser).contains(text), "{text}");
    }
}

/// From one form to the other and back, while old and new nodes run side by side.
#[tokio::test]
async fn moving_from_typed_to_sealed_and_back_logs_nobody_out() {
    let world = World::new();
    let (typed, sealed) = (world.stateless(), world.sealed());
    let mut browser = Browser::login(&typed, user("ann")).await;
    for (writes, reads, is_sealed_then) in [(&sealed, &typed, true), (&typed, &sealed, false)] {
        assert_eq!(browser.who(writes).await.as_deref(), Some("ann"), "read as it is");
        assert_eq!(is_sealed(&browser), !is_sealed_then, "and not rewritten before it is due");
        world.advance(3600);
        let refreshed = writes.refresh_session(&browser.post("/refresh")).await.unwrap();
        assert!(browser.take(&refreshed.changes));
        assert_eq!(is_sealed(&browser), is_sealed_then);
        assert_eq!(browser.who(reads).await.as_deref(), Some("ann"), "by a node that has not moved yet");
    }
    // A logout on either ends the tokens of both.
    let copy = browser.clone();
    let refreshed = sealed.refresh_session(&browser.post("/refresh")).await.unwrap();
    browser.take(&refreshed.changes);
    browser.log_out(&sealed).await;
    assert_eq!(copy.clone().who(&sealed).await, None);
}

/// An automatic refresh moves a session, too.
#[tokio::test]
async fn a_refresh_that_is_due_and_an_update_write_the_form_that_is_set() {
    let world = World::new();
    let sealed = world.sealed();
    let mut browser = Browser::login(&world.stateless(), user("ann")).await;
    world.advance(24 * 3600 - 60);
    assert_eq!(browser.who(&sealed).await.as_deref(), Some("ann"));
    assert!(is_sealed(&browser));

    let mut other = Browser::login(&world.stateless(), user("bob")).await;
    let session = Trip::of(&sealed);
    session.receive(&other.post("/visits"));
    session.update(|user| user.visits += 1).await.unwrap();
    assert!(other.take(&session.close(&())) && is_sealed(&other));
}

#[tokio::test]
async fn what_the_secret_signed_as_plain_is_read_in_the_plain_form_only() {
    let world = World::new();
    let mut plain = Browser::login(&form(&world, TokenForm::Plain), user("ann")).await;
    assert_eq!(plain.who(&world.sealed()).await, None);
    let mut sealed = Browser::login(&world.sealed(), user("ann")).await;
    assert_eq!(sealed.who(&form(&world, TokenForm::Plain)).await.as_deref(), Some("ann"));
}

/// Whoever tries tokens learns nothing from the answer, the event or the log: damaged, or by somebody else.
#[tokio::test]
async fn damaged_and_not_ours_are_the_same_answer_and_the_same_event() {
    let world = World::new();
    let sessions = world.sealed();
    let good = token(&Browser::login(&sessions, user("ann")).await).to_owned();
    let others = SessionManager::<User>::builder()
        .keys(
            KeyRing::new(Key::hs256([7; 32]).unwrap().with_kid(sessions.keys().signing_kid()).unwrap())
                .unwrap(),
        )
        .clock(world.clock.clone())
        .token_form(TokenForm::Sealed)
        .build()
        .unwrap();
    let theirs = token(&Browser::login(&others, user("ann")).await).to_owned();
    let damaged = format!("{}AAAA", &good[..good.len() - 4]);
    let nobodys = good.replacen("ey", "eA", 1);
    world.events.lock().unwrap().clear();
    let mut answers = Vec::new();
    for token in [&damaged, &theirs, &nobodys] {
        let trip = Trip::of(&sessions);
        trip.receive(&TestRequest::new("GET", "/").cookie(&format!("__Host-session={token}")));
        let error = trip.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenInvalid);
        answers.push((error.to_string(), format!("{:?}", error.to_response())));
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    let events = world.events.lock().unwrap();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| format!("{event:?}") == format!("{:?}", events[0])), "{events:?}");
}

#[tokio::test]
async fn a_payload_too_large_is_an_error_that_names_the_size_and_the_longest_one_fits() {
    let world = World::new();
    let sessions = world.sealed();
    let login = |bytes| {
        sessions.create_session(big_user("ann", bytes), &TestRequest::new("POST", "/login")).into_future()
    };
    let error = login(4000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PayloadTooLarge);
    let size: usize = error.to_string().split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!((5000..6000).contains(&size), "{error}");

    let mut last = None;
    for bytes in 2700..3000 {
        match login(bytes).await {
            Ok(outcome) => {
                last = Some(outcome.changes.set_cookie().unwrap().split(';').next().unwrap().len())
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::PayloadTooLarge),
        }
    }
    assert!(last.is_some_and(|length| (4090..=4097).contains(&length)), "{last:?}");
}

/// Nothing in a reference is worth hiding, and every node signs the same bytes.
#[tokio::test]
async fn with_a_store_the_reference_stays_signed() {
    let world = World::new();
    let builder = || world.builder().store(world.store.clone());
    let sealed = builder().token_form(TokenForm::Sealed).build().unwrap();
    let typed = builder().build().unwrap();
    let mut browser = Browser::login(&sealed, user("ann")).await;
    assert!(!is_sealed(&browser));
    assert_eq!(browser.who(&typed).await.as_deref(), Some("ann"));
}

#[test]
fn the_description_says_what_is_sealed() {
    let world = World::new();
    let says = |sessions: SessionManager<User>| sessions.describe().contains("sealed");
    assert!(says(world.sealed()) && says(world.sealed_records()));
    assert!(!says(world.stateless()) && !says(world.tracked()));
}

#[test]
fn what_cannot_seal_is_found_while_building() {
    let world = World::new();
    let error = world.builder().seal_records(true).build().unwrap_err().to_string();
    assert!(error.contains(".store(") && error.contains("TokenForm::Sealed"), "{error}");
}

#[cfg(feature = "asymmetric")]
mod with_key_pairs {
    use super::*;

    fn pair() -> KeyRing {
        KeyRing::new(Key::ed25519_pem(include_bytes!("../../src/token/tests/keys/ed25519.pem")).unwrap())
            .unwrap()
    }

    fn secret() -> KeyRing {
        KeyRing::from_secret(SECRET).unwrap()
    }

    #[test]
    fn a_ring_of_key_pairs_needs_a_secret_beside_it() {
        let world = World::new();
        let sealed = || world.builder().keys(pair()).token_form(TokenForm::Sealed);
        let records = || world.builder().keys(pair()).store(world.store.clone()).seal_records(true);
        for error in [sealed().build().unwrap_err(), records().build().unwrap_err()] {
            assert!(error.to_string().contains(".sealing_keys("), "{error}");
        }
        assert!(sealed().sealing_keys(secret()).build().is_ok());
        assert!(records().sealing_keys(secret()).build().is_ok());
        assert!(sealed().sealing_keys(pair()).build().is_err());
    }

    /// A secret that was given for flashes opens no session where nobody asked for sealed ones.
    #[tokio::test]
    async fn a_secret_beside_key_pairs_makes_sessions_in_the_sealed_form_only() {
        let world = World::new();
        let pairs = |form| {
            let builder = world.builder().keys(pair()).sealing_keys(secret());
            builder.token_form(form).build().unwrap()
        };
        let (sealed, typed) = (pairs(TokenForm::Sealed), pairs(TokenForm::Typed));
        let mut browser = Browser::login(&sealed, user("ann")).await;
        assert!(is_sealed(&browser));
        assert_eq!(browser.who(&sealed).await.as_deref(), Some("ann"));
        assert_eq!(browser.who(&typed).await, None);
        let mut signed = Browser::login(&typed, user("ann")).await;
        assert_eq!(signed.who(&sealed).await.as_deref(), Some("ann"), "moving logs nobody out");
    }
}
