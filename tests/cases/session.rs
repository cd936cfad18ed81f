use crate::harness::{Framework, World, on_each_framework};

on_each_framework! { login_is_remembered }

async fn login_is_remembered<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    assert_eq!(browser.who().await, "alice");
}
