//! What the servers of one test share.

use std::time::Duration;

use session_core::testing::{FaultyStore, ManualClock, logged_in_cookie};
use session_core::{CookieSettings, KeyRing, SessionManager, SessionManagerBuilder, Timestamp};

use super::{Admin, App, Framework, Mode, Server, User};

/// Signs every token of the tests.
pub(crate) const SECRET: &str = "the secret of the tests, thirty-two bytes and more";

/// A clock and a store. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: FaultyStore,
}

impl World {
    /// Starts at 2026-01-01T00:00:00Z with an empty store.
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_unix_seconds(1_767_225_600));
        Self { clock, store: FaultyStore::default() }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Users in the cookie alone.
    pub(crate) fn stateless(&self) -> SessionManagerBuilder<User> {
        SessionManager::builder().keys(keys()).clock(self.clock.clone())
    }

    /// Users in the store.
    pub(crate) fn tracked(&self) -> SessionManagerBuilder<User> {
        self.stateless().store(self.store.clone())
    }

    /// Users where this mode keeps them.
    pub(crate) fn users(&self, mode: Mode) -> SessionManagerBuilder<User> {
        match mode {
            Mode::Stateless => self.stateless(),
            Mode::Tracked => self.tracked(),
            Mode::Hybrid => self.tracked().hybrid(Duration::from_secs(30)),
        }
    }

    /// Administrators, in the same store, with a cookie of their own.
    pub(crate) fn admins(&self) -> SessionManager<Admin> {
        SessionManager::builder()
            .keys(keys())
            .clock(self.clock.clone())
            .store(self.store.clone())
            .cookie(CookieSettings::default().name("__Host-admin"))
            .build()
            .unwrap()
    }

    /// Serves the app for these users.
    pub(crate) async fn serve<F: Framework>(&self, users: SessionManagerBuilder<User>) -> Server {
        F::serve(App { users: users.build().unwrap(), admins: None, world: self.clone() }).await
    }

    /// Serves the app for tracked users and administrators.
    pub(crate) async fn serve_both<F: Framework>(&self) -> Server {
        let users = self.tracked().build().unwrap();
        F::serve(App { users, admins: Some(self.admins()), world: self.clone() }).await
    }

    /// A cookie that is well signed for the users of `server`, and whose payload is none of theirs: as after a deploy
    /// that changed the type.
    pub(crate) async fn cookie_of_another_shape(&self, server: &Server) -> String {
        let others = SessionManager::builder().keys(keys()).clock(self.clock.clone());
        let others = if server.is_tracked { others.store(self.store.clone()) } else { others };
        let admin = Admin { admin_id: "root".to_owned() };
        logged_in_cookie(&others.build().unwrap(), admin).await.unwrap()
    }

    /// A world of its own with a server in it that keeps its users so.
    pub(crate) async fn in_mode<F: Framework>(mode: Mode) -> (Self, Server) {
        let world = Self::new();
        let mut server = world.serve::<F>(world.users(mode)).await;
        server.is_tracked = mode != Mode::Stateless;
        (world, server)
    }

    /// A world of its own with a server for tracked users in it.
    pub(crate) async fn with_store<F: Framework>() -> (Self, Server) {
        Self::in_mode::<F>(Mode::Tracked).await
    }

    /// A world of its own with a server for stateless users in it.
    pub(crate) async fn without_store<F: Framework>() -> (Self, Server) {
        Self::in_mode::<F>(Mode::Stateless).await
    }
}

pub(crate) fn keys() -> KeyRing {
    KeyRing::from_secret(SECRET).unwrap()
}
