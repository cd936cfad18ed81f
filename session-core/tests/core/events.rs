//! What an auditor sees.

use session_core::testing::TestRequest;

use crate::support::{Browser, World, user};

#[tokio::test]
async fn a_life_leaves_its_trace() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = sessions.slot();
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
