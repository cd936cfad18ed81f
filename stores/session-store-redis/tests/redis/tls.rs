//! TLS, with certificates made for the test.

use std::path::Path;
use std::process::Command;

use redis::{Client, TlsCertificates};
use session_core::store::{Invalidation, SessionStore};
use session_store_redis::RedisStore;

use crate::listen::Ear;
use crate::support::{Bench, Server, has, needs_redis};

/// An authority, and a certificate that it signed for `localhost`.
fn make_certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let mut openssl = Command::new("openssl");
        let run = openssl.current_dir(folder).args(arguments.split_whitespace()).output().unwrap();
        assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_signed_by_a_known_authority() {
    needs_redis!();
    if !has("openssl", "version", "the test of TLS") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let port = crate::support::free_port().to_string();
    let (certificate, key, authority) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let servers = [Server::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
        "--tls-auth-clients",
        "no",
    ])];
    let url = format!("rediss://localhost:{port}");
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("certificate"), "{error}");

    for url in [format!("redis://localhost:{port}"), servers[0].url().replace("redis://", "rediss://")] {
        let error = RedisStore::connect(&url).await.unwrap_err();
        println!("{url}: {error}");
        assert!(error.to_string().contains("TLS"), "{error}");
    }

    let root_cert = Some(std::fs::read(&authority).unwrap());
    let client = Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert }).unwrap();
    let store: RedisStore = client.get_connection_manager().await.unwrap().into();
    let bench = Bench::new(store.listening_through(client));
    let record = bench.stored("ann").await;
    assert_eq!(bench.read(record.id).await, Some(record.clone()));

    let ear = Ear::of(&bench, bench.store.clone(), &servers);
    assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
    assert_eq!(ear.hears(), Invalidation::Ended(record.id));
}
