//! What a handler does for a request, and what the oracle is told of it.

use std::sync::Mutex;
use std::time::Duration;

use session_core::adapter::Incoming;
use session_core::{ErrorKind, SessionError, SessionId, SessionManager};

use super::{Options, Wish};
use crate::happened::Happened;
use crate::node::Node;
use crate::oracle::{Begun, How, Login};
use crate::payload::Payload;
use crate::stage::lock;
use crate::token::Change;
use crate::world::World;

/// One request on its node.
pub(super) struct Visit<'a, U: Payload> {
    pub(super) world: &'a World,
    pub(super) node: &'a Node,
    pub(super) manager: &'a SessionManager<U>,
    pub(super) begun: &'a Begun,
    pub(super) incoming: Incoming<U>,
    /// The session that it began.
    pub(super) began: Mutex<Option<SessionId>>,
}

impl<U: Payload> Visit<'_, U> {
    pub(super) async fn fulfil(&self, wish: Wish) {
        if let Err(error) = self.act(wish).await {
            self.failed(wish, &error);
        }
    }

    async fn act(&self, wish: Wish) -> Result<(), SessionError> {
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
            Some(Change::Keep(token)) => {
                *lock(&self.began) = Some(token.sid);
                self.world.oracle.logged_in(&token, login);
            }
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
}
