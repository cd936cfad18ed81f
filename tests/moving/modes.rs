//! From one mode to another, on each framework: the browser's next request finds the session, and no copy of what it had
//! before outlives it.

use session_core::{Clock as _, SessionManagerBuilder, TokenForm};

use crate::harness::{Browser, Framework, Mode, Server, User, World, on_each_framework};

on_each_framework! {
    a_login_in_typed_tokens_goes_on_in_a_store(tracked hybrid)
    a_login_in_plain_tokens_goes_on_in_a_store(tracked hybrid)
    a_login_in_sealed_tokens_goes_on_in_a_store(tracked hybrid)
    a_login_in_a_store_goes_on_in_hybrid_mode_and_back
    a_login_in_typed_tokens_goes_on_in_sealed_ones_and_back
}

/// Longer than any session of the test.
const UNTIL: u64 = 7 * 24 * 3600;

async fn a_login_in_typed_tokens_goes_on_in_a_store<F: Framework>(mode: Mode) {
    goes_on_in_a_store::<F>(TokenForm::Typed, mode).await;
}

async fn a_login_in_plain_tokens_goes_on_in_a_store<F: Framework>(mode: Mode) {
    goes_on_in_a_store::<F>(TokenForm::Plain, mode).await;
}

async fn a_login_in_sealed_tokens_goes_on_in_a_store<F: Framework>(mode: Mode) {
    goes_on_in_a_store::<F>(TokenForm::Sealed, mode).await;
}

async fn goes_on_in_a_store<F: Framework>(form: TokenForm, mode: Mode) {
    let world = World::new();
    let before = world.serve::<F>(world.stateless().token_form(form)).await;
    let mut alice = before.logged_in("alice").await;
    alice.post("/visits").await.expect(200);
    let copy = alice.clone();

    let [one, other] = [after::<F>(&world, form, mode).await, after::<F>(&world, form, mode).await];
    for node in [&one, &other] {
        alice.server = node.address;
        let me = alice.get("/me").await.expect(200).json();
        assert_eq!((&me["name"], &me["visits"]), (&"alice".into(), &1.into()));
    }
    alice.get("/fresh").await.expect_error(403, "REAUTHENTICATION_REQUIRED");
    alice.post("/reauthenticate").await.expect(200);
    alice.get("/fresh").await.expect(200);

    alice.post("/logout").await.expect(200);
    assert_eq!(alice.who().await, "nobody");
    for node in [&one, &other] {
        assert_eq!(on(node, &copy).who().await, "nobody", "a copy from before the store");
    }
}

async fn after<F: Framework>(world: &World, form: TokenForm, mode: Mode) -> Server {
    let until = world.clock.now().plus(std::time::Duration::from_secs(UNTIL));
    let users: SessionManagerBuilder<User> = world.users(mode).adopt_until(until).adopt_tokens(form);
    world.serve::<F>(users).await
}

async fn a_login_in_a_store_goes_on_in_hybrid_mode_and_back<F: Framework>() {
    let world = World::new();
    let store = world.serve::<F>(world.users(Mode::Tracked)).await;
    let hybrid = world.serve::<F>(world.users(Mode::Hybrid)).await;
    let mut alice = store.logged_in("alice").await;
    let copy = alice.clone();
    for (visit, node) in [(1, &hybrid), (2, &store), (3, &hybrid)] {
        alice.server = node.address;
        assert_eq!(alice.post("/visits").await.expect(200).text(), visit.to_string());
    }
    alice.post("/logout").await.expect(200);
    for node in [&hybrid, &store] {
        assert_eq!(on(node, &copy).who().await, "nobody");
    }
}

async fn a_login_in_typed_tokens_goes_on_in_sealed_ones_and_back<F: Framework>() {
    let world = World::new();
    let typed = world.serve::<F>(world.stateless()).await;
    let sealed = world.serve::<F>(world.stateless().token_form(TokenForm::Sealed)).await;
    let mut alice = typed.logged_in("alice").await;
    for (visit, node, dots) in [(1, &sealed, 4), (2, &typed, 2), (3, &sealed, 4)] {
        alice.server = node.address;
        assert_eq!(alice.post("/visits").await.expect(200).text(), visit.to_string());
        assert_eq!(alice.cookie().matches('.').count(), dots, "each node writes its own form");
    }
}

/// The same cookies, sent to another server.
fn on(node: &Server, browser: &Browser) -> Browser {
    Browser { server: node.address, ..browser.clone() }
}
