//! The accounts, and whether a password is right.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use anyhow::Context as _;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use session_core::{Revalidation, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::User;
use crate::second_factor::SecondFactor;
use crate::user::Role;

/// The two accounts: user id, name, mail address, role and the password's hash, as a database would hold them.
/// Argon2id with m = 19 MiB, t = 2, p = 1, the least that the OWASP Password Storage Cheat Sheet asks for.
const ACCOUNTS: [(&str, &str, &str, Role, &str); 2] = [
    (
        "user-1",
        "alice",
        "alice@example.com",
        Role::Admin,
        "$argon2id$v=19$m=19456,t=2,p=1$gvmN+0nTu82UGM90XcRssA$rjRGTt76o4/0gGDqT7o1YUcOp7/vAnq93IJYgCpYNLM",
    ),
    (
        "user-2",
        "bob",
        "bob@example.com",
        Role::User,
        "$argon2id$v=19$m=19456,t=2,p=1$ajd33alPLIHlXtQb3TaEcA$gN4T6Kt7Tz8riiSgt0YRuO19eluxuUDHD+9l1y0bxkc",
    ),
];

/// What an unknown name is checked against: the hash of 32 random bytes that nobody has kept.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$lyfZ+Y5YQZp3hfS/DsCI5g$VEaXHlw0z0d6uCrHKkrFvveHEpvtH4C8ufboam+5uZM";

/// The id of no account: what a login with an unknown name is begun for, so that it takes as long.
const NO_ID: &str = "nobody";

/// The name or the password is wrong. Which of them is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongCredentials;

/// Knows the accounts, and checks passwords, a few at a time.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<Account>,
    nobody: Arc<PasswordHash>,
    /// Each check takes 19 MiB and a processor: no more at once than there are processors, the rest wait in line.
    at_once: Arc<Semaphore>,
    memory: Arc<Memory>,
}

/// The 19 MiB of each check, kept for the next one: an allocator that gets them back from one thread and is asked for
/// them by another one keeps more and more of them. There are as many as there were checks at once.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

#[derive(Debug)]
struct Account {
    /// Without the time of the login, and with the role that the account had at first.
    user: User,
    hash: Arc<PasswordHash>,
    changing: Mutex<Changing>,
}

/// What changes of an account, until the demo stops.
#[derive(Debug)]
struct Changing {
    role: Role,
    second_factor: SecondFactor,
}

impl Accounts {
    /// The two accounts of the demo.
    ///
    /// # Errors
    /// When one of the stored hashes is none.
    pub fn new() -> anyhow::Result<Self> {
        let accounts = ACCOUNTS.into_iter().map(Account::read).collect::<anyhow::Result<_>>()?;
        let nobody = parse(NOBODY)?;
        let at_once = available_parallelism().map_or(1, usize::from);
        Ok(Self { accounts, nobody, at_once: Arc::new(Semaphore::new(at_once)), memory: Arc::default() })
    }

    /// The user, if the password is right. Takes as long when there is no such user.
    ///
    /// # Errors
    /// [`WrongCredentials`], and nothing more precise.
    pub async fn check(
        &self,
        username: &str,
        password: String,
        now: Timestamp,
    ) -> Result<User, WrongCredentials> {
        let (account, hash) = self.find(username);
        let hash = Arc::clone(hash);
        let permit = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| WrongCredentials)?;
        let memory = Arc::clone(&self.memory);
        let check = spawn_blocking(move || {
            let is_right = memory.lend(|blocks| verify(&password, &hash, blocks)).unwrap_or(false);
            // Held by the work and not by the request, which may be gone by now.
            drop(permit);
            is_right
        });
        let is_right = check.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a password check did not finish");
            false
        });
        match account {
            Some(account) if is_right => Ok(account.logged_in(now)),
            _ => Err(WrongCredentials),
        }
    }

    /// The id of the account with this name, or of nobody: for the attempt, before anything else is read.
    #[must_use]
    pub fn id_of(&self, username: &str) -> &str {
        self.named(username).map_or(NO_ID, |account| &account.user.user_id)
    }

    /// The name of an account.
    #[must_use]
    pub fn name_of(&self, user_id: &str) -> Option<&str> {
        self.accounts
            .iter()
            .map(|account| &account.user)
            .find(|user| user.user_id == user_id)
            .map(|user| &*user.username)
    }

    /// The user with this name, as one who logs in now.
    #[must_use]
    pub fn user(&self, username: &str, now: Timestamp) -> Option<User> {
        self.named(username).map(|account| account.logged_in(now))
    }

    /// Names and roles of the other accounts.
    #[must_use]
    pub fn others(&self, username: &str) -> Vec<(&str, Role)> {
        let others = self.accounts.iter().filter(|account| account.user.username != username);
        others.map(|account| (&*account.user.username, account.changing().role)).collect()
    }

    /// Changes the role of an account. Its sessions are another matter.
    pub fn set_role(&self, username: &str, role: Role) {
        if let Some(account) = self.named(username) {
            account.changing().role = role;
        }
    }

    /// What becomes of a session with this user: it follows its account.
    #[must_use]
    pub fn revalidate(&self, user: &User) -> Revalidation<User> {
        match self.named(&user.username).map(|account| account.changing().role) {
            Some(role) if role == user.role => Revalidation::Keep,
            Some(role) => Revalidation::Replace(User { role, ..user.clone() }),
            None => Revalidation::End,
        }
    }

    /// Looks at the second factor of an account, or changes it. `None` when there is no such account.
    pub fn second_factor<T>(&self, username: &str, with: impl FnOnce(&mut SecondFactor) -> T) -> Option<T> {
        Some(with(&mut self.named(username)?.changing().second_factor))
    }

    fn named(&self, username: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.user.username == username)
    }

    /// The account of a name, and the hash to check the password against in any case.
    fn find(&self, username: &str) -> (Option<&Account>, &Arc<PasswordHash>) {
        let account = self.named(username);
        (account, account.map_or(&self.nobody, |account| &account.hash))
    }
}

