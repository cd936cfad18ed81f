//! Half logged in, and stepping up.

use session_core::store::SessionLimit;
use session_core::testing::TestRequest;
use session_core::{
    Authenticated, ErrorKind, Fresh, Guard, Level, MaybeAuthenticated, NotImpersonated, Pending,
    SessionError, SessionManager, Visitor,
};

use crate::jar::Jar;
use crate::support::{Trip, User, World, seconds, user};

async fn request(sessions: &SessionManager<User>, jar: &Jar) -> Trip {
    let trip = Trip::of(sessions);
    trip.receive(&jar.post("/"));
    let _ = trip.open().await;
    trip
}

/// The password was right.
async fn first_factor(sessions: &SessionManager<User>) -> Jar {
    let mut jar = Jar::default();
    let trip = request(sessions, &jar).await;
    trip.create(user("ann")).level(0).methods(["pwd"]).await.unwrap();
    jar.keep(&trip.close(&()));
    jar
}

async fn second_factor(sessions: &SessionManager<User>, jar: &mut Jar) -> Result<(), SessionError> {
    let trip = request(sessions, jar).await;
    let completed = trip.complete(["otp"]).await;
    jar.keep(&trip.close(&()));
    completed.map(drop)
}

async fn refusal<G: Guard<Payload = User>>(sessions: &SessionManager<User>, jar: &Jar) -> Option<ErrorKind> {
    kind(request(sessions, jar).await.extract::<G>().await)
}

