//! A payload without a subject is a guest's: there is a session, and nobody is logged in.

use session_core::testing::TestRequest;
use session_core::{
    Authenticated, ErrorKind, Fresh, Guard, MaybeAuthenticated, Session, SessionError, SessionManager,
    adapter::routes,
};

use crate::support::{Browser, Trip, User, World, seconds, user};

/// A guard of an application's own, in three makes.
struct OnAuthenticated;
struct OnRequireUser;
struct OnRequireFresh;

macro_rules! guard {
    ($name:ident, $session:ident => $check:expr) => {
        impl Guard for $name {
            type Payload = User;

            async fn check($session: Session<User>) -> Result<Self, SessionError> {
                $check;
                Ok(Self)
            }
        }
    };
}
guard!(OnAuthenticated, session => Authenticated::check(session).await?);
guard!(OnRequireUser, session => session.require_user()?);
guard!(OnRequireFresh, session => session.require_fresh(seconds(300)).await?);

async fn refusal<G: Guard<Payload = User>>(sessions: &SessionManager<User>, request: &TestRequest) -> u16 {
    let session = Trip::of(sessions);
    session.receive(request);
    session.extract::<G>().await.map(drop).map_or_else(|error| error.to_response().status, |()| 200)
}

/// All three modes.
fn modes(world: &World) -> [SessionManager<User>; 3] {
    let builder = || world.builder().login_page("/login");
    let (store, bound) = (world.store.clone(), seconds(30));
    [
        builder().build().unwrap(),
        builder().store(store.clone()).build().unwrap(),
        builder().store(store).hybrid(bound).build().unwrap(),
    ]
}

#[tokio::test]
async fn a_guest_passes_no_guard_that_asks_for_a_user() {
    let world = World::new();
    for sessions in modes(&world) {
        for (name, expected) in [("guest", 401), ("ann", 200)] {
            let browser = Browser::login(&sessions, user(name)).await;
            for _ in 0..2 {
                let request = browser.get("/");
                assert_eq!(refusal::<Authenticated<User>>(&sessions, &request).await, expected, "{name}");
                assert_eq!(refusal::<Fresh<User, 300>>(&sessions, &request).await, expected, "{name}");
                assert_eq!(refusal::<OnAuthenticated>(&sessions, &request).await, expected, "{name}");
                assert_eq!(refusal::<OnRequireUser>(&sessions, &request).await, expected, "{name}");
                assert_eq!(refusal::<OnRequireFresh>(&sessions, &request).await, expected, "{name}");
                assert_eq!(refusal::<Session<User>>(&sessions, &request).await, 200, "{name}");
                assert_eq!(refusal::<MaybeAuthenticated<User>>(&sessions, &request).await, 200, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_guest_is_answered_as_nobody_and_a_navigation_goes_to_the_login_page() {
    let world = World::new();
    for sessions in modes(&world) {
        let guest = Browser::login(&sessions, user("guest")).await;
        let session = Trip::of(&sessions);
        session.receive(&guest.get("/"));
        let error = session.extract::<Authenticated<User>>().await.map(drop).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "SESSION_NOT_FOUND"));
        let navigation = guest.get("/account").header("sec-fetch-mode", "navigate");
        assert_eq!(refusal::<Authenticated<User>>(&sessions, &navigation).await, 303);
        assert_eq!(refusal::<Fresh<User, 300>>(&sessions, &navigation).await, 303);
    }
}

#[tokio::test]
async fn a_guest_keeps_its_session_and_the_optional_guard_is_empty_for_it() {
    let world = World::new();
    for sessions in modes(&world) {
        let guest = Browser::login(&sessions, user("guest")).await;
        let session = Trip::of(&sessions);
        session.receive(&guest.post("/"));
        let maybe = session.extract::<MaybeAuthenticated<User>>().await.unwrap();
        assert_eq!(maybe.user(), None);
        assert_eq!(maybe.session().user().unwrap().user_id, "guest");
        assert_eq!(maybe.into_inner(), None);
        assert_eq!(session.update(|user| user.visits += 1).await.unwrap().visits, 1);
        assert!(session.status().is_valid);
    }
}

#[tokio::test]
async fn a_guest_may_end_its_own_session_whatever_a_revocation_asks_for() {
    let world = World::new();
    let sessions =
        world.builder().store(world.store.clone()).fresh_for_revocation(seconds(300)).build().unwrap();
    let (guest, mut other) =
        (Browser::login(&sessions, user("guest")).await, Browser::login(&sessions, user("guest")).await);
    world.advance(600);
    let answer = async |method: &str, path: &str| {
        let session = Trip::of(&sessions);
        session.receive(&guest.request(method, path));
        let response = routes::answer(session.incoming(), method, path).await;
        (response.status, String::from_utf8(response.body).unwrap())
    };
    assert_eq!(answer("POST", "/revoke-others").await, (200, r#"{"revoked":0}"#.to_owned()));
    let (status, list) = answer("GET", "/list").await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, list.as_array().unwrap().len()), (200, 1));
    assert_eq!(answer("DELETE", "/list/somebody").await.0, 404);
    let own = format!("/list/{}", list[0]["id"].as_str().unwrap());
    assert_eq!(answer("DELETE", &own).await.0, 204);
    assert_eq!(guest.clone().who(&sessions).await, None);
    assert_eq!(other.who(&sessions).await.as_deref(), Some("guest"));
}
