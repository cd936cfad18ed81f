//! What a handler does for a request, and what the oracle is told of it.

use std::sync::Mutex;
use std::time::Duration;

use session_core::adapter::Incoming;
use session_core::{ErrorKind, SessionError, SessionId, SessionManager};

use super::notes::Note;
use super::{Options, Wish};
use crate::happened::Happened;
use crate::node::Node;
use crate::oracle::{Begun, How, Login};
use crate::payload::Payload;
use crate::stage::lock;
use crate::token::Change;
use crate::visa::seconds;
use crate::world::World;

const LONGER_THAN_ANY_RUN: Duration = Duration::from_secs(7_200);

/// One request on its node.
pub(super) struct Visit<'a, U: Payload> {
    pub(super) world: &'a World,
    pub(super) node: &'a Node,
    pub(super) manager: &'a SessionManager<U>,
    pub(super) begun: &'a Begun,
    pub(super) incoming: Incoming<U>,
    /// The session that it began.
    pub(super) began: Mutex<Option<SessionId>>,
    pub(super) notes: Mutex<Vec<Note>>,
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
                self.note(Note::Listed(devices.iter().map(|device| device.id.clone()).collect()));
                self.saw(How::Asked);
            }
            Wish::StepUp => self.step_up().await?,
            Wish::LogIn(options) => self.log_in(options).await?,
            Wish::Rotate => self.rotate().await?,
            Wish::LogOut => self.log_out().await?,
            Wish::RevokeOthers | Wish::RevokeAll => self.revoke(wish == Wish::RevokeOthers).await?,
        }
        Ok(())
    }

    fn saw(&self, how: How) {
        if let Some(user) = self.incoming.session().user() {
            self.note(Note::Saw(user.seen(), how));
        }
    }

    fn shown(&self) -> Option<Login> {
        self.world.oracle.login(self.begun.token.as_ref()?.sid)
    }

    /// The login of the session that was opened: by its token, unless it was adopted.
    fn opened(&self) -> Option<(Login, Option<SessionId>)> {
        let shown = || Some((self.shown()?, Some(self.begun.token.as_ref()?.sid)));
        let Some(visa) = &self.begun.visa else { return shown() };
        let seen = self.incoming.session().user()?.seen();
        let adopted = || Some((self.world.oracle.login_with(visa, self.latest_wall())?, None));
        // Of one without a name another session may have been made just now.
        let is_its =
            |login: &Login| login.serial == seen.login && (visa.is_named() || login.serial != visa.serial);
        shown().filter(|(login, _)| is_its(login)).or_else(adopted)
    }

    async fn step_up(&self) -> Result<(), SessionError> {
        let proof = self.incoming.session().require_fresh(LONGER_THAN_ANY_RUN).await;
        let is_fresh = match proof {
            Err(error) if error.kind() != ErrorKind::ReauthenticationRequired => return Err(error),
            proof => proof.is_ok(),
        };
        self.note(Note::Proof(is_fresh));
        self.saw(How::Asked);
        Ok(())
    }

    async fn update(&self) -> Result<(), SessionError> {
        let shown = self.shown().map(|login| login.serial);
        let visa = self.begun.visa.as_ref().map(|visa| visa.serial);
        for serial in shown.into_iter().chain(visa.filter(|visa| Some(*visa) != shown)) {
            self.world.oracle.update_sent(serial);
        }
        let user = self.incoming.session().update(Payload::add_one).await?;
        self.note(Note::Updated(user.seen()));
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
                lifetime,
                ends_at: self.latest_wall() + seconds(lifetime),
                ends: stage.now() + lifetime * 1000,
                rotated_from: None,
            },
        );
        world.oracle.visa_ended(self.begun, self.node.done());
        // Of another account it is ended once the login stands; where that fails, the login stands all the same. It comes last,
        // and too late where each call takes long and foreign sessions cost some more of them.
        let weather = &world.settings.weather;
        if weather.store_is_quick() || (weather.store_is_well() && world.settings.moving.is_none()) {
            world.oracle.ended(self.begun, self.node.done(), false);
        }
        Ok(())
    }

    /// What the node's clock can have shown since the request came.
    pub(super) fn latest_wall(&self) -> i64 {
        let done = self.node.done();
        let was_set = done.jumps != self.begun.jumps;
        let error = if was_set { 2 * self.world.settings.weather.skew / 1000 } else { 0 };
        done.wall + i64::try_from(error).unwrap_or_default()
    }

    async fn rotate(&self) -> Result<(), SessionError> {
        let token = self.incoming.session().reauthenticate().await?;
        let Some((before, shown)) = self.opened() else { return Ok(()) };
        let now = self.world.stage.now();
        self.logged_in(
            token.expose(),
            Login {
                done: now,
                ends_at: self.latest_wall() + seconds(before.lifetime),
                ends: now + before.lifetime * 1000,
                rotated_from: shown,
                ..before
            },
        );
        self.world.stage.count(Happened::Rotated);
        match shown {
            Some(_) => self.world.oracle.ended(self.begun, self.node.done(), true),
            None => self.world.oracle.visa_ended(self.begun, self.node.done()),
        }
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
        // Whose session it was is not known where it was adopted: the answer has no cookie of it.
        if opens_first && self.incoming.open().await.is_ok() && self.begun.visa.is_none() {
            self.saw(How::Used);
            self.tell(None);
        }
        self.incoming.session().destroy().await?;
        self.world.stage.count(Happened::LoggedOut);
        self.world.oracle.ended(self.begun, self.node.done(), false);
        self.world.oracle.visa_ended(self.begun, self.node.done());
        Ok(())
    }

    async fn revoke(&self, others: bool) -> Result<(), SessionError> {
        if self.begun.visa.is_some() {
            self.incoming.open().await?;
        }
        let Some((login, shown)) = self.opened() else { return Ok(()) };
        let oracle = &self.world.oracle;
        let name = oracle.revokes(Some(&login.account), self.node.done().wall);
        let session = self.incoming.session();
        match others {
            true => session.revoke_others().await?,
            false => session.revoke_all().await?,
        };
        self.world.stage.count(if others { Happened::OthersRevoked } else { Happened::AccountRevoked });
        if others {
            self.note(Note::OthersRevoked(name));
            return Ok(());
        }
        let done = self.node.done();
        oracle.revoked(name, None, self.begun.place, done.wall);
        if shown.is_some() {
            oracle.ended(self.begun, done, true);
        }
        Ok(())
    }

    fn failed(&self, wish: Wish, error: &SessionError) {
        let (stage, oracle) = (&self.world.stage, &self.world.oracle);
        stage.note(|| format!("node {} answers {wish:?} with {:?}", self.node.number, error.kind()));
        match error.kind() {
            kind if kind.is_unauthenticated() && !matches!(wish, Wish::LogIn(_)) => {
                oracle.refused(self.begun, kind, wish != Wish::Look);
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