fn kind<T>(result: Result<T, SessionError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

in_every_mode! {
    async fn a_login_of_level_0_is_let_in_where_it_is_completed_and_nowhere_else(_world, sessions) {
        let jar = first_factor(&sessions).await;
        let incomplete = Some(ErrorKind::LoginIncomplete);
        assert_eq!(refusal::<Pending<User>>(&sessions, &jar).await, None);
        assert_eq!(refusal::<Authenticated<User>>(&sessions, &jar).await, incomplete);
        assert_eq!(refusal::<Fresh<User, 300>>(&sessions, &jar).await, incomplete);
        assert_eq!(refusal::<Level<User, 0>>(&sessions, &jar).await, incomplete);
        assert_eq!(refusal::<NotImpersonated<User>>(&sessions, &jar).await, incomplete);
        assert_eq!(refusal::<Visitor<User>>(&sessions, &jar).await, incomplete);
        let trip = request(&sessions, &jar).await;
        assert!(trip.extract::<MaybeAuthenticated<User>>().await.unwrap().user().is_none());
        assert!(trip.user().is_none() && trip.still_open().await.unwrap().is_none());
        assert_eq!(trip.require_user().unwrap_err().code(), "LOGIN_INCOMPLETE");
        assert_eq!(kind(trip.reauthenticate().await), incomplete);
        assert_eq!(kind(trip.step_up(["otp"], 2).await), incomplete);
    }

    async fn its_payload_is_changed_by_who_completes_it_and_by_nobody_else(_world, sessions) {
        let mut jar = first_factor(&sessions).await;
        let trip = request(&sessions, &jar).await;
        assert_eq!(kind(trip.update(|user| user.visits += 1).await), Some(ErrorKind::LoginIncomplete));
        let pending = trip.extract::<Pending<User>>().await.unwrap();
        assert_eq!(pending.update(|user| user.visits += 1).await.unwrap().visits, 1);
        jar.keep(&trip.close(&()));
        second_factor(&sessions, &mut jar).await.unwrap();
        assert_eq!(request(&sessions, &jar).await.user().unwrap().visits, 1);
    }

    async fn its_status_is_that_of_nobody_and_says_why(_world, sessions) {
        let jar = first_factor(&sessions).await;
        let status = request(&sessions, &jar).await.status();
        assert_eq!((status.is_valid, status.reason, status.level), (false, Some(ErrorKind::LoginIncomplete), Some(0)));
    }

    async fn completing_it_makes_a_new_id_and_adds_the_method(_world, sessions) {
        let mut jar = first_factor(&sessions).await;
        let old = jar.clone();
        second_factor(&sessions, &mut jar).await.unwrap();
        let trip = request(&sessions, &jar).await;
        assert_eq!(trip.extract::<Authenticated<User>>().await.unwrap().user_id, "ann");
        let status = trip.status();
        assert_eq!((status.level, status.methods), (Some(1), vec!["pwd".to_owned(), "otp".to_owned()]));
        assert_eq!(refusal::<Pending<User>>(&sessions, &old).await, Some(ErrorKind::NotFound));
    }

    async fn a_completed_login_waits_for_nothing(_world, sessions) {
        let mut jar = first_factor(&sessions).await;
        second_factor(&sessions, &mut jar).await.unwrap();
        assert_eq!(kind(second_factor(&sessions, &mut jar.clone()).await), Some(ErrorKind::Forbidden));
        assert_eq!(refusal::<Pending<User>>(&sessions, &jar).await, Some(ErrorKind::Forbidden));
        assert_eq!(refusal::<Pending<User>>(&sessions, &Jar::default()).await, Some(ErrorKind::NotFound));
    }

    async fn it_waits_for_a_quarter_of_an_hour_and_then_for_nothing(world, sessions) {
        let mut jar = first_factor(&sessions).await;
        world.advance(15 * 60 - 1);
        assert_eq!(refusal::<Pending<User>>(&sessions, &jar).await, None);
        world.advance(1);
        assert_eq!(kind(second_factor(&sessions, &mut jar).await), Some(ErrorKind::Expired));
    }

    async fn a_completed_login_lives_as_long_as_any(_world, sessions) {
        let mut jar = first_factor(&sessions).await;
        second_factor(&sessions, &mut jar).await.unwrap();
        assert_eq!(request(&sessions, &jar).await.status().remaining_time, seconds(86_400));
    }

    async fn a_level_is_raised_with_a_new_id_and_never_lowered(_world, sessions) {
        let mut jar = Jar::default();
        jar.log_in(&sessions, user("ann")).await;
        let old = jar.clone();
        assert_eq!(refusal::<Level<User, 1>>(&sessions, &jar).await, None);
        assert_eq!(refusal::<Level<User, 2>>(&sessions, &jar).await, Some(ErrorKind::StepUpRequired));
        for (level, then) in [(2, 2), (1, 2), (3, 3)] {
            let trip = request(&sessions, &jar).await;
            trip.step_up(["hwk"], level).await.unwrap();
            jar.keep(&trip.close(&()));
            assert_eq!(request(&sessions, &jar).await.status().level, Some(then));
        }
        assert_eq!(refusal::<Level<User, 3>>(&sessions, &jar).await, None);
        assert_eq!(refusal::<Authenticated<User>>(&sessions, &old).await, Some(ErrorKind::NotFound));
    }

    async fn no_reauthentication_lowers_a_level_and_the_newest_proof_is_kept(_world, sessions) {
        let mut jar = Jar::default();
        let trip = request(&sessions, &jar).await;
        let eight = (0..8).map(|n| format!("m{n}"));
        trip.create(user("ann")).level(3).methods(eight).await.unwrap();
        jar.keep(&trip.close(&()));
        let trip = request(&sessions, &jar).await;
        trip.reauthenticate().level(0).methods(["hwk"]).await.unwrap();
        jar.keep(&trip.close(&()));
        let status = request(&sessions, &jar).await.status();
        assert_eq!((status.level, status.methods.len()), (Some(3), 8));
        assert_eq!(status.methods.last().map(String::as_str), Some("hwk"));
    }

    async fn nobody_steps_up_without_a_session(_world, sessions) {
        let trip = request(&sessions, &Jar::default()).await;
        assert_eq!(kind(trip.step_up(["otp"], 2).await), Some(ErrorKind::NotFound));
        assert_eq!(kind(trip.complete(["otp"]).await), Some(ErrorKind::NotFound));
    }

    async fn a_bad_method_or_nobody_s_code_completes_nothing(_world, sessions) {
        let jar = first_factor(&sessions).await;
        let trip = request(&sessions, &jar).await;
        assert_eq!(kind(trip.complete([""]).await), Some(ErrorKind::Misuse));
        assert_eq!(refusal::<Pending<User>>(&sessions, &jar).await, None);
    }

    async fn another_login_ends_one_that_waits(_world, sessions) {
        let mut jar = first_factor(&sessions).await;
        let old = jar.clone();
        let trip = request(&sessions, &jar).await;
        trip.create(user("ann")).await.unwrap();
        jar.keep(&trip.close(&()));
        assert_eq!(refusal::<Pending<User>>(&sessions, &old).await, Some(ErrorKind::NotFound));
    }
}

#[tokio::test]
async fn a_login_that_waits_neither_lists_nor_ends_others_and_counts_towards_no_limit() {
    let world = World::new();
    let one = SessionLimit::EvictLeastRecentlySeen(1);
    let sessions = world.builder().store(world.store.clone()).session_limit(one).build().unwrap();
    let mut full = Jar::default();
    full.log_in(&sessions, user("ann")).await;
    world.advance(60);
    let mut waits = first_factor(&sessions).await;
    assert_eq!(refusal::<Authenticated<User>>(&sessions, &full).await, None);
    let trip = request(&sessions, &waits).await;
    let incomplete = Some(ErrorKind::LoginIncomplete);
    assert_eq!(kind(trip.list().await), incomplete);
    assert_eq!(kind(trip.revoke_others().await), incomplete);
    assert_eq!(kind(trip.revoke_all().await), incomplete);
    // From here on it counts, and there is room for one.
    second_factor(&sessions, &mut waits).await.unwrap();
    assert_eq!(refusal::<Authenticated<User>>(&sessions, &full).await, Some(ErrorKind::NotFound));
    assert_eq!(refusal::<Authenticated<User>>(&sessions, &waits).await, None);
}

#[tokio::test]
async fn a_bearer_request_is_told_what_is_missing() {
    let world = World::new();
    for builder in [world.builder(), world.builder().store(world.store.clone())] {
        let sessions = builder.bearer(true).build().unwrap();
        let token = async |level| {
            let outcome = sessions.create_session(user("ann"), &TestRequest::new("POST", "/login"));
            outcome.level(level).await.unwrap().token.unwrap().expose().to_owned()
        };
        let challenge = async |token: String, level: u8| {
            let trip = Trip::of(&sessions);
            trip.receive(&TestRequest::new("GET", "/").header("authorization", format!("Bearer {token}")));
            let error = match level {
                1 => trip.extract::<Authenticated<User>>().await.map(drop),
                _ => trip.extract::<Level<User, 2>>().await.map(drop),
            };
            let response = error.unwrap_err().to_response();
            let header = response.headers.iter().find(|(name, _)| *name == "www-authenticate");
            (response.status, header.map(|(_, value)| value.to_string()).unwrap_or_default())
        };
        let (status, said) = challenge(token(0).await, 1).await;
        assert!(
            status == 401
                && said.contains("insufficient_user_authentication")
                && said.contains(r#"acr_values="1""#),
            "{said}"
        );
        let (status, said) = challenge(token(1).await, 2).await;
        assert!(
            status == 403
                && said.contains("insufficient_user_authentication")
                && said.contains(r#"acr_values="2""#),
            "{said}"
        );
    }
}

#[tokio::test]
async fn without_a_framework_a_login_that_waits_is_nobody_until_it_is_asked_for() {
    let world = World::new();
    for sessions in world.all() {
        let jar = first_factor(&sessions).await;
        assert!(sessions.get_session(&jar.get("/")).await.unwrap().is_none());
        let slot = sessions.slot();
        let pending = slot.receive(&jar.post("/code")).extract::<Pending<User>>().await.unwrap();
        pending.session().complete(["otp"]).await.unwrap();
        let mut jar = jar;
        jar.keep(&slot.close(&()));
        assert!(sessions.get_session(&jar.get("/")).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_second_factor_lengthens_nothing_that_the_first_has_limited() {
    let world = World::new();
    for sessions in world.all() {
        let mut jar = Jar::default();
        let trip = request(&sessions, &jar).await;
        trip.create(user("ann")).level(0).remember(false).at_most(seconds(1800)).await.unwrap();
        jar.keep(&trip.close(&()));
        let trip = request(&sessions, &jar).await;
        trip.complete(["otp"]).await.unwrap();
        let changes = trip.close(&());
        assert!(!changes.set_cookie().unwrap().contains("Max-Age"));
        jar.keep(&changes);
        for (later, is_open) in [(1799, true), (1, false)] {
            world.advance(later);
            assert_eq!(request(&sessions, &jar).await.user().is_some(), is_open, "{later}");
        }
    }
}

/// An attempt is of one account, whichever verb it stands behind.
#[tokio::test]
async fn an_attempt_of_another_account_completes_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let bobs = sessions.attempt("bob").await.unwrap();
    let jar = first_factor(&sessions).await;
    let trip = request(&sessions, &jar).await;
    assert_eq!(kind(trip.complete(["otp"]).verified(bobs.clone()).await), Some(ErrorKind::Misuse));
    let own = sessions.attempt("ann").await.unwrap();
    trip.complete(["otp"]).verified(own).await.unwrap();
    assert_eq!(kind(trip.reauthenticate().verified(bobs.clone()).await), Some(ErrorKind::Misuse));
    assert_eq!(kind(trip.step_up(["hwk"], 2).verified(bobs).await), Some(ErrorKind::Misuse));
}
