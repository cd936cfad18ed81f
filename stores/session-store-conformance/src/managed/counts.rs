//! What many requests do at once counts as if they had come one after the other.

use std::sync::Arc;

use session_core::store::{SessionLimit, SessionStore};
use session_core::testing::logged_in_cookie;
use session_core::{ErrorKind, SessionError};

use super::service::{Service, User, ann, request};
use crate::races::at_once;

/// All of them have read the same version before the first one writes.
pub async fn sixty_four_parallel_increments_all_count(store: Arc<dyn SessionStore>) {
    let service = Service::new(store);
    let cookie = service.login().await;
    let mut increments = Vec::new();
    for _ in 0..64 {
        let incoming = service.node().slot().receive(&request(&cookie));
        incoming.open().await.unwrap();
        let session = incoming.session();
        increments.push(async move { session.update(|user: &mut User| user.visits += 1).await.map(drop) });
    }
    at_once(increments).await.into_iter().for_each(|updated| updated.unwrap());
    let session = service.node().get_session(&request(&cookie)).await.unwrap().unwrap();
    assert_eq!(session.user().unwrap().visits, 64);
}

pub async fn fifty_logins_together_evict_down_to_the_limit(store: Arc<dyn SessionStore>) {
    let service = Service::new(store);
    let mut alive = 0;
    for cookie in fifty_logins(&service, SessionLimit::EvictLeastRecentlySeen(5)).await {
        alive += usize::from(service.is_logged_in(&cookie.unwrap()).await);
    }
    assert_eq!(alive, 5);
    assert_eq!(service.records().await.len(), 5);
}

pub async fn fifty_logins_together_are_refused_beyond_the_limit(store: Arc<dyn SessionStore>) {
    let service = Service::new(store);
    let mut alive = 0;
    for cookie in fifty_logins(&service, SessionLimit::Refuse(5)).await {
        match cookie {
            Ok(cookie) => {
                assert!(service.is_logged_in(&cookie).await);
                alive += 1;
            }
            Err(refused) => assert_eq!(refused.kind(), ErrorKind::SessionLimit),
        }
    }
    assert_eq!(alive, 5);
    assert_eq!(service.records().await.len(), 5);
}

/// Fifty browsers, each on a node of its own, with their cookies.
async fn fifty_logins(service: &Service, limit: SessionLimit) -> Vec<Result<String, SessionError>> {
    let logins = (0..50).map(|_| {
        let node = service.settings().session_limit(limit).build().unwrap();
        async move { logged_in_cookie(&node, ann()).await }
    });
    at_once(logins).await
}
