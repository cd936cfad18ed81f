//! What is kept of a client, where less is to be kept.

use session_core::testing::TestRequest;
use session_core::{ClientAddress, SessionManagerBuilder};

use crate::support::{Trip, User, World, user};

/// What the record, the list of devices, the metadata and the event have of a client.
async fn kept(
    peer: &str,
    configure: impl FnOnce(SessionManagerBuilder<User>) -> SessionManagerBuilder<User>,
) -> [String; 2] {
    let world = World::new();
    let sessions = configure(world.builder().store(world.store.clone())).build().unwrap();
    let trip = Trip::of(&sessions);
    let request = TestRequest::new("POST", "/login").from_peer(peer.parse().unwrap());
    trip.receive(&request.header("user-agent", "Firefox"));
    trip.create(user("ann")).await.unwrap();
    let record = world.records(&sessions, "ann").await.remove(0);
    let device = trip.list().await.unwrap().remove(0);
    let metadata = trip.metadata().unwrap();
    let event = world.events.lock().unwrap()[0].clone();
    let addresses = [record.ip_address, device.ip_address, metadata.ip_address, event.ip_address];
    let browsers = [record.user_agent, device.user_agent, metadata.user_agent, event.user_agent];
    assert!(addresses.windows(2).all(|two| two[0] == two[1]), "{addresses:?}");
    assert!(browsers.windows(2).all(|two| two[0] == two[1]), "{browsers:?}");
    let address = addresses[0].map(|address| address.to_string());
    [address.unwrap_or_default(), browsers[0].clone().unwrap_or_default()]
}

#[tokio::test]
async fn without_a_word_all_of_it_is_kept() {
    assert_eq!(kept("203.0.113.9", |builder| builder).await, ["203.0.113.9", "Firefox"]);
    assert_eq!(
        kept("203.0.113.9", |builder| builder.address(ClientAddress::Full)).await,
        ["203.0.113.9", "Firefox"]
    );
}

#[tokio::test]
async fn a_truncated_address_is_its_24_or_48_network() {
    for (peer, network) in [
        ("203.0.113.9", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.9", "203.0.113.0"),
    ] {
        assert_eq!(
            kept(peer, |builder| builder.address(ClientAddress::Truncated)).await,
            [network, "Firefox"]
        );
    }
}

#[tokio::test]
async fn neither_is_kept_where_neither_is_wanted() {
    let none = |builder: SessionManagerBuilder<User>| builder.address(ClientAddress::None).user_agent(false);
    assert_eq!(kept("203.0.113.9", none).await, ["", ""]);
}
