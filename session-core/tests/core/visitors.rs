//! Somebody who is not logged in and has something to keep.

use session_core::store::SessionStore as _;
use session_core::{Authenticated, ErrorKind, Fresh, Level, SessionError, SessionManager, Visitor};

use crate::jar::Jar;
use crate::support::{Browser, Trip, User, World, user};

async fn request(sessions: &SessionManager<User>, jar: &Jar) -> Trip {
    let trip = Trip::of(sessions);
    trip.receive(&jar.post("/"));
    let _ = trip.open().await;
    trip
}

async fn visit(sessions: &SessionManager<User>, jar: &mut Jar) -> Result<u64, SessionError> {
    let trip = request(sessions, jar).await;
    let visited = trip.visit(|| user("guest")).await;
    jar.keep(&trip.close(&()));
    visited.map(|guest| guest.visits)
}

fn kind<T>(result: Result<T, SessionError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

in_every_mode! {
    async fn a_visitor_without_a_session_gets_one_and_keeps_it(_world, sessions) {
        let mut jar = Jar::default();
        assert_eq!(visit(&sessions, &mut jar).await.unwrap(), 0);
        let trip = request(&sessions, &jar).await;
        trip.update(|guest| guest.visits = 7).await.unwrap();
        jar.keep(&trip.close(&()));
        let before = jar.value("__Host-session").map(str::to_owned);
        assert_eq!(visit(&sessions, &mut jar).await.unwrap(), 7);
        assert_eq!(jar.value("__Host-session").map(str::to_owned), before);
    }

    async fn nobody_gets_one_who_does_not_ask(_world, sessions) {
        let trip = request(&sessions, &Jar::default()).await;
        assert_eq!(kind(trip.extract::<Visitor<User>>().await), Some(ErrorKind::NotFound));
        assert!(trip.close(&()).set_cookie().is_none());
    }

    async fn a_visitor_passes_the_guard_of_visitors_and_no_other(_world, sessions) {
        let mut jar = Jar::default();
        visit(&sessions, &mut jar).await.unwrap();
        let trip = request(&sessions, &jar).await;
        assert_eq!(trip.extract::<Visitor<User>>().await.unwrap().user_id, "guest");
        assert_eq!(kind(trip.extract::<Authenticated<User>>().await), Some(ErrorKind::NotFound));
        assert_eq!(kind(trip.extract::<Fresh<User, 300>>().await), Some(ErrorKind::NotFound));
        assert_eq!(kind(trip.extract::<Level<User, 0>>().await), Some(ErrorKind::NotFound));
        let status = trip.status();
        assert!(status.is_guest && status.is_valid);
    }

    async fn somebody_who_is_logged_in_stays_that(_world, sessions) {
        let mut jar = Jar::default();
        jar.log_in(&sessions, user("ann")).await;
        let trip = request(&sessions, &jar).await;
        assert_eq!(trip.visit(|| user("guest")).await.unwrap().user_id, "ann");
        assert_eq!(trip.extract::<Visitor<User>>().await.unwrap().user_id, "ann");
        assert!(!trip.status().is_guest);
    }

    async fn a_login_ends_the_visit_and_carries_nothing_over(_world, sessions) {
        let mut jar = Jar::default();
        visit(&sessions, &mut jar).await.unwrap();
        let old = jar.clone();
        let trip = request(&sessions, &jar).await;
        trip.create(user("ann")).await.unwrap();
        jar.keep(&trip.close(&()));
        assert!(request(&sessions, &old).await.user().is_none());
        assert_eq!(request(&sessions, &jar).await.user().unwrap().visits, 0);
    }

    async fn a_visitor_with_an_account_is_a_mistake(_world, sessions) {
        let trip = request(&sessions, &Jar::default()).await;
        let error = trip.visit(|| user("ann")).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Misuse && error.to_string().contains("Session::create"), "{error}");
        assert!(trip.close(&()).set_cookie().is_none());
    }

    async fn a_login_that_waits_for_its_second_factor_is_no_visit(_world, sessions) {
        let mut jar = Jar::default();
        let trip = request(&sessions, &jar).await;
        trip.create(user("ann")).level(0).await.unwrap();
        jar.keep(&trip.close(&()));
        assert_eq!(kind(visit(&sessions, &mut jar).await), Some(ErrorKind::LoginIncomplete));
    }
}

/// While a deploy is rolled out: a node with the old program gets a visit.
#[tokio::test]
async fn a_visit_ends_no_session_that_cannot_be_read_here() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let mut record = world.records(&sessions, "ann").await.remove(0);
    record.payload = br#"{"another":"shape"}"#.to_vec();
    record.version += 1;
    world.store.replace(sessions.realm(), &record, world.now()).await.unwrap();
    let trip = Trip::of(&sessions);
    trip.receive(&browser.get("/shop"));
    assert_eq!(kind(trip.visit(|| user("guest")).await), Some(ErrorKind::Invalid));
    assert!(trip.close(&()).set_cookie().is_none());
    assert_eq!(world.records(&sessions, "ann").await.len(), 1);
}
