//! A node: the real `SessionManager`, with a clock, a ring of keys and a connection of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::{Clock as _, ConfigError, Key, KeyRing, Revalidation, SessionManager};

use crate::backend::REALM;
use crate::clock::NodeClock;
use crate::network::Network;
use crate::oracle::{Begun, Done, Place};
use crate::payload::{NewUser, OldUser, Payload};
use crate::random::NodeRandom;
use crate::settings::{DEADLINE, Mode, Settings};
use crate::stage::lock;
use crate::token::Token;

pub(crate) const OLD_KEY: &str = "old";
pub(crate) const NEW_KEY: &str = "new";

pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) clock: NodeClock,
    pub(crate) keys: KeyRing,
    pub(crate) network: Network,
    pub(crate) running: Mutex<Running>,
    life: AtomicU64,
}

/// What a restart replaces.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) program: Program,
    /// The neighbour's manager, in a realm of its own.
    pub(crate) neighbour: Option<SessionManager<NewUser>>,
}

/// The program before a deploy, and after it.
#[derive(Clone)]
pub(crate) enum Program {
    Old(SessionManager<OldUser>),
    New(SessionManager<NewUser>),
}

pub(crate) fn key(kid: &str) -> Result<Key, ConfigError> {
    let mut secret = kid.as_bytes().repeat(32);
    secret.truncate(48);
    Key::hs256(secret)?.with_kid(kid)
}

impl Node {
    pub(crate) fn new(
        number: usize,
        clock: NodeClock,
        network: Network,
        settings: &Settings,
        random: NodeRandom,
    ) -> Result<Self, ConfigError> {
        let keys = KeyRing::new(key(OLD_KEY)?)?;
        let is_old = settings.events.deploy;
        let running = Running::new(&clock, &keys, &network, settings, random, is_old)?;
        Ok(Self { number, clock, keys, network, running: Mutex::new(running), life: AtomicU64::new(0) })
    }

    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::Relaxed)
    }

    pub(crate) fn place(&self) -> Place {
        Place { node: self.number, life: self.life() }
    }

    pub(crate) fn running(&self) -> Running {
        lock(&self.running).clone()
    }

    /// The process ends, whatever it was working on, and starts again.
    pub(crate) fn restart(
        &self,
        settings: &Settings,
        random: NodeRandom,
        is_old: bool,
    ) -> Result<(), ConfigError> {
        self.life.fetch_add(1, Ordering::Relaxed);
        let running = Running::new(&self.clock, &self.keys, &self.network, settings, random, is_old)?;
        *lock(&self.running) = running;
        Ok(())
    }

    pub(crate) fn begin(&self, token: Option<&Token>) -> Begun {
        let is_retired = self.keys.kids().iter().all(|kid| kid != OLD_KEY);
        Begun {
            at: self.network.stage.now(),
            place: self.place(),
            wall: self.clock.now().unix_seconds(),
            jumps: self.clock.jumps(),
            token: token.cloned(),
            is_old_program: matches!(lock(&self.running).program, Program::Old(_)),
            retired: is_retired.then_some(OLD_KEY),
        }
    }

    pub(crate) fn done(&self) -> Done {
        Done { wall: self.clock.now().unix_seconds(), jumps: self.clock.jumps() }
    }
}

impl Running {
    fn new(
        clock: &NodeClock,
        keys: &KeyRing,
        network: &Network,
        settings: &Settings,
        random: NodeRandom,
        is_old: bool,
    ) -> Result<Self, ConfigError> {
        let neighbour = match settings.events.neighbour && settings.has_store() {
            true => Some(
                SessionManager::builder()
                    .keys(keys.clone())
                    .clock(clock.clone())
                    .random(NodeRandom::new(clock.jumps() + 99, false))
                    .lifetimes(settings.lifetimes())
                    .store(network.clone())
                    .store_deadline(Duration::from_millis(DEADLINE))
                    .realm("neighbour")
                    .build()?,
            ),
            false => None,
        };
        let program = match is_old {
            true => Program::Old(manager(clock, keys, network, settings, random)?),
            false => Program::New(manager(clock, keys, network, settings, random)?),
        };
        Ok(Self { program, neighbour })
    }

    /// Until the stage drops it.
    pub(crate) async fn maintain(self) {
        match self.program {
            Program::Old(sessions) => sessions.maintain(std::future::pending()).await,
            Program::New(sessions) => sessions.maintain(std::future::pending()).await,
        }
    }
}

fn manager<U: Payload>(
    clock: &NodeClock,
    keys: &KeyRing,
    network: &Network,
    settings: &Settings,
    random: NodeRandom,
) -> Result<SessionManager<U>, ConfigError> {
    let mut builder = SessionManager::builder()
        .keys(keys.clone())
        .clock(clock.clone())
        .random(random)
        .realm(REALM)
        .lifetimes(settings.lifetimes())
        .replay(settings.replay)
        .session_limit(settings.limit);
    if settings.has_store() {
        builder = builder
            .store(network.clone())
            .store_deadline(Duration::from_millis(DEADLINE))
            .seal_records(settings.seals_records);
    }
    if let Mode::Hybrid(bound) = settings.mode {
        builder = builder.hybrid(Duration::from_millis(bound));
    }
    let stage = network.stage.clone();
    let latency = network.weather.latency;
    builder
        .revalidate(move |_| {
            let pause = stage.sleep(latency);
            async move {
                pause.await;
                Revalidation::Keep
            }
        })
        .build()
}
