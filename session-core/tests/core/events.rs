//! What an auditor sees.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use session_core::store::SessionLimit;
use session_core::testing::TestRequest;
use session_core::{Revalidation, SessionEvent, SessionManager, SessionManagerBuilder};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, User, World, user};

#[tokio::test]
async fn a_life_leaves_its_trace() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/"));
    session.update(|user| user.visits += 1).await.unwrap();
    world.advance(60);
    session.refresh().await.unwrap();
    session.destroy().await.unwrap();
    assert_eq!(world.event_names(), ["created", "updated", "refreshed", "destroyed"]);
    let events = world.events.lock().unwrap();
    assert!(events.iter().all(|event| event.subject.as_deref() == Some("ann")));
    assert!(events.iter().all(|event| event.session == events[0].session && event.session.is_some()));
}

#[tokio::test]
async fn an_event_names_the_client() {
    let world = World::new();
    let sessions = world.tracked();
    let request = TestRequest::new("POST", "/login")
        .header("user-agent", "Firefox\u{202e}")
        .from_peer([192, 0, 2, 7].into());
    let outcome = sessions.create_session(user("ann"), &request).await.unwrap();
    {
        let events = world.events.lock().unwrap();
        assert_eq!(events[0].ip_address, Some([192, 0, 2, 7].into()));
        assert_eq!(events[0].user_agent.as_deref(), Some("Firefox"));
    }
    let metadata = outcome.session.metadata().unwrap();
    assert_eq!(metadata.user_agent.as_deref(), Some("Firefox"));
}

#[tokio::test]
async fn a_forged_token_is_rejected_with_a_reason_and_without_its_text() {
    let world = World::new();
    let sessions = world.stateless();
    let request = TestRequest::new("GET", "/").cookie("__Host-session=forged.token.text");
    assert!(sessions.get_session(&request).await.unwrap().is_none());
    let events = world.events.lock().unwrap();
    assert_eq!(events[0].kind.as_str(), "rejected");
    assert!(!format!("{:?}", events[0]).contains("forged"));
}

const NOBODY: Option<&str> = None;
const ANN: Option<&str> = Some("ann");
const EVE: Option<&str> = Some("eve");

/// A world in which ann and then eve have logged in, and a request that shows the cookies of both: it is eve's.
struct Audit {
    world: World,
    store: Faulty,
    sessions: SessionManager<User>,
    ann: Browser,
    eve: Browser,
    named: BTreeSet<&'static str>,
}

impl Audit {
    async fn of(
        world: World,
        configure: impl FnOnce(SessionManagerBuilder<User>, Faulty) -> SessionManagerBuilder<User>,
    ) -> Self {
        let store = Faulty::default();
        let sessions = configure(world.builder(), store.clone()).build().unwrap();
        let ann = Browser::login(&sessions, user("ann")).await;
        world.advance(1);
        let eve = Browser::login(&sessions, user("eve")).await;
        world.events.lock().unwrap().clear();
        Self { world, store, sessions, ann, eve, named: BTreeSet::new() }
    }

    fn both(&self) -> Trip {
        let session = Trip::of(&self.sessions);
        session
            .receive(&Browser::holding(&format!("{}; {}", self.ann.cookie(), self.eve.cookie())).post("/"));
        session
    }

    async fn opened(&self) -> Trip {
        let session = self.both();
        session.open().await.unwrap();
        assert_eq!(session.user().unwrap().user_id, "eve");
        session
    }

    fn is_tracked(&self) -> bool {
        format!("{:?}", self.sessions).contains("tracked: true")
    }

