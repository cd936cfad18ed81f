//! actix-session's store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_session::storage::{RedisSessionStore, SessionKey, SessionStore as _};
use time::Duration;

use super::{READ, Subject, user};

pub async fn redis(url: &str) -> RedisSessionStore {
    RedisSessionStore::new(url).await.expect("a connection")
}

#[must_use]
pub fn subject(name: &'static str, store: RedisSessionStore) -> Subject {
    let (next, keys) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::<String>::new())));
    let login = {
        let (store, keys) = (store.clone(), Arc::clone(&keys));
        move || {
            let (store, keys) = (store.clone(), Arc::clone(&keys));
            let number = next.fetch_add(1, Ordering::Relaxed);
            async move {
                let user = serde_json::to_string(&user(number)).expect("plain data");
                let state = HashMap::from([("user".to_owned(), user)]);
                let key = store.save(state, &Duration::DAY).await.expect("an answer");
                if number < READ {
                    keys.lock().unwrap_or_else(PoisonError::into_inner).push(key.into());
                }
            }
        }
    };
    let load = move |nth| {
        let store = store.clone();
        let key = keys.lock().unwrap_or_else(PoisonError::into_inner)[nth as usize].clone();
        async move {
            let key = SessionKey::try_from(key).expect("a key");
            let state = store.load(&key).await.expect("an answer").expect("a session");
            assert!(state.contains_key("user"));
        }
    };
    Subject::new(name, load, login)
}

pub async fn filled(name: &'static str, store: RedisSessionStore) -> Subject {
    let subject = subject(name, store);
    subject.fill(READ).await;
    subject
}
