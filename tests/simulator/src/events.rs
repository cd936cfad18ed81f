//! What happens to the fleet meanwhile: clocks, restarts, deploys, administrators, thieves, neighbours.

use std::sync::Arc;

use session_core::SessionManager;
use session_core::testing::TestRequest;

use crate::browser::Browser;
use crate::happened::Happened;
use crate::keys::rotate_keys;
use crate::node::{Node, Program};
use crate::payload::{NewUser, Payload};
use crate::planted::Planted;
use crate::settings::Rotation;
use crate::stage::{Cut, Millis};
use crate::visit::{Wish, visit};
use crate::world::{World, skew};

pub(crate) fn begin(world: &Arc<World>) {
    let (stage, events) = (&world.stage, &world.settings.events);
    (0..world.nodes.len()).for_each(|node| maintain(world, node));
    if world.settings.weather.jumps {
        stage.spawn(set_clocks(Arc::clone(world)));
    }
    if events.restarts {
        stage.spawn(restarts(Arc::clone(world)));
    }
    if events.deploy {
        stage.spawn(deploy(Arc::clone(world)));
    }
    if events.rotation != Rotation::No {
        stage.spawn(rotate_keys(Arc::clone(world)));
    }
    if events.thief {
        stage.spawn(steal(Arc::clone(world)));
    }
    if events.administrator && world.settings.has_store() {
        stage.spawn(administer(Arc::clone(world)));
    }
    if events.neighbour && world.settings.has_store() {
        stage.spawn(live_next_door(Arc::clone(world)));
    }
    stage.spawn(break_clocks(Arc::clone(world)));
}

/// What a process does beside its requests, until it is restarted.
fn maintain(world: &Arc<World>, node: usize) {
    let owned = Arc::clone(world);
    world.stage.spawn(async move {
        let node = &owned.nodes[node];
        let (life, running) = (node.life(), node.running());
        let is_over = || node.life() != life || owned.stage.now() > owned.settings.end;
        Cut { future: Box::pin(running.maintain()), polls: None, is_over }.await;
    });
}

/// Waits, and answers whether there is still somebody to see what comes then.
pub(crate) async fn pause(world: &World, longest: Millis) -> bool {
    let pause = world.stage.random().within(0..=longest);
    world.stage.sleep(pause).await;
    world.stage.now() < world.settings.end
}

fn any_node(world: &World) -> usize {
    world.stage.random().index(world.nodes.len())
}

async fn set_clocks(world: Arc<World>) {
    while pause(&world, 120_000).await {
        let node = any_node(&world);
        let skew = skew(&mut world.stage.random(), world.settings.weather.skew);
        world.nodes[node].clock.set(skew);
        world.stage.count(Happened::ClockSet);
        world.stage.note(|| format!("node {node}'s clock is {skew} ms ahead"));
    }
}

/// The planted ones.
async fn break_clocks(world: Arc<World>) {
    let hour = 3_600_000;
    world.stage.sleep(world.settings.end / 4).await;
    let clock = &world.nodes[any_node(&world)].clock;
    match world.planted {
        Some(Planted::ClockStandsStill) => clock.stop(),
        Some(Planted::ClockIsAhead) => clock.set(hour),
        Some(Planted::ClockIsBehind) => clock.set(-hour),
        _ => {}
    }
}

async fn restarts(world: Arc<World>) {
    while pause(&world, 300_000).await {
        let node = any_node(&world);
        let is_old = matches!(world.nodes[node].running().program, Program::Old(_));
        restart(&world, node, is_old);
    }
}

fn restart(world: &Arc<World>, node: usize, is_old: bool) {
    world.stage.note(|| format!("node {node} starts again"));
    world.stage.count(Happened::Restarted);
    let random = world.node_random();
    if let Err(error) = world.nodes[node].restart(random, is_old) {
        world.stage.fail(|| format!("a node did not start: {error}"));
    }
    maintain(world, node);
}

/// One node after the other gets the new program.
async fn deploy(world: Arc<World>) {
    world.stage.sleep(world.settings.end / 3).await;
    let mut nodes: Vec<usize> = (0..world.nodes.len()).collect();
    world.stage.random().shuffle(&mut nodes);
    for node in nodes {
        pause(&world, 60_000).await;
        restart(&world, node, false);
        world.stage.count(Happened::Deployed);
        if world.settings.seals.old != world.settings.seals.new {
            world.stage.count(Happened::FormChanged);
        }
    }
}

/// Somebody has a copy of a cookie, and uses it later.
async fn steal(world: Arc<World>) {
    while pause(&world, 200_000).await {
        let victim = world.stage.random().index(world.browsers.len());
        let Some(token) = world.browsers[victim].cookie() else { continue };
        world.stage.note(|| format!("{:?} is stolen", token.sid));
        world.oracle.is_stolen(&token);
        world.stage.count(Happened::Stolen);
        let thief = Arc::new(Browser::new(100 + victim, Some(token)));
        for _ in 0..3 {
            pause(&world, 60_000).await;
            let wish = world.stage.random().pick(&[Wish::Use, Wish::Refresh, Wish::Look]);
            visit(Arc::clone(&world), Arc::clone(&thief), wish).await;
        }
    }
}

/// Ends accounts' sessions and everybody's, and changes accounts.
async fn administer(world: Arc<World>) {
    while pause(&world, 200_000).await {
        let node = &world.nodes[any_node(&world)];
        match node.running().program {
            Program::Old(manager) => administer_at(&world, node, &manager).await,
            Program::New(manager) => administer_at(&world, node, &manager).await,
        }
    }
}

async fn administer_at<U: Payload>(world: &World, node: &Node, manager: &SessionManager<U>) {
    let (account, choice) = {
        let mut random = world.stage.random();
        (world.account(random.index(world.settings.accounts)), random.below(10))
    };
    let (oracle, place) = (&world.oracle, node.place());
    world.stage.note(|| format!("the administrator at node {}: {choice} {account}", node.number));
    match choice {
        0..4 => {
            let name = oracle.revokes(Some(&account), node.done().wall);
            if manager.revoke_account(&account).await.is_ok() {
                world.stage.count(Happened::AccountRevoked);
                oracle.revoked(name, None, place, node.done().wall);
            }
        }
        4 => {
            let name = oracle.revokes(None, node.done().wall);
            if manager.revoke_everyone().await.is_ok() {
                world.stage.count(Happened::EveryoneRevoked);
                oracle.revoked(name, None, place, node.done().wall);
            }
        }
        _ => {
            let name = oracle.grants(&account);
            if manager.update_account(&account, Payload::grant).await.is_ok() {
                world.stage.count(Happened::AccountUpdated);
                oracle.granted(name, place);
            }
        }
    }
}

/// Another application on the same store. The same people have sessions there, and lose them all at once.
async fn live_next_door(world: Arc<World>) {
    while pause(&world, 150_000).await {
        let node = &world.nodes[any_node(&world)];
        let Some(neighbour) = node.running().neighbour else { return };
        let user = NewUser::begin(&world.account(0), 0);
        let _ = neighbour.create_session(user, &TestRequest::new("POST", "/login")).await;
        let ends_all = world.stage.random().chance(500);
        let _ = match ends_all {
            true => neighbour.revoke_everyone().await,
            false => neighbour.revoke_account(&world.account(0)).await,
        };
    }
}