    /// Takes what was told, in whatever order.
    #[track_caller]
    fn told(&mut self, expected: &[(&'static str, Option<&str>)]) {
        let events = std::mem::take(&mut *self.world.events.lock().unwrap());
        let pair = |event: &SessionEvent| (event.kind.as_str(), event.subject.clone());
        let told: BTreeSet<_> = events.iter().map(pair).collect();
        let pair = |(kind, subject): &(&'static str, Option<&str>)| (*kind, subject.map(str::to_owned));
        assert_eq!(told, expected.iter().map(pair).collect(), "{:?}", self.sessions);
        assert_eq!(events.len(), expected.len(), "{events:?}");
        self.named.extend(expected.iter().map(|(kind, _)| kind));
    }

    /// Everybody logs in anew.
    async fn again(&mut self) {
        self.ann = Browser::login(&self.sessions, user("ann")).await;
        self.world.advance(1);
        self.eve = Browser::login(&self.sessions, user("eve")).await;
        self.world.events.lock().unwrap().clear();
    }
}

/// A request that shows tokens of two accounts ends, refuses or changes sessions of both; the trail never files one
/// under the other.
#[tokio::test]
async fn each_event_names_the_account_of_its_session_or_none() {
    let mut kinds = BTreeSet::new();
    for is_tracked in [false, true] {
        let configure = |builder: SessionManagerBuilder<User>, store| match is_tracked {
            true => builder.store(store),
            false => builder,
        };
        let mut audit = Audit::of(World::new(), configure).await;
        assert_eq!(audit.is_tracked(), is_tracked);
        logins_and_logouts(&mut audit).await;
        changes(&mut audit).await;
        refusals(&mut audit).await;
        if is_tracked {
            replays(&mut audit).await;
            revocations(&mut audit).await;
            outages(&mut audit).await;
        }
        kinds.append(&mut audit.named);
        disabled(is_tracked).await;
    }
    // Of a full list of ended ids `session_core::session::stateless` has a test.
    let all = [
        "created",
        "destroyed",
        "expired",
        "logout_without_session",
        "refreshed",
        "rejected",
        "replay_detected",
        "revoked",
        "store_failed",
        "updated",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

async fn logins_and_logouts(audit: &mut Audit) {
    audit.both().create(user("bob")).await.unwrap();
    audit.told(&[("created", Some("bob")), ("revoked", ANN), ("revoked", EVE)]);
    audit.again().await;
    audit.opened().await.create(user("bob")).await.unwrap();
    audit.told(&[("created", Some("bob")), ("revoked", ANN), ("revoked", EVE)]);
    audit.again().await;
    audit.both().destroy().await.unwrap();
    audit.told(&[("destroyed", ANN), ("destroyed", EVE)]);
    audit.both().destroy().await.unwrap();
    audit.told(&[("logout_without_session", NOBODY)]);
    audit.again().await;
    audit.opened().await.destroy().await.unwrap();
    audit.told(&[("destroyed", ANN), ("destroyed", EVE)]);
    audit.again().await;
}

async fn changes(audit: &mut Audit) {
    audit.world.advance(60);
    audit.opened().await.update(|user| user.visits += 1).await.unwrap();
    audit.told(&[("updated", EVE)]);
    audit.opened().await.refresh().await.unwrap();
    audit.told(&[("refreshed", EVE)]);
    audit.again().await;
    audit.opened().await.reauthenticate().await.unwrap();
    match audit.is_tracked() {
        true => audit.told(&[("created", EVE), ("revoked", EVE)]),
        false => audit.told(&[("created", EVE), ("revoked", EVE), ("revoked", ANN)]),
    }
    audit.again().await;
}

async fn refusals(audit: &mut Audit) {
    let session = Trip::of(&audit.sessions);
    session.receive(&audit.eve.post("/").header("sec-fetch-site", "cross-site"));
    assert!(session.open().await.is_err());
    audit.told(&[("rejected", NOBODY)]);
    let session = Trip::of(&audit.sessions);
    session.receive(&Browser::holding(&format!("{}; {}x", audit.eve.cookie(), audit.ann.cookie())).get("/"));
    session.open().await.unwrap();
    audit.told(&[("rejected", NOBODY)]);
    audit.world.advance(86_400);
    assert!(audit.both().open().await.is_err());
    match audit.is_tracked() {
        true => audit.told(&[("expired", NOBODY), ("expired", NOBODY)]),
        false => audit.told(&[("expired", ANN), ("expired", EVE)]),
    }
    audit.again().await;
}

async fn replays(audit: &mut Audit) {
    let replaced = async |audit: &mut Audit| {
        audit.again().await;
        let mut new = audit.ann.clone();
        audit.world.advance(86_400 - 600);
        for _ in 0..2 {
            new.who(&audit.sessions).await;
        }
        audit.world.advance(60);
        audit.eve = Browser::login(&audit.sessions, user("eve")).await;
        audit.world.events.lock().unwrap().clear();
    };
    replaced(audit).await;
    assert_eq!(audit.ann.clone().who(&audit.sessions).await, None);
    audit.told(&[("replay_detected", ANN)]);
    replaced(audit).await;
    audit.opened().await.destroy().await.unwrap();
    audit.told(&[("destroyed", EVE), ("replay_detected", ANN)]);
    replaced(audit).await;
    audit.opened().await.create(user("bob")).await.unwrap();
    audit.told(&[("created", Some("bob")), ("revoked", EVE), ("replay_detected", ANN)]);
    audit.again().await;
}

async fn revocations(audit: &mut Audit) {
    let device = audit.sessions.list_account("ann").await.unwrap().remove(0).id;
    assert!(!audit.opened().await.revoke(&device).await.unwrap());
    audit.told(&[]);
    assert!(audit.sessions.revoke_session("ann", &device).await.unwrap());
    audit.told(&[("revoked", ANN)]);
    audit.again().await;
    let _ = audit.sessions.revoke_account("ann").await.unwrap();
    assert_eq!(audit.world.event_names(), ["revoked"]);
    audit.told(&[("revoked", ANN)]);
    audit.sessions.revoke_everyone().await.unwrap();
    audit.told(&[("revoked", NOBODY)]);
    audit.again().await;
    let evicting = audit.world.builder().store(audit.store.clone());
    let evicting = evicting.session_limit(SessionLimit::EvictLeastRecentlySeen(1)).build().unwrap();
    let _ = evicting.create_session(user("ann"), &audit.eve.post("/login")).await.unwrap();
    audit.told(&[("created", ANN), ("revoked", ANN), ("revoked", EVE)]);
    audit.again().await;
}

async fn outages(audit: &mut Audit) {
    audit.store.down.store(true, Ordering::SeqCst);
    assert!(audit.both().open().await.is_err());
    audit.told(&[("store_failed", NOBODY)]);
    audit.store.down.store(false, Ordering::SeqCst);
}

async fn disabled(is_tracked: bool) {
    let configure = |builder: SessionManagerBuilder<User>, store| {
        let builder = builder.revalidate(async |_| Revalidation::End);
        if is_tracked { builder.store(store) } else { builder }
    };
    let mut audit = Audit::of(World::new(), configure).await;
    audit.world.advance(86_400 - 600);
    assert!(audit.both().open().await.is_err());
    audit.told(&[("revoked", ANN), ("revoked", EVE)]);
}
