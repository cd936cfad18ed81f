//! What a login may be told before it is awaited, and that it holds after a refresh, a restart and on another node.

use session_core::testing::{FaultyStore, StoreMethod};
use session_core::{ErrorKind, Lifetimes, Login, SessionManager, SessionToken, Timestamp};

use crate::jar::Jar;
use crate::support::{Trip, User, World, seconds, user};

const HOUR: u64 = 3600;

/// A browser and the cookies that its login answered.
async fn log_in(
    sessions: &SessionManager<User>,
    tell: impl FnOnce(Login<'_, SessionToken>) -> Login<'_, SessionToken>,
) -> (Jar, String) {
    log_in_as("ann", sessions, tell).await
}

async fn log_in_as(
    name: &str,
    sessions: &SessionManager<User>,
    tell: impl FnOnce(Login<'_, SessionToken>) -> Login<'_, SessionToken>,
) -> (Jar, String) {
    let mut jar = Jar::default();
    let trip = Trip::of(sessions);
    trip.receive(&jar.post("/login"));
    tell(trip.create(user(name))).await.unwrap();
    let changes = trip.close(&());
    jar.keep(&changes);
    (jar, changes.set_cookie().unwrap().to_owned())
}

async fn request(sessions: &SessionManager<User>, jar: &Jar) -> Trip {
    let trip = Trip::of(sessions);
    trip.receive(&jar.post("/"));
    let _ = trip.open().await;
    trip
}

/// A use of the session; the cookie that it was answered.
async fn uses(sessions: &SessionManager<User>, jar: &mut Jar) -> (bool, Option<String>) {
    let trip = request(sessions, jar).await;
    let changes = trip.close(&());
    jar.keep(&changes);
    (trip.user().is_some(), changes.set_cookie().map(str::to_owned))
}

/// In every mode two managers with the same keys and, if there is one, the same store: before and after a restart, or two
/// nodes.
fn all(world: &World, lifetimes: &Lifetimes) -> [[SessionManager<User>; 2]; 3] {
    let builder = || world.builder().lifetimes(lifetimes.clone());
    let (stateless, tracked) = (builder, || builder().store(world.store.clone()));
    let hybrid = || tracked().hybrid(seconds(30));
    [
        [(); 2].map(|()| stateless().build().unwrap()),
        [(); 2].map(|()| tracked().build().unwrap()),
        [(); 2].map(|()| hybrid().build().unwrap()),
    ]
}

#[tokio::test]
async fn a_plain_login_is_remembered_and_a_refresh_of_it_too() {
    let world = World::new();
    for [sessions, _] in all(&world, &Lifetimes::default()) {
        let (mut jar, cookie) = log_in(&sessions, |login| login).await;
        assert!(cookie.contains("Max-Age=86400"), "{cookie}");
        world.advance(24 * HOUR - 60);
        let (known, cookie) = uses(&sessions, &mut jar).await;
        assert!(known && cookie.unwrap().contains("Max-Age=86400"));
    }
}

#[tokio::test]
async fn an_unremembered_login_has_a_cookie_without_max_age_and_ends_after_12_hours_whatever_refreshes_it() {
    let world = World::new();
    let lifetimes = Lifetimes::default().max_age(seconds(HOUR));
    for [sessions, elsewhere] in all(&world, &lifetimes) {
        let (mut jar, cookie) = log_in(&sessions, |login| login.remember(false)).await;
        assert!(!cookie.contains("Max-Age"), "{cookie}");
        let mut refreshed = 0;
        for quarter in 1..48 {
            world.advance(HOUR / 4);
            // Each use is on another node.
            let (known, cookie) = uses(&elsewhere, &mut jar).await;
            assert!(known, "{quarter}");
            if let Some(cookie) = cookie {
                assert!(!cookie.contains("Max-Age"), "{cookie}");
                refreshed += 1;
            }
        }
        assert!(refreshed > 8);
        world.advance(HOUR / 4);
        assert!(!uses(&sessions, &mut jar).await.0);
    }
}

#[tokio::test]
async fn a_login_that_waits_one_that_is_not_remembered_and_a_guest_end_when_it_is_set_for_them() {
    let world = World::new();
    let (waits, unremembered, guest) = (seconds(100), seconds(200), seconds(300));
    let lifetimes = Lifetimes::default().incomplete(waits).unremembered(unremembered).guest(guest);
    for [sessions, _] in all(&world, &lifetimes) {
        let remaining = async |jar: Jar| request(&sessions, &jar).await.status().absolute_remaining;
        let (jar, _) = log_in(&sessions, |login| login.level(0)).await;
        assert_eq!(remaining(jar).await, Some(waits));
        let (jar, _) = log_in(&sessions, |login| login.remember(false)).await;
        assert_eq!(remaining(jar).await, Some(unremembered));
        let (jar, _) = log_in_as("guest", &sessions, |login| login).await;
        assert_eq!(remaining(jar).await, Some(guest));
    }
}

#[tokio::test]
async fn at_most_shortens_and_never_lengthens() {
    let world = World::new();
    for [sessions, _] in all(&world, &Lifetimes::default()) {
        let (jar, cookie) = log_in(&sessions, |login| login.at_most(seconds(900))).await;
        assert!(cookie.contains("Max-Age=900"), "{cookie}");
        let status = request(&sessions, &jar).await.status();
        assert_eq!(status.absolute_remaining, Some(seconds(900)));
        let (jar, _) = log_in(&sessions, |login| login.at_most(seconds(1000 * 24 * HOUR))).await;
        let status = request(&sessions, &jar).await.status();
        assert_eq!(status.absolute_remaining, Some(seconds(30 * 24 * HOUR)));
    }
}

#[tokio::test]
async fn at_most_holds_after_a_refresh_and_on_another_node_and_a_reauthentication_counts_anew() {
    let world = World::new();
    let lifetimes = Lifetimes::default().max_age(seconds(600)).refresh_threshold(seconds(300));
    for [sessions, elsewhere] in all(&world, &lifetimes) {
        let (mut jar, _) = log_in(&sessions, |login| login.at_most(seconds(900))).await;
        world.advance(400);
        assert!(uses(&elsewhere, &mut jar).await.1.is_some());
        world.advance(400);
        let trip = request(&sessions, &jar).await;
        assert_eq!(trip.status().remaining_time, seconds(100));
        trip.reauthenticate().await.unwrap();
        jar.keep(&trip.close(&()));
        let status = request(&elsewhere, &jar).await.status();
        assert_eq!(status.absolute_remaining, Some(seconds(900)));
        world.advance(900);
        assert!(!uses(&sessions, &mut jar).await.0);
    }
}

#[tokio::test]
async fn an_earlier_proof_is_when_the_login_was_and_none_lies_in_the_future() {
    let world = World::new();
    for [sessions, _] in all(&world, &Lifetimes::default()) {
        let (now, earlier) = (world.now(), world.now().minus(seconds(600)));
        for (told, counts) in [(earlier, earlier), (now.plus(seconds(600)), now)] {
            let (jar, _) = log_in(&sessions, |login| login.authenticated_at(told)).await;
            let trip = request(&sessions, &jar).await;
            assert_eq!(trip.status().authenticated_at, Some(counts));
            let is_fresh = trip.require_fresh(seconds(300)).await.is_ok();
            assert_eq!(is_fresh, counts == now);
            let left = seconds(30 * 24 * HOUR) - seconds(now.seconds_since(counts));
            assert_eq!(trip.status().absolute_remaining, Some(left));
        }
    }
}

trait Since {
    fn seconds_since(self, earlier: Timestamp) -> u64;
}

impl Since for Timestamp {
    fn seconds_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.unix_seconds() - earlier.unix_seconds()).unwrap()
    }
}

