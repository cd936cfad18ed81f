//! A node: the real `SessionManager`, with a clock, a ring of keys and a connection of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_core::{
    Clock as _, ConfigError, EventKind, Key, KeyRing, Revalidation, SessionEvent, SessionManager, TokenForm,
};

use crate::clock::NodeClock;
use crate::happened::Happened;
use crate::network::Network;
use crate::oracle::{Begun, Done, Place};
use crate::payload::{NewUser, OldUser, Payload};
use crate::random::NodeRandom;
use crate::reader::adopting;
use crate::settings::{Mode, Settings};
use crate::stage::lock;
use crate::token::Token;
use crate::visa::Visa;
use crate::weather::DEADLINE;

/// The realm of the application that is looked at; others are neighbours.
pub(crate) const REALM: &str = "fleet";
pub(crate) const OLD_KEY: &str = "old";
pub(crate) const NEW_KEY: &str = "new";

pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) clock: NodeClock,
    pub(crate) keys: KeyRing,
    pub(crate) network: Network,
    pub(crate) running: Mutex<Running>,
    settings: Settings,
    life: AtomicU64,
    /// The old key must not count here any more.
    is_old_key_retired: AtomicBool,
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

pub(crate) fn secret(kid: &str) -> Vec<u8> {
    kid.as_bytes().repeat(16)
}

pub(crate) fn key(kid: &str) -> Result<Key, ConfigError> {
    Key::hs256(secret(kid))?.with_kid(kid)
}

impl Node {
    pub(crate) fn new(
        number: usize,
        clock: NodeClock,
        network: Network,
        settings: Settings,
        random: NodeRandom,
    ) -> Result<Self, ConfigError> {
        let keys = KeyRing::new(key(OLD_KEY)?)?;
        let is_old = settings.events.deploy;
        let running = Running::new(&clock, &keys, &network, &settings, random, is_old)?;
        Ok(Self {
            number,
            clock,
            keys,
            network,
            running: Mutex::new(running),
            settings,
            life: AtomicU64::new(0),
            is_old_key_retired: AtomicBool::new(false),
        })
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
    pub(crate) fn restart(&self, random: NodeRandom, is_old: bool) -> Result<(), ConfigError> {
        self.life.fetch_add(1, Ordering::Relaxed);
        let running = Running::new(&self.clock, &self.keys, &self.network, &self.settings, random, is_old)?;
        *lock(&self.running) = running;
        Ok(())
    }

    pub(crate) fn old_key_is_retired(&self) {
        self.is_old_key_retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self, token: Option<&Token>, visa: Option<&Arc<Visa>>) -> Begun {
        let is_retired = self.is_old_key_retired.load(Ordering::Relaxed);
        Begun {
            at: self.network.stage.now(),
            place: self.place(),
            wall: self.clock.now().unix_seconds(),
            jumps: self.clock.jumps(),
            token: token.cloned(),
            visa: visa.cloned(),
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
            true => Program::Old(manager(clock, keys, network, settings, random, settings.seals.old)?),
            false => Program::New(manager(clock, keys, network, settings, random, settings.seals.new)?),
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
    seals: bool,
) -> Result<SessionManager<U>, ConfigError> {
    let network = Network { must_seal: seals, ..network.clone() };
    let (stage, seals) = (network.stage.clone(), seals && !settings.forgets_to_seal);
    let mut builder = SessionManager::builder()
        .keys(keys.clone())
        .clock(clock.clone())
        .random(random)
        .realm(REALM)
        .lifetimes(settings.lifetimes())
        .replay(settings.replay)
        .session_limit(settings.limit)
        .ended_capacity(settings.ended_capacity)
        .observer(move |event: &SessionEvent| match event.kind {
            EventKind::Refreshed => stage.count(Happened::Refreshed),
            EventKind::Adopted => stage.count(Happened::Adopted),
            EventKind::ReplayDetected => stage.count(Happened::Replayed),
            _ => {}
        });
    if settings.has_store() {
        builder = builder
            .store(network.clone())
            .store_deadline(Duration::from_millis(DEADLINE))
            .seal_records(seals);
    } else if seals {
        builder = builder.token_form(TokenForm::Sealed);
    }
    if let Mode::Hybrid(bound) = settings.mode {
        builder = builder.hybrid(Duration::from_millis(bound));
    }
    if let Some(moving) = &settings.moving {
        builder = adopting(builder, moving, &network);
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
