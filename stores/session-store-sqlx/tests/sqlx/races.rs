//! Many callers at once, as in a fleet: through two stores that know nothing of each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use session_core::store::{Account, Create, Created, Key, Replaced, SessionLimit, SessionStore};

use crate::backend::{Backend, REALM, login, now};
use crate::schema::on_every_database;

on_every_database! {
    fifty_logins_over_two_processes_keep_the_limit
    sixty_four_increments_over_two_processes_all_count
    neighbouring_accounts_log_in_and_out_at_once
}

async fn two_stores<B: Backend>() -> Option<(B, [Arc<dyn SessionStore>; 2])> {
    let backend = B::start()?;
    let (options, _) = backend.options();
    let stores = [backend.connect(options.clone()).await.unwrap(), backend.connect(options).await.unwrap()];
    Some((backend, stores))
}

async fn fifty_logins_over_two_processes_keep_the_limit<B: Backend>() {
    let Some((_backend, [here, there])) = two_stores::<B>().await else { return };
    fifty_logins(&[here, there]).await;
}

pub(crate) async fn fifty_logins_of_one_account(store: Arc<dyn SessionStore>) {
    fifty_logins(&[store]).await;
}

async fn fifty_logins(stores: &[Arc<dyn SessionStore>]) {
    let options = Create { replaces: None, limit: Some(SessionLimit::EvictOldest(5)) };
    let logins = (0..50).zip(stores.iter().cycle().cloned()).map(|(_, store)| {
        tokio::spawn(async move { store.create(REALM, &login("ann"), options, now()).await.unwrap() })
    });
    let mut evicted = BTreeSet::new();
    for login in join_all(logins).await {
        let Created::Done { evicted: some } = login.unwrap() else { panic!("no login fails") };
        some.into_iter().for_each(|id| assert!(evicted.insert(id), "evicted twice"));
    }
    let left = stores[0].list(Account { realm: REALM, subject: "ann" }, now()).await.unwrap();
    assert_eq!((left.len(), evicted.len()), (5, 45));
    let options = Create { replaces: None, limit: Some(SessionLimit::Refuse(5)) };
    let answer = stores[0].create(REALM, &login("ann"), options, now()).await.unwrap();
    assert_eq!(answer, Created::LimitReached);
}

async fn sixty_four_increments_over_two_processes_all_count<B: Backend>() {
    let Some((_backend, stores)) = two_stores::<B>().await else { return };
    let record = login("ann");
    stores[0].create(REALM, &record, Create::default(), now()).await.unwrap();
    let key = Key { realm: REALM, id: record.id };
    let increments = (0..64).map(|at| {
        let store = stores[at % 2].clone();
        tokio::spawn(async move {
            loop {
                let mut next = store.read(key, now()).await.unwrap().unwrap();
                next.version += 1;
                next.generation += 1;
                match store.replace(REALM, &next, now()).await.unwrap() {
                    Replaced::Done => return,
                    Replaced::Conflict => {}
                    Replaced::Gone => panic!("nobody deleted it"),
                }
            }
        })
    });
    for increment in join_all(increments).await {
        increment.unwrap();
    }
    let counted = stores[0].read(key, now()).await.unwrap().unwrap();
    assert_eq!((counted.generation, counted.version), (64, 64));
}

/// What locks on ranges would make a deadlock of.
async fn neighbouring_accounts_log_in_and_out_at_once<B: Backend>() {
    let Some((_backend, stores)) = two_stores::<B>().await else { return };
    let options = Create { replaces: None, limit: Some(SessionLimit::EvictOldest(2)) };
    let accounts = (0..32).map(|at| {
        let (store, subject) = (stores[at % 2].clone(), format!("user-{}", at / 2));
        tokio::spawn(async move {
            for _ in 0..5 {
                let record = login(&subject);
                store.create(REALM, &record, options, now()).await.unwrap();
                store.delete(Key { realm: REALM, id: record.id }).await.unwrap();
                store.create(REALM, &login(&subject), options, now()).await.unwrap();
                let account = Account { realm: REALM, subject: &subject };
                store.delete_account(account, None, now()).await.unwrap();
                store.delete_expired(now(), 10).await.unwrap();
            }
        })
    });
    for account in join_all(accounts).await {
        account.unwrap();
    }
}