#[tokio::test]
async fn a_proof_that_is_too_old_for_any_session_is_told() {
    let world = World::new();
    for [sessions, _] in all(&world, &Lifetimes::default()) {
        let trip = request(&sessions, &Jar::default()).await;
        let old = world.now().minus(seconds(30 * 24 * HOUR));
        let error = trip.create(user("ann")).authenticated_at(old).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Expired);
    }
}

#[tokio::test]
async fn methods_and_level_are_in_the_status_and_survive_a_refresh_and_an_update() {
    let world = World::new();
    let lifetimes = Lifetimes::default();
    for [sessions, elsewhere] in all(&world, &lifetimes) {
        let (mut jar, _) = log_in(&sessions, |login| login.methods(["pwd", "otp"]).level(2)).await;
        world.advance(24 * HOUR - 60);
        assert!(uses(&sessions, &mut jar).await.1.is_some());
        let trip = request(&sessions, &jar).await;
        trip.update(|user| user.visits += 1).await.unwrap();
        jar.keep(&trip.close(&()));
        let status = request(&elsewhere, &jar).await.status();
        assert_eq!((status.level, status.methods), (Some(2), vec!["pwd".to_owned(), "otp".to_owned()]));
    }
}

#[tokio::test]
async fn methods_are_added_by_a_reauthentication_each_once() {
    let world = World::new();
    for [sessions, _] in all(&world, &Lifetimes::default()) {
        let (mut jar, _) = log_in(&sessions, |login| login.methods(["pwd"])).await;
        let trip = request(&sessions, &jar).await;
        trip.reauthenticate().methods(["pwd", "otp"]).await.unwrap();
        jar.keep(&trip.close(&()));
        assert_eq!(request(&sessions, &jar).await.status().methods, ["pwd", "otp"]);
    }
}

