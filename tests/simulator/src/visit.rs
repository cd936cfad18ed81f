//! One request: from the browser to a node, through the core, and back.

use std::sync::Arc;
use std::time::Duration;

use session_core::adapter::{Incoming, ResponseChanges};
use session_core::testing::TestRequest;
use session_core::{ErrorKind, SessionError, SessionManager};

use crate::browser::Browser;
use crate::happened::Happened;
use crate::node::{Node, Program};
use crate::oracle::{Begun, How, Login};
use crate::payload::Payload;
use crate::stage::{Cut, Millis};
use crate::token::{Change, Token};
use crate::world::World;

/// What a browser wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Use,
    /// The status.
    Look,
    /// A handler that must not act for a session that ended elsewhere.
    Recheck,
    Refresh,
    Update,
    List,
    LogIn(Options),
    Rotate,
    LogOut,
    RevokeOthers,
    RevokeAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) account: usize,
    /// How long the password check takes between an attempt and its login; `None` for a login without an attempt.
    pub(crate) attempt: Option<Millis>,
    pub(crate) is_remembered: bool,
    /// In seconds.
    pub(crate) at_most: Option<u64>,
}

/// One request on its node.
struct Visit<'a, U: Payload> {
    world: &'a World,
    node: &'a Node,
    manager: &'a SessionManager<U>,
    begun: &'a Begun,
    incoming: Incoming<U>,
}

/// Sends a request, and takes what comes back into the jar.
pub(crate) async fn visit(world: Arc<World>, browser: Arc<Browser>, wish: Wish) {
    let stage = &world.stage;
    let weather = &world.settings.weather;
    let token = browser.cookie();
    let (to, from, node, cut_after, is_lost) = {
        let mut random = stage.random();
        let cut_after = random.chance(weather.request_is_cut).then(|| random.within(0..=12));
        let flights = (random.within(0..=weather.flight), random.within(0..=weather.flight));
        let node = random.index(world.nodes.len());
        (flights.0, flights.1, node, cut_after, random.chance(weather.response_is_lost))
    };
    stage.count(Happened::Request);
    if matches!(wish, Wish::LogIn(_) | Wish::Rotate | Wish::LogOut | Wish::RevokeAll) {
        world.oracle.is_to_end(token.as_ref());
    }
    stage.sleep(to).await;
    let node = &world.nodes[node];
    let begun = node.begin(token.as_ref());
    stage.note(|| {
        let shown = token.as_ref().map(|token| (token.sid, token.generation, token.expires_at));
        format!("browser {} to node {}: {wish:?} {shown:?}", browser.number, node.number)
    });
    let work = work(&world, node, &begun, wish);
    let life = node.life();
    let changes = Cut { future: Box::pin(work), polls: cut_after, is_over: || node.life() != life }.await;
    world.oracle.is_over(&begun);
    let Some(changes) = changes else {
        stage.count(Happened::RequestCut);
        return stage.note(|| format!("browser {} was cut off", browser.number));
    };
    let sent = stage.now();
    stage.sleep(from).await;
    if is_lost {
        return stage.count(Happened::ResponseLost);
    }
    match changes.set_cookie().map(Change::read) {
        Some(Some(change)) => {
            stage.note(|| format!("browser {}: {change}", browser.number));
            if browser.take(change, sent) {
                stage.count(Happened::ResponseOvertaken);
            }
        }
        Some(None) => stage.fail(|| "a Set-Cookie that nobody can read".to_owned()),
        None => {}
    }
}

async fn work(world: &World, node: &Node, begun: &Begun, wish: Wish) -> ResponseChanges {
    match node.running().program {
        Program::Old(manager) => work_in(world, node, &manager, begun, wish).await,
        Program::New(manager) => work_in(world, node, &manager, begun, wish).await,
    }
}

