//! Those who share a session are told what some order explains, on every store; and where that is not promised, it is found.

use super::backend::{Backend, on_each_backend};
use super::fleet::{Fleet, Options, PATIENT};
use super::history::Judged;
use super::load::{Figures, Load};

/// So much happens: acknowledged writes.
const ENOUGH: u64 = 400;

on_each_backend! {
    some_order_explains_what_all_who_share_a_session_are_told
}

async fn some_order_explains_what_all_who_share_a_session_are_told(fleet: &Fleet) {
    let Judged { sessions, answers, unknown } = told(fleet).await.unwrap_or_else(|story| panic!("{story}"));
    println!("{sessions} sessions, {answers} answers, {unknown} unknown");
    assert!(sessions > 10 && answers > 5 * sessions);
}

/// The judge is not blind: nodes that remember what they read, and do not listen, serve what ended on another one.
#[tokio::test]
async fn no_order_explains_nodes_that_remember() {
    let Some(url) = Backend::Redis.url() else { return };
    let hybrid = Some(std::time::Duration::from_secs(30));
    let fleet = Fleet::start(&url, Options { hybrid, ..Options::default() });
    let story = told(&fleet).await.unwrap_err();
    assert!(story.contains("no order explains"), "{story}");
}

async fn told(fleet: &Fleet) -> Result<Judged, String> {
    let mut load = Load::start(fleet.addresses(), PATIENT);
    load.until("enough was written", |Figures { written, .. }| *written >= ENOUGH).await;
    load.end().await.1
}
