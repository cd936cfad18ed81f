//! The fleet and its visitors, for one seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use session_core::ConfigError;

use crate::backend::Backend;
use crate::browser::Browser;
use crate::clock::NodeClock;
use crate::events;
use crate::happened::Happened;
use crate::moving;
use crate::network::Network;
use crate::node::Node;
use crate::oracle::Oracle;
use crate::payload::upgrades_are_of;
use crate::planted::Planted;
use crate::random::{NodeRandom, Random};
use crate::settings::Settings;
use crate::stage::{Millis, Stage, lock};
use crate::visa::OtherSystem;
use crate::visit::{Options, Wish, visit};

pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) settings: Settings,
    pub(crate) nodes: Vec<Node>,
    pub(crate) browsers: Vec<Arc<Browser>>,
    pub(crate) oracle: Oracle,
    pub(crate) planted: Option<Planted>,
    /// Where some come from.
    pub(crate) other: OtherSystem,
    logins: AtomicU64,
    /// What went by last, for a proxy that keeps what it must not.
    passed: Mutex<Option<String>>,
}

impl World {
    /// Sets everything up, and lets everybody begin.
    pub(crate) fn begin(
        stage: &Stage,
        settings: Settings,
        planted: Option<Planted>,
    ) -> Result<Arc<Self>, ConfigError> {
        stage.note(|| format!("{settings:?}"));
        upgrades_are_of(stage, planted);
        stage.count(settings.mode.run());
        let weather = settings.weather.clone();
        let backend = Arc::new(Backend::new(stage, &weather, planted));
        let network =
            Network { stage: stage.clone(), weather, backend: Arc::clone(&backend), must_seal: false };
        let nodes = (0..settings.nodes).map(|number| {
            let skew = skew(&mut stage.random(), settings.weather.skew);
            if skew != 0 {
                stage.count(Happened::ClockSkewed);
            }
            let random = node_random(stage, planted);
            Node::new(
                number,
                NodeClock::new(stage, skew),
                network.clone(),
                settings.of_node(number, planted),
                random,
            )
        });
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let browsers = (0..settings.browsers).map(|number| Arc::new(Browser::new(number, None))).collect();
        let oracle = Oracle::new(stage, &settings, &backend);
        let other = OtherSystem::new(NodeClock::new(stage, skew(&mut stage.random(), settings.weather.skew)));
        let logins = AtomicU64::new(1);
        let world = Self {
            stage: stage.clone(),
            settings,
            nodes,
            browsers,
            oracle,
            planted,
            other,
            logins,
            passed: Mutex::default(),
        };
        let world = Arc::new(world);
        events::begin(&world);
        moving::begin(&world);
        for browser in &world.browsers {
            for _ in 0..world.settings.tabs {
                stage.spawn(surf(Arc::clone(&world), Arc::clone(browser)));
            }
        }
        Ok(world)
    }

    pub(crate) fn account(&self, number: usize) -> String {
        self.settings.account(number)
    }

    pub(crate) fn next_login(&self) -> u64 {
        self.logins.fetch_add(1, Ordering::Relaxed)
    }

    /// The proxy between nodes and browsers.
    pub(crate) fn pass_on(&self, set_cookie: Option<String>) -> Option<String> {
        if self.planted != Some(Planted::ProxyMixesAnswers) {
            return set_cookie;
        }
        let set_cookie = set_cookie?;
        let before = lock(&self.passed).replace(set_cookie.clone());
        before.filter(|_| self.stage.random().chance(50)).or(Some(set_cookie))
    }

    pub(crate) fn node_random(&self) -> NodeRandom {
        node_random(&self.stage, self.planted)
    }
}

fn node_random(stage: &Stage, planted: Option<Planted>) -> NodeRandom {
    let seed = stage.random().next();
    NodeRandom::new(seed, planted == Some(Planted::RandomRepeats))
}

/// As far off as a clock may be.
pub(crate) fn skew(random: &mut Random, most: Millis) -> i64 {
    let most = i64::try_from(most).unwrap_or_default();
    i64::try_from(random.within(0..=most.unsigned_abs() * 2)).unwrap_or_default() - most
}

/// A tab: request after request, close together or far apart, and several at once.
async fn surf(world: Arc<World>, browser: Arc<Browser>) {
    let stage = world.stage.clone();
    while stage.now() < world.settings.end {
        let (pause, wish, at_once) = {
            let mut random = stage.random();
            let longest = random.pick(&[20, 1_500, 20_000, 90_000]);
            let has_cookie = browser.cookie().is_some() || browser.visa().is_some() && random.chance(600);
            let wish = wish(&mut random, &world, has_cookie);
            (random.within(0..=longest), wish, random.chance(250))
        };
        stage.sleep(pause).await;
        if let Some(other) = at_the_same_time(&mut stage.random(), wish) {
            stage.spawn(visit(Arc::clone(&world), Arc::clone(&browser), other));
        }
        let request = visit(Arc::clone(&world), Arc::clone(&browser), wish);
        if at_once { stage.spawn(request) } else { request.await }
    }
}

/// What ends or changes a session meets something else that does, now and then.
fn at_the_same_time(random: &mut Random, wish: Wish) -> Option<Wish> {
    let meets = matches!(wish, Wish::Rotate | Wish::LogOut | Wish::RevokeOthers | Wish::RevokeAll);
    (meets && random.chance(200))
        .then(|| random.pick(&[Wish::Rotate, Wish::LogOut, Wish::RevokeAll, Wish::Update, Wish::Refresh]))
}

/// What comes next, more often what people do more often.
fn wish(random: &mut Random, world: &World, has_cookie: bool) -> Wish {
    let log_in = |random: &mut Random| {
        let account = random.index(world.settings.accounts);
        let attempt = random.chance(500).then(|| random.pick(&[0, 30, 3_000]));
        let at_most = random.chance(100).then(|| random.within(60..=600));
        Wish::LogIn(Options { account, attempt, is_remembered: !random.chance(200), at_most })
    };
    if !has_cookie {
        return if random.chance(800) { log_in(random) } else { Wish::Use };
    }
    match random.below(1000) {
        0..420 => Wish::Use,
        420..490 => Wish::Look,
        490..500 => Wish::StepUp,
        500..560 => Wish::Recheck,
        560..680 => Wish::Refresh,
        680..860 => Wish::Update,
        860..890 => Wish::List,
        890..910 => log_in(random),
        910..930 => Wish::Rotate,
        930..960 => Wish::LogOut,
        960..980 => Wish::RevokeOthers,
        980..985 => Wish::RevokeAll,
        _ => Wish::Use,
    }
}
