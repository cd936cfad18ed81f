//! Stores of ours and of others behind the same two doors.

pub mod actix;
pub mod http;
pub mod load;
pub mod ours;
pub mod raw;
pub mod tower;

use std::pin::Pin;
use std::sync::Arc;

use session_benches::workload::User;

type Answer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store with sessions in it.
#[derive(Clone)]
pub struct Subject {
    pub name: &'static str,
    /// Makes a session, the next one; `None` where it is not compared.
    pub login: Option<Arc<dyn Fn() -> Answer + Send + Sync>>,
    /// Reads the `n`th session of those that it was made with.
    pub load: Arc<dyn Fn(u64) -> Answer + Send + Sync>,
}

impl Subject {
    pub fn new<L, C>(
        name: &'static str,
        load: impl Fn(u64) -> L + Send + Sync + 'static,
        login: impl Fn() -> C + Send + Sync + 'static,
    ) -> Self
    where
        L: Future<Output = ()> + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let login = move || -> Answer { Box::pin(login()) };
        Self { login: Some(Arc::new(login)), ..Self::reading(name, load) }
    }

    pub fn reading<L>(name: &'static str, load: impl Fn(u64) -> L + Send + Sync + 'static) -> Self
    where
        L: Future<Output = ()> + Send + 'static,
    {
        Self { name, login: None, load: Arc::new(move |nth| Box::pin(load(nth))) }
    }

    /// The same, of which only the first few sessions are read, again and again.
    #[must_use]
    pub fn of_few(&self, name: &'static str, few: u64) -> Self {
        let load = Arc::clone(&self.load);
        Self { name, login: None, load: Arc::new(move |nth| load(nth % few)) }
    }

    /// Adds sessions, from many clients.
    pub async fn fill(&self, count: u64) {
        let Some(login) = &self.login else { return };
        let clients: Vec<_> = (0..64_u64)
            .map(|client| {
                let login = Arc::clone(login);
                tokio::spawn(async move {
                    for _ in (client..count).step_by(64) {
                        login().await;
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("a client");
        }
    }
}

/// Whoever logs in.
#[must_use]
pub fn user(number: u64) -> User {
    User { user_id: format!("user-{number:07}"), ..User::alice() }
}

/// How many sessions are there to be read.
pub const READ: u64 = 10_000;