async fn work_in<U: Payload>(
    world: &World,
    node: &Node,
    manager: &SessionManager<U>,
    begun: &Begun,
    wish: Wish,
) -> ResponseChanges {
    let head = TestRequest::new(if wish == Wish::Use { "GET" } else { "POST" }, "/");
    let head = match &begun.token {
        Some(token) => head.cookie(&token.cookie),
        None => head,
    };
    let slot = manager.slot();
    let incoming = slot.receive(&head);
    let visit = Visit { world, node, manager, begun, incoming };
    if let Err(error) = visit.fulfil(wish).await {
        visit.failed(wish, &error);
    }
    let changes = slot.close(&());
    visit.sends(&changes);
    changes
}

impl<U: Payload> Visit<'_, U> {
    async fn fulfil(&self, wish: Wish) -> Result<(), SessionError> {
        let session = self.incoming.session();
        match wish {
            Wish::Use => {
                let calls = self.node.network.backend.calls();
                self.incoming.open().await?;
                if self.world.settings.has_store() && self.node.network.backend.calls() == calls {
                    self.world.stage.count(Happened::ServedFromMemory);
                }
                self.saw(How::Used);
            }
            Wish::Look => {
                self.incoming.peek().await?;
                self.saw(How::LookedAt);
            }
            Wish::Recheck => {
                self.incoming.open().await?;
                session.recheck().await?;
                self.saw(How::Asked);
            }
            Wish::Refresh => {
                session.refresh().await?;
                self.saw(How::Asked);
            }
            Wish::Update => self.update().await?,
            Wish::List => {
                let devices = session.list().await?;
                let handles: Vec<String> = devices.iter().map(|device| device.id.clone()).collect();
                self.world.oracle.listed(self.begun, &handles);
                self.saw(How::Asked);
            }
            Wish::LogIn(options) => self.log_in(options).await?,
            Wish::Rotate => self.rotate().await?,
            Wish::LogOut => self.log_out().await?,
            Wish::RevokeOthers | Wish::RevokeAll => self.revoke(wish == Wish::RevokeOthers).await?,
        }
        Ok(())
    }

    fn saw(&self, how: How) {
        if let Some(user) = self.incoming.session().user() {
            self.world.oracle.served(self.begun, self.node.done(), &user.seen(), how);
        }
    }

    fn shown(&self) -> Option<Login> {
        self.world.oracle.login(self.begun.token.as_ref()?.sid)
    }

    async fn update(&self) -> Result<(), SessionError> {
        let login = self.shown();
        if let Some(login) = &login {
            self.world.oracle.update_sent(login.serial);
        }
        let user = self.incoming.session().update(Payload::add_one).await?;
        self.world.oracle.served(self.begun, self.node.done(), &user.seen(), How::Asked);
        if let Some(login) = &login {
            self.world.oracle.update_done(login.serial, self.begun);
        }
        Ok(())
    }

    async fn log_in(&self, options: Options) -> Result<(), SessionError> {
        let (world, stage) = (self.world, &self.world.stage);
        let account = world.account(options.account);
        let asked = stage.now();
        let (mut attempt, mut began) = (None, None);
        if let Some(check) = options.attempt.filter(|_| world.settings.has_store()) {
            attempt = Some(self.manager.attempt(&account).await?);
            began = Some(stage.now());
            stage.sleep(check).await;
        }
        let session = self.incoming.session();
        let serial = world.next_login();
        let user = U::begin(&account, serial);
        let mut login = session.create(user).remember(options.is_remembered);
        if let Some(at_most) = options.at_most {
            login = login.at_most(Duration::from_secs(at_most));
        }
        if let Some(attempt) = attempt {
            login = login.verified(attempt);
        }
        let token = match login.await {
            Err(error) if error.kind() == ErrorKind::LoginOvertaken => {
                world.oracle.overtaken(&account, asked);
                return Ok(());
            }
            token => token?,
        };
        let times = &world.settings.times;
        let unremembered = if options.is_remembered { u64::MAX } else { times.unremembered };
        let lifetime = times.absolute.min(unremembered).min(options.at_most.unwrap_or(u64::MAX));
        let began = began.unwrap_or(stage.now());
        self.logged_in(
            token.expose(),
            Login {
                account,
                serial,
                asked,
                began,
                done: stage.now(),
                authenticated_at: self.latest_wall(),
                lifetime,
                rotated_from: None,
            },
        );
        // Of another account it is ended once the login stands; where that fails, the login stands all the same.
        if world.settings.weather.store_is_well() {
            world.oracle.ended(self.begun, false);
        }
        Ok(())
    }

    /// What the node's clock can have shown since the request came.
    fn latest_wall(&self) -> i64 {
        let done = self.node.done();
        let was_set = done.jumps != self.begun.jumps;
        let error = if was_set { 2 * self.world.settings.weather.skew / 1000 } else { 0 };
        done.wall + i64::try_from(error).unwrap_or_default()
    }

    async fn rotate(&self) -> Result<(), SessionError> {
        let token = self.incoming.session().reauthenticate().await?;
        let (Some(before), Some(shown)) = (self.shown(), &self.begun.token) else { return Ok(()) };
        self.logged_in(
            token.expose(),
            Login {
                done: self.world.stage.now(),
                authenticated_at: self.latest_wall(),
                rotated_from: Some(shown.sid),
                ..before
            },
        );
        self.world.stage.count(Happened::Rotated);
        self.world.oracle.ended(self.begun, true);
        Ok(())
    }

    fn logged_in(&self, token: &str, login: Login) {
        let line = format!("{}={token}", self.manager.cookie_name());
        match Change::read(&line) {
            Some(Change::Keep(token)) => self.world.oracle.logged_in(&token, login),
            _ => self.world.stage.fail(|| "a login without a token".to_owned()),
        }
    }

    async fn log_out(&self) -> Result<(), SessionError> {
        let opens_first = self.world.stage.random().chance(500);
        if opens_first && self.incoming.open().await.is_ok() {
            self.saw(How::Used);
        }
        self.incoming.session().destroy().await?;
        self.world.stage.count(Happened::LoggedOut);
        self.world.oracle.ended(self.begun, false);
        Ok(())
    }

    async fn revoke(&self, others: bool) -> Result<(), SessionError> {
        let (Some(login), Some(token)) = (self.shown(), &self.begun.token) else { return Ok(()) };
        let oracle = &self.world.oracle;
        let name = oracle.revokes(Some(&login.account), others.then_some(token.sid));
        let session = self.incoming.session();
        match others {
            true => session.revoke_others().await?,
            false => session.revoke_all().await?,
        };
        oracle.revoked(name, self.begun.place);
        self.world.stage.count(if others { Happened::OthersRevoked } else { Happened::AccountRevoked });
        if !others {
            oracle.ended(self.begun, true);
        }
        Ok(())
    }

    fn failed(&self, wish: Wish, error: &SessionError) {
        let (stage, oracle) = (&self.world.stage, &self.world.oracle);
        stage.note(|| format!("node {} answers {wish:?} with {:?}", self.node.number, error.kind()));
        match error.kind() {
            kind if kind.is_unauthenticated() && !matches!(wish, Wish::LogIn(_)) => {
                oracle.refused(self.begun, kind);
            }
            kind @ ErrorKind::StoreUnavailable => oracle.unavailable(kind),
            ErrorKind::SessionLimit if self.world.settings.limit.is_some() => {
                stage.count(Happened::LimitReached)
            }
            ErrorKind::StoreRequired if !self.world.settings.has_store() => {}
            kind => stage.fail(|| format!("{wish:?} ended with {kind:?}: {error}")),
        }
    }

    /// What a response keeps in the browser is of the session that the request was served, or of a login.
    fn sends(&self, changes: &ResponseChanges) {
        let Some(Change::Keep(token)) = changes.set_cookie().and_then(Change::read) else { return };
        if token.is_sealed {
            self.world.stage.count(Happened::TokenSealed);
        }
        let is_shown = self.begun.token.as_ref().is_some_and(|shown: &Token| shown.sid == token.sid);
        let is_login = self.world.oracle.login(token.sid).is_some_and(|login| login.done >= self.begun.at);
        if !is_shown && !is_login {
            self.world.stage.fail(|| format!("a response keeps {:?}, which it was not asked for", token.sid));
        }
    }
}
