//! Keys come and go, and whoever kept the old one tries it.

use std::sync::Arc;

use session_core::testing::TestRequest;
use session_core::{ConfigError, KeyRing, SessionManager};

use crate::browser::Browser;
use crate::events::pause;
use crate::happened::Happened;
use crate::node::{NEW_KEY, Node, OLD_KEY, REALM, key};
use crate::payload::{NewUser, Payload};
use crate::planted::Planted;
use crate::settings::Rotation;
use crate::token::{Change, Token};
use crate::visit::{Wish, visit};
use crate::world::World;

/// The phases of the guide: added on every node, then promoted on every node, then retired on every node: when the last
/// token of the old key has expired, or, if somebody else has that key, at once.
pub(crate) async fn rotate_keys(world: Arc<World>) {
    let (times, planted) = (&world.settings.times, world.planted);
    pause(&world, world.settings.end / 3).await;
    if planted != Some(Planted::PromotedTooEarly) {
        phase(&world, Happened::KeyAdded).await;
    }
    phase(&world, Happened::KeyPromoted).await;
    if world.settings.events.rotation == Rotation::Urgent {
        world.oracle.old_key_is_compromised();
        phase(&world, Happened::KeyRevoked).await;
    } else {
        if planted != Some(Planted::RetiredTooEarly) {
            world.stage.sleep(times.max_age * 1000 + 2 * world.settings.weather.skew + 5_000).await;
        }
        phase(&world, Happened::KeyRetired).await;
    }
    if !world.settings.has_store() {
        match forged(&world).await {
            Some(token) => forge(&world, token).await,
            None => world.stage.fail(|| "the forger made no token".to_owned()),
        }
    }
}

/// One step, on each node in turn.
async fn phase(world: &World, step: Happened) {
    let mut nodes: Vec<usize> = (0..world.nodes.len()).collect();
    world.stage.random().shuffle(&mut nodes);
    let spared = nodes.last().copied().filter(|_| world.planted == Some(Planted::RetiredNotEverywhere));
    for node in nodes {
        pause(world, 10_000).await;
        world.stage.note(|| format!("node {node}: {step:?}"));
        world.stage.count(step);
        if let Err(error) = change_keys(&world.nodes[node], step, spared == Some(node)) {
            world.stage.fail(|| format!("{step:?}: {error}"));
        }
    }
}

fn change_keys(node: &Node, step: Happened, is_spared: bool) -> Result<(), ConfigError> {
    match step {
        Happened::KeyAdded => node.keys.add(key(NEW_KEY)?),
        Happened::KeyPromoted if !node.keys.kids().iter().any(|kid| kid == NEW_KEY) => {
            node.keys.add(key(NEW_KEY)?)?;
            node.keys.promote(NEW_KEY)
        }
        Happened::KeyPromoted => node.keys.promote(NEW_KEY),
        _ => {
            node.old_key_is_retired();
            if is_spared { Ok(()) } else { node.keys.retire(OLD_KEY) }
        }
    }
}

/// A token that says everything, signed with the old key. The oracle knows of no such login.
async fn forged(world: &World) -> Option<Token> {
    let forger = SessionManager::<NewUser>::builder()
        .keys(KeyRing::new(key(OLD_KEY).ok()?).ok()?)
        .clock(world.nodes.first()?.clock.clone())
        .realm(REALM)
        .lifetimes(world.settings.lifetimes());
    let user = NewUser::begin(&world.account(0), 0);
    let login = forger.build().ok()?.create_session(user, &TestRequest::new("POST", "/login")).await.ok()?;
    match Change::read(login.changes.set_cookie()?)? {
        Change::Keep(token) => Some(token),
        Change::Forget => None,
    }
}

async fn forge(world: &Arc<World>, token: Token) {
    world.stage.count(Happened::Forged);
    let forger = Arc::new(Browser::new(200, Some(token)));
    for _ in 0..4 * world.nodes.len() {
        visit(Arc::clone(world), Arc::clone(&forger), Wish::Use).await;
    }
}
