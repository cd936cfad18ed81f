//! What one store ends is heard by another, as long as its connection lives.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use redis::Client;
use session_core::SessionId;
use session_core::store::{
    Adopted, Adoption, Create, Invalidation, Replaces, SessionLimit, SessionStore, StoreError,
};
use session_store_redis::RedisStore;
use tokio::task::JoinHandle;

use crate::support::{
    Bench, Server, ask, done, evicting, needs_redis, random_id, random_id_of, replacing, run, wait_for,
};

/// How long news may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who listens to the realm of a bench, until the test ends.
pub(crate) struct Ear {
    news: Receiver<Invalidation>,
    call: JoinHandle<Result<(), StoreError>>,
}

impl Ear {
    /// Listens through `store`, and is sure to hear what happens from now on.
    pub(crate) fn of(bench: &Bench, store: RedisStore, servers: &[Server]) -> Self {
        let before = subscribers(bench, servers);
        let (tell, news) = channel();
        let realm = bench.realm.clone();
        let call = tokio::spawn(async move {
            store.listen(&realm, &move |news| tell.send(news).unwrap_or_default()).await
        });
        wait_for("the subscription", || subscribers(bench, servers) > before);
        Self { news, call }
    }

    pub(crate) fn hears(&self) -> Invalidation {
        self.news.recv_timeout(PATIENCE).unwrap()
    }

    fn hears_the_end_of(&self, ids: &[SessionId]) {
        for id in ids {
            assert_eq!(self.hears(), Invalidation::Ended(*id));
        }
    }

    /// What the call answered when its connection was lost.
    async fn lost(self) -> StoreError {
        tokio::time::timeout(PATIENCE, self.call).await.unwrap().unwrap().unwrap_err()
    }
}

fn subscribers(bench: &Bench, servers: &[Server]) -> usize {
    let on = |server: &Server| {
        ask::<(String, usize)>(
            &mut server.admin(),
            &["PUBSUB", "NUMSUB", &format!("session:{{{}}}", bench.realm)],
        )
        .1
    };
    servers.iter().map(on).sum()
}

