//! Bad input: each has an error that says what to do, and whether it passes by itself.

use std::error::Error;

use session_core::store::{Create, Invalidation, Replaces, SessionStore, StoreError};
use session_store_redis::RedisStore;

use crate::listen::Ear;
use crate::support::{Bench, Server, ask, done, evicting, needs_redis, next, replacing, run, wait_for};

async fn refused(url: &str) -> StoreError {
    let error = RedisStore::connect(url).await.unwrap_err();
    println!("{url}: {error}");
    assert!(!error.to_string().contains("secret") && !format!("{error:?}").contains("secret"));
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nobody_answers_may_answer_later() {
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let error = refused(&format!("redis://me:secret@127.0.0.1:{port}/1")).await;
    assert!(error.is_retryable() && error.source().is_some());
    assert!(error.to_string().starts_with(&format!("redis://127.0.0.1:{port}: ")), "{error}");
    #[cfg(feature = "cluster")]
    {
        let error = refused(&format!("redis-cluster://:secret@127.0.0.1:{port},localhost:{port}")).await;
        let place = format!("redis-cluster://127.0.0.1:{port},localhost:{port}: ");
        assert!(error.is_retryable() && error.to_string().starts_with(&place), "{error}");
    }
    let error = refused("redis+unix:///nowhere/redis.sock?pass=secret").await;
    assert!(error.is_retryable() && error.to_string().starts_with("redis+unix:///nowhere/redis.sock: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_never_works() {
    for url in [
        "",
        "redis",
        "http://a",
        "redis://:secret@a:port",
        "redis://a/b",
        "redis-cluster://",
        "mysql://:secret@a",
    ] {
        assert!(!refused(url).await.is_retryable());
    }
    assert!(refused("redis://:secret@a:port").await.to_string().starts_with("redis://..: "));
    #[cfg(not(feature = "tls"))]
    for url in ["rediss://a", "rediss-cluster://a:1"] {
        assert!(refused(url).await.to_string().contains("feature `tls`"));
    }
    #[cfg(not(feature = "cluster"))]
    assert!(refused("redis-cluster://a:1").await.to_string().contains("feature `cluster`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told() {
    needs_redis!();
    let server = Server::start(&["--requirepass", "correct"]);
    for credentials in ["", ":secret@", "nobody:secret@"] {
        let error = refused(&format!("redis://{credentials}127.0.0.1:{}", server.port)).await;
        assert!(!error.is_retryable() && error.to_string().contains("password"), "{error}");
        assert!(error.to_string().contains(&format!("redis://127.0.0.1:{}: ", server.port)), "{error}");
    }
    #[cfg(feature = "cluster")]
    {
        let error = refused(&format!("redis-cluster://:secret@127.0.0.1:{}", server.port)).await;
        assert!(
            error.to_string().contains(&format!("redis-cluster://127.0.0.1:{}: ", server.port)),
            "{error}"
        );
        let error = refused(&format!("redis-cluster://:correct@127.0.0.1:{}", server.port)).await;
        let place = format!("redis-cluster://127.0.0.1:{}: this Redis is not part", server.port);
        assert!(error.to_string().contains(&place) && !error.to_string().contains("correct@"), "{error}");
    }
    assert!(RedisStore::connect(&format!("redis://:correct@127.0.0.1:{}", server.port)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_permissions_is_told_and_the_documented_ones_suffice() {
    needs_redis!();
    let servers = [Server::start(&[])];
    let server = &servers[0];
    let mut admin = server.admin();
    run(&mut admin, &["ACL", "SETUSER", "poor", "on", ">pw", "~session:*", "+get", "+mget"]);
    let enough = "ACL SETUSER app on >pw resetchannels ~session:* &session:* +mget +eval +evalsha +scan +info +get \
                  +set +del +unlink +pttl +pexpire +hget +hmget +hset +hdel +hrandfield +publish +subscribe";
    run(&mut admin, &enough.split_whitespace().collect::<Vec<_>>());

    let poor = RedisStore::connect(&format!("redis://poor:pw@127.0.0.1:{}", server.port)).await.unwrap();
    let bench = Bench::new(poor);
    let error = bench.store.create(&bench.realm, &bench.login("ann"), Create::default(), bench.now).await;
    assert!(error.is_err_and(|error| !error.is_retryable() && error.to_string().contains("permission")));

    let bench =
        Bench::new(RedisStore::connect(&format!("redis://app:pw@127.0.0.1:{}", server.port)).await.unwrap());
    let record = bench.stored("ann").await;
    let other = bench.login("ann");
    let ear = Ear::of(&bench, bench.store.clone(), &servers);
    assert_eq!(bench.create(&other, replacing(Replaces::IfPresent(record.id))).await, done());
    assert_eq!(ear.hears(), Invalidation::Ended(record.id));
    let touch =
        session_core::store::Touch::new(std::time::Duration::ZERO, None, 0, std::time::Duration::ZERO);
    assert!(bench.store.read_and_touch(bench.key(other.id), touch, bench.now).await.unwrap().is_some());
    assert_eq!(bench.list("ann").await.len(), 1);
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_lacks_one_permission_is_told() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = |user: &str| {
        let url = format!("redis://{user}:pw@127.0.0.1:{}", server.port);
        async move { Bench::new(RedisStore::connect(&url).await.unwrap()) }
    };
    for command in ["evalsha", "set", "pttl", "hget", "hset"] {
        let refused = format!("ACL SETUSER {command} on >pw ~session:* &* +@all -{command}");
        run(&mut server.admin(), &refused.split(' ').collect::<Vec<_>>());
        let bench = bench(command).await;
        let login = bench.login("ann");
        let error = bench.store.create(&bench.realm, &login, Create::default(), bench.now).await.unwrap_err();
        println!("without {command}: {error}");
        assert!(!error.is_retryable() && error.to_string().contains("permission"), "{error}");
    }
    // What a login asks first stores nothing when it is refused.
    let sound = Bench { store: server.store().await, ..bench("hget").await };
    let old = sound.stored("ann").await;
    let poor = Bench { store: bench("hget").await.store, ..sound.clone() };
    let new = sound.login("ann");
    let options = replacing(Replaces::IfPresent(old.id));
    poor.store.create(&poor.realm, &new, options, poor.now).await.unwrap_err();
    assert_eq!(sound.read(new.id).await, None);
    assert_eq!(sound.list("ann").await, [old]);
    run(&mut server.admin(), &["ACL", "SETUSER", "keys", "on", ">pw", "~other:*", "&*", "+@all"]);
    let bench = bench("keys").await;
    let error = bench.store.read(bench.key(bench.login("ann").id), bench.now).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("permission"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_read_and_says_that_it_cannot_be_written() {
    needs_redis!();
    let (primary, replica) = (Server::shared(), Server::start(&[]));
    let bench = Bench::new(primary.store().await);
    let record = bench.stored("ann").await;
    run(&mut replica.admin(), &["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
    wait_for("replication", || {
        let info: String = ask(&mut replica.admin(), &["INFO", "replication"]);
        info.contains("master_link_status:up")
    });
    let bench = Bench { store: replica.store().await, ..bench };
    assert_eq!(bench.read(record.id).await, Some(record.clone()));
    let error = bench.store.delete(bench.key(record.id)).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("URL names a replica"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_says_so_and_nothing_is_half_done() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let old = bench.stored("ann").await;
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "1"]);
    let new = bench.login("ann");
    let options = evicting(2);
    let error = bench.store.create(&bench.realm, &new, options, bench.now).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("memory"), "{error}");
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&old));
    assert!(bench.store.delete(bench.key(old.id)).await.unwrap(), "logout works");
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(bench.create(&new, options).await, done());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_garbage_is_absent_or_an_error_and_can_be_removed() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let mut admin = server.admin();
    let record = bench.stored("ann").await;
    let epoch: Vec<u8> = redis::cmd("GETRANGE").arg(bench.base()).arg(0).arg(3).query(&mut admin).unwrap();
    let whole: Vec<u8> = redis::cmd("GET").arg(bench.session_key(record.id)).query(&mut admin).unwrap();
    let mut write = |bytes: &[u8]| {
        redis::cmd("SET")
            .arg(bench.session_key(record.id))
            .arg(bytes)
            .arg("PX")
            .arg(60_000)
            .exec(&mut admin)
            .unwrap();
    };
    let touch =
        session_core::store::Touch::new(std::time::Duration::ZERO, None, 0, std::time::Duration::ZERO);
    for garbage in [&b""[..], b"x", b"garbage that is long enough to have been a record of the store"] {
        write(garbage);
        assert_eq!(bench.read(record.id).await, None);
        assert_eq!(bench.store.read_and_touch(bench.key(record.id), touch, bench.now).await.unwrap(), None);
        assert_eq!(bench.list("ann").await, []);
    }
    // Of our epoch: cut, of a later layout, with numbers that lead nowhere.
    let later = [&[3], &epoch[..], b"something new"].concat();
    let lost = [&whole[..8], &[255; 30]].concat();
    for damaged in [&whole[..5], &whole[..20], &later, &lost] {
        write(damaged);
        let errors = [
            bench.store.read(bench.key(record.id), bench.now).await.map(|_| ()),
            bench.store.read_and_touch(bench.key(record.id), touch, bench.now).await.map(|_| ()),
            bench.store.list(bench.account("ann"), bench.now).await.map(|_| ()),
        ];
        for error in errors.map(Result::unwrap_err) {
            let told = if *damaged == later { "layout 3" } else { "damaged" };
            assert!(!error.is_retryable() && error.to_string().contains(told), "{error}");
        }
        let other = bench.stored("bob").await;
        assert_eq!(bench.read(other.id).await, Some(other), "nobody else is affected");
    }
    // Never overwritten by a change, but replaced by a login, and ended by a logout.
    write(&later);
    let error = bench.store.replace(&bench.realm, &next(&record), bench.now).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let new = bench.login("ann");
    assert_eq!(bench.create(&new, replacing(Replaces::IfPresent(record.id))).await, done());
    assert_eq!(bench.list("ann").await, [new]);
    write(&later);
    assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_keys_are_told() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    redis::cmd("RPUSH").arg(bench.base()).arg("a list").exec(&mut server.admin()).unwrap();
    let record = bench.login("ann");
    let error = bench.store.create(&bench.realm, &record, Create::default(), bench.now).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("prefix"), "{error}");
    redis::cmd("DEL").arg(bench.base()).exec(&mut server.admin()).unwrap();
    assert_eq!(bench.create(&record, Create::default()).await, done());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_must_have_a_length() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    for subject in [String::new(), "x".repeat(256)] {
        let record = bench.login("").with(|record| record.subject = Some(subject));
        let error =
            bench.store.create(&bench.realm, &record, Create::default(), bench.now).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }
}