#[tokio::test]
async fn each_limit_has_its_error_and_nothing_is_stored() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    for sessions in [world.stateless(), world.tracked_on(store.clone())] {
        let trip = request(&sessions, &Jar::default()).await;
        let long = "x".repeat(33);
        let create = || trip.create(user("ann"));
        let logins = [
            (create().methods(["a"; 9]), "at most 8 methods"),
            (create().methods([""]), "1 to 32 visible ASCII"),
            (create().methods([long.as_str()]), "1 to 32 visible ASCII"),
            (create().methods(["p\u{e4}"]), "1 to 32 visible ASCII"),
            (create().methods(["two words"]), "1 to 32 visible ASCII"),
            (create().at_most(std::time::Duration::from_millis(999)), "less than a second"),
            (create().at_most(seconds(0)).methods([""]), "less than a second"),
        ];
        for (login, said) in logins {
            let error = login.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
    assert!(store.calls().iter().all(|call| *call != StoreMethod::Create));
}

#[tokio::test]
async fn eight_methods_of_32_bytes_are_kept_and_an_endless_list_ends() {
    let world = World::new();
    for sessions in world.all() {
        let long = "x".repeat(31);
        let methods: Vec<_> = (0..8).map(|n| format!("{long}{n}")).collect();
        let (jar, _) = log_in(&sessions, |login| login.methods(methods.clone())).await;
        assert_eq!(request(&sessions, &jar).await.status().methods, methods);
        let trip = request(&sessions, &jar).await;
        assert!(trip.create(user("ann")).methods(std::iter::repeat("pwd")).await.is_err());
    }
}

#[tokio::test]
async fn a_login_that_is_not_awaited_does_not_happen_and_debug_tells_nothing_of_it() {
    let world = World::new();
    let sessions = world.tracked();
    let trip = request(&sessions, &Jar::default()).await;
    let login = trip.create(user("ann")).methods(["pwd"]);
    assert_eq!(format!("{login:?}"), "Login");
    drop(login);
    assert!(trip.user().is_none() && world.records(&sessions, "ann").await.is_empty());
}

#[tokio::test]
async fn a_native_client_may_be_told_the_same() {
    let world = World::new();
    for sessions in world.all() {
        let outcome = sessions.create_session(user("ann"), &Jar::default().post("/login"));
        let outcome = outcome.at_most(seconds(900)).methods(["pwd"]).await.unwrap();
        let status = outcome.session.status();
        assert_eq!((status.absolute_remaining, status.methods), (Some(seconds(900)), vec!["pwd".to_owned()]));
    }
}

#[tokio::test]
async fn with_sliding_lifetimes_who_comes_in_time_stays_until_the_absolute_end() {
    let world = World::new();
    let idle = 7 * 24 * HOUR;
    for [sessions, _] in all(&world, &Lifetimes::sliding(seconds(idle))) {
        let (mut jar, _) = log_in(&sessions, |login| login).await;
        for _ in 0..4 {
            world.advance(idle - 1);
            assert!(uses(&sessions, &mut jar).await.0);
        }
        // 28 days have passed, and 30 are the end.
        world.advance(2 * 24 * HOUR - 60);
        assert!(uses(&sessions, &mut jar).await.0);
        world.advance(120);
        assert!(!uses(&sessions, &mut jar).await.0);
    }
}

#[tokio::test]
async fn remember_me_lasts_for_30_days_without_a_visit_and_180_with_them() {
    let world = World::new();
    for [sessions, _] in all(&world, &Lifetimes::remember_me()) {
        let (mut jar, _) = log_in(&sessions, |login| login).await;
        for _ in 0..5 {
            world.advance(30 * 24 * HOUR);
            assert!(uses(&sessions, &mut jar).await.0);
        }
        world.advance(30 * 24 * HOUR);
        assert!(!uses(&sessions, &mut jar).await.0);
    }
}

#[tokio::test]
async fn a_guest_s_session_ends_after_a_day_whatever_refreshes_it() {
    let world = World::new();
    let lifetimes = Lifetimes::sliding(seconds(7 * 24 * HOUR));
    for [sessions, _] in all(&world, &lifetimes) {
        let mut jar = Jar::default();
        let trip = request(&sessions, &jar).await;
        trip.visit(|| user("guest")).await.unwrap();
        jar.keep(&trip.close(&()));
        world.advance(24 * HOUR - 60);
        assert!(uses(&sessions, &mut jar).await.0);
        world.advance(60);
        assert!(!uses(&sessions, &mut jar).await.0);
    }
}