/// Every way to end a session, each heard.
async fn every_end_is_heard(bench: &Bench, ear: &Ear) {
    let record = bench.stored("ann").await;
    assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
    ear.hears_the_end_of(&[record.id]);

    let (kept, one, two) = (bench.stored("ann").await, bench.stored("ann").await, bench.stored("ann").await);
    bench.store.delete_account(bench.account("ann"), Some(kept.id), crate::MARK, bench.now).await.unwrap();
    ear.hears_the_end_of(&[one.id, two.id]);

    let next = bench.login("ann");
    assert_ne!(bench.create(&next, evicting(1)).await, done());
    ear.hears_the_end_of(&[kept.id]);

    let (adopted, adoption) = (bench.login("ann"), Adoption::new(bench.now).limit(evicting(1).limit));
    let answer = bench.store.adopt(&bench.realm, &adopted, adoption, bench.now).await.unwrap();
    assert_eq!(answer, Adopted::Done { evicted: vec![next.id] });
    ear.hears_the_end_of(&[next.id]);
    let next = adopted;

    let (relogin, rotated) = (bench.login("ann"), bench.login("ann"));
    assert_eq!(bench.create(&relogin, replacing(Replaces::IfPresent(next.id))).await, done());
    ear.hears_the_end_of(&[next.id]);
    let rotation = Replaces::MustExist { id: relogin.id, version: relogin.version };
    assert_eq!(bench.create(&rotated, replacing(rotation)).await, done());
    ear.hears_the_end_of(&[relogin.id]);

    let (other, last) = (bench.stored("ann").await, bench.login("ann"));
    let both =
        Create::new(Some(Replaces::IfPresent(other.id)), Some(SessionLimit::EvictLeastRecentlySeen(1)));
    assert_ne!(bench.create(&last, both).await, done());
    ear.hears_the_end_of(&[rotated.id, other.id]);

    bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap();
    assert_eq!(ear.hears(), Invalidation::EveryoneEnded);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_is_heard_by_another_store() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let ear = Ear::of(&bench, server.store().await, std::slice::from_ref(server));
    every_end_is_heard(&bench, &ear).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_nothing_is_not_told() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let ear = Ear::of(&bench, server.store().await, std::slice::from_ref(server));
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 0, "there was nobody yet");
    let record = bench.stored("ann").await;
    assert!(!bench.store.delete(bench.key(random_id())).await.unwrap());
    bench.store.delete_account(bench.account("bob"), None, crate::MARK, bench.now).await.unwrap();
    bench.store.delete_account(bench.account("ann"), Some(record.id), crate::MARK, bench.now).await.unwrap();
    let unknown = bench.login("ann");
    assert_eq!(bench.create(&unknown, replacing(Replaces::IfPresent(random_id_of("ann")))).await, done());
    let refused = Create::new(Some(Replaces::IfPresent(record.id)), Some(SessionLimit::Refuse(0)));
    assert_ne!(bench.create(&bench.login("ann"), refused).await, done());
    let changed = crate::support::next(&record);
    bench.store.replace(&bench.realm, &changed, bench.now).await.unwrap();
    // Messages keep their order: whatever had been told would be heard before this.
    bench.store.delete(bench.key(unknown.id)).await.unwrap();
    ear.hears_the_end_of(&[unknown.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_realms_and_prefixes_are_not_heard() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let ear = Ear::of(&bench, server.store().await, std::slice::from_ref(server));
    let longer = Bench { realm: format!("{}2", bench.realm), ..bench.clone() };
    let prefixed = Bench { store: bench.store.clone().key_prefix("other").unwrap(), ..bench.clone() };
    for other in [&longer, &prefixed] {
        let record = other.stored("ann").await;
        other.store.delete(other.key(record.id)).await.unwrap();
        other.stored("ann").await;
        other.store.delete_realm(&other.realm, crate::MARK).await.unwrap();
    }
    let record = bench.stored("ann").await;
    bench.store.delete(bench.key(record.id)).await.unwrap();
    ear.hears_the_end_of(&[record.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_is_an_error_and_the_next_call_hears_again() {
    needs_redis!();
    let servers = [Server::start(&[])];
    let bench = Bench::new(servers[0].store().await);
    for _ in 0..3 {
        let ear = Ear::of(&bench, bench.store.clone(), &servers);
        let record = bench.stored("ann").await;
        bench.store.delete(bench.key(record.id)).await.unwrap();
        ear.hears_the_end_of(&[record.id]);
        run(&mut servers[0].admin(), &["CLIENT", "KILL", "TYPE", "pubsub"]);
        let error = ear.lost().await;
        assert!(error.is_retryable() && error.to_string().contains("noticed later"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_counts_as_lost() {
    needs_redis!();
    let servers = [Server::start(&[])];
    let bench = Bench::new(servers[0].store().await);
    let ear = Ear::of(&bench, bench.store.clone(), &servers);
    servers[0].signal("STOP");
    let error = ear.lost().await;
    assert!(error.is_retryable(), "{error}");
    let again = bench.store.listen(&bench.realm, &|_| {}).await.unwrap_err();
    assert!(again.is_retryable(), "{again}");
    servers[0].signal("CONT");
    Ear::of(&bench, bench.store.clone(), &servers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_realm_keeps_its_listener() {
    needs_redis!();
    let servers = [Server::start(&[])];
    let bench = Bench::new(servers[0].store().await);
    let ear = Ear::of(&bench, bench.store.clone(), &servers);
    let subscribed = || -> String { ask(&mut servers[0].admin(), &["INFO", "commandstats"]) };
    wait_for("the listener to ask whether anybody is there", || {
        subscribed().contains("cmdstat_subscribe:calls=2")
    });
    let record = bench.stored("ann").await;
    bench.store.delete(bench.key(record.id)).await.unwrap();
    ear.hears_the_end_of(&[record.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_publish_can_log_out_and_one_who_may_not_subscribe_is_told() {
    needs_redis!();
    let servers = [Server::start(&[])];
    let mut admin = servers[0].admin();
    let silent = "ACL SETUSER silent on >pw ~session:* resetchannels +@all -publish -subscribe";
    let elsewhere = "ACL SETUSER elsewhere on >pw ~session:* resetchannels &other:* +@all";
    for user in [silent, elsewhere] {
        run(&mut admin, &user.split_whitespace().collect::<Vec<_>>());
    }
    for user in ["silent", "elsewhere"] {
        let url = format!("redis://{user}:pw@127.0.0.1:{}", servers[0].port);
        let bench = Bench::new(RedisStore::connect(&url).await.unwrap());
        let error = bench.store.listen(&bench.realm, &|_| {}).await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("permission"), "{error}");

        let record = bench.stored("ann").await;
        assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
        assert_eq!(bench.read(record.id).await, None);
        let (old, other) = (bench.stored("ann").await, bench.stored("ann").await);
        let new = bench.login("ann");
        assert_eq!(bench.create(&new, replacing(Replaces::IfPresent(old.id))).await, done());
        let ended = bench
            .store
            .delete_account(bench.account("ann"), Some(new.id), crate::MARK, bench.now)
            .await
            .unwrap();
        assert_eq!(ended, [other.id]);
        assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_the_users_own_needs_a_client_to_listen_through() {
    needs_redis!();
    let server = Server::shared();
    let client = Client::open(server.url()).unwrap();
    let bench = Bench::new(client.get_connection_manager().await.unwrap().into());
    bench.store.listen(&bench.realm, &|_| {}).await.unwrap();
    let ear = Ear::of(&bench, bench.store.clone().listening_through(client), std::slice::from_ref(server));
    every_end_is_heard(&bench, &ear).await;
}

#[cfg(feature = "cluster")]
mod cluster {
    use super::*;
    use crate::support::Cluster;

    #[tokio::test(flavor = "multi_thread")]
    async fn whatever_ends_is_heard_whichever_node_has_the_realm() {
        needs_redis!();
        let cluster = Cluster::shared();
        let store = cluster.store().await;
        for _ in 0..6 {
            let bench = Bench::new(store.clone());
            let ear = Ear::of(&bench, store.clone(), &cluster.nodes);
            every_end_is_heard(&bench, &ear).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dead_node_is_an_error_and_the_next_call_listens_to_another() {
        needs_redis!();
        let mut cluster = Cluster::start();
        for node in &cluster.nodes {
            run(&mut node.admin(), &["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
        }
        let store = cluster.store().await;
        let bench = crate::cluster::bench_on(&cluster, &store, 2).await;
        let ear = Ear::of(&bench, store.clone(), &cluster.nodes);
        let place = cluster.nodes.iter().position(|node| subscribers(&bench, std::slice::from_ref(node)) > 0);
        assert_eq!(place, Some(0), "the first of the address");
        cluster.nodes[0].kill();
        assert!(ear.lost().await.is_retryable());
        // The dead one is first again after a round.
        for _ in 0..4 {
            let ear = Ear::of(&bench, store.clone(), &cluster.nodes[1..]);
            let record = bench.stored("ann").await;
            bench.store.delete(bench.key(record.id)).await.unwrap();
            // Invalidation of the round before may come this late, by way of another node.
            while ear.hears() != Invalidation::Ended(record.id) {}
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_of_the_users_own_listens_through_any_node() {
        needs_redis!();
        let cluster = Cluster::shared();
        let nodes = cluster.nodes.iter().map(Server::url);
        let client = redis::cluster::ClusterClient::builder(nodes).retries(0).build().unwrap();
        let bench = Bench::new(client.get_async_connection().await.unwrap().into());
        bench.store.listen(&bench.realm, &|_| {}).await.unwrap();
        let client = Client::open(cluster.nodes[1].url()).unwrap();
        let ear = Ear::of(&bench, bench.store.clone().listening_through(client), &cluster.nodes);
        every_end_is_heard(&bench, &ear).await;
    }
}