impl Account {
    fn read(row: (&str, &str, &str, Role, &str)) -> anyhow::Result<Self> {
        let (user_id, username, email, role, hash) = row;
        let user = User {
            user_id: user_id.into(),
            username: username.into(),
            email: email.into(),
            role,
            last_login: String::new(),
            visits: 0,
        };
        let changing = Mutex::new(Changing { role, second_factor: SecondFactor::default() });
        Ok(Self { user, hash: parse(hash)?, changing })
    }

    fn logged_in(&self, now: Timestamp) -> User {
        User { last_login: now.to_string(), role: self.changing().role, ..self.user.clone() }
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(hash: &str) -> anyhow::Result<Arc<PasswordHash>> {
    PasswordHash::new(hash).map(Arc::new).context("a stored password hash is not in the PHC format")
}

impl Memory {
    /// The caller has a permit, so that no more is lent at once than may be.
    fn lend<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let mut blocks = self.kept().pop().unwrap_or_default();
        let done = work(&mut blocks);
        self.kept().push(blocks);
        done
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

/// Whether the password is the one of the hash, whose parameters count. `None`: the hash cannot be checked.
fn verify(password: &str, hash: &PasswordHash, blocks: &mut Vec<Block>) -> Option<bool> {
    let (salt, wanted) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    let params = Params::try_from(hash).ok()?;
    let size = params.block_count();
    if blocks.len() < size {
        blocks.resize(size, Block::new());
    }
    let mut found = [0; Output::MAX_LENGTH];
    let found = found.get_mut(..wanted.len())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, found, blocks.get_mut(..size)?).ok()?;
    // In constant time.
    Some(Output::new(found).ok()? == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(username: &str, password: &str) -> Result<User, WrongCredentials> {
        Accounts::new().unwrap().check(username, password.into(), Timestamp::EPOCH).await
    }

    #[tokio::test]
    async fn both_accounts_can_log_in() {
        let alice = check("alice", "wonderland").await.unwrap();
        assert_eq!((alice.role, alice.last_login.as_str()), (Role::Admin, "1970-01-01T00:00:00Z"));
        assert_eq!(check("bob", "builder").await.unwrap().role, Role::User);
    }

    #[tokio::test]
    async fn nobody_else_can() {
        for (username, password) in [
            ("alice", "builder"),
            ("alice", ""),
            ("alice", "wonderland "),
            ("Alice", "wonderland"),
            ("carol", "wonderland"),
            ("", ""),
        ] {
            assert_eq!(check(username, password).await, Err(WrongCredentials), "{username} {password}");
        }
    }

    #[test]
    fn an_unknown_user_costs_the_same_work() {
        let accounts = Accounts::new().unwrap();
        let (account, of_nobody) = accounts.find("carol");
        assert!(account.is_none());
        let (account, of_alice) = accounts.find("alice");
        assert!(account.is_some());
        assert_eq!(
            (of_nobody.algorithm, of_nobody.version, &of_nobody.params),
            (of_alice.algorithm, of_alice.version, &of_alice.params),
        );
        assert_eq!(of_nobody.params.to_string(), "m=19456,t=2,p=1");
    }

    #[tokio::test]
    async fn a_check_waits_for_its_turn() {
        let accounts = Accounts::new().unwrap();
        let all = accounts.at_once.available_permits();
        let taken = accounts.at_once.acquire_many(u32::try_from(all).unwrap()).await.unwrap();
        let waiting = accounts.check("alice", "wonderland".into(), Timestamp::EPOCH);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(std::time::Duration::ZERO, &mut waiting).await.is_err());
        drop(taken);
        assert!(waiting.await.is_ok());
        assert_eq!(accounts.at_once.available_permits(), all);
    }
}
