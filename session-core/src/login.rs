//! A login that is about to happen, and what it may be given.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::attempt::Attempt;
use crate::error::SessionError;
use crate::terms::{Actor, LONGEST_METHOD, MOST_METHODS, Origin, Terms};
use crate::time::Timestamp;

/// A login. It happens when it is awaited; before that it may be told more:
///
/// ```
/// # use std::time::Duration;
/// # use session_core::{Session, SessionError, SessionManager, SessionPayload};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct User { user_id: String }
/// # impl SessionPayload for User { fn subject(&self) -> Option<std::borrow::Cow<'_, str>> { Some((&self.user_id).into()) } }
/// # async fn example(session: Session<User>, user: User, keep: bool) -> Result<(), SessionError> {
/// session.create(user).remember(keep).methods(["pwd"]).await?;
/// # Ok(()) }
/// ```
///
/// `T` is what comes of it. A value out of range is `Misuse` when it is awaited.
#[must_use = "a login happens only when it is awaited: add .await"]
pub struct Login<'a, T>(Pin<Box<dyn Job<T> + 'a>>);

/// What a login is given beyond the usual.
#[derive(Clone, Default)]
pub(crate) struct LoginOptions {
    pub(crate) remember: Option<bool>,
    pub(crate) at_most: Option<Duration>,
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) methods: Vec<String>,
    pub(crate) level: Option<u8>,
    pub(crate) attempt: Option<Attempt>,
    /// Who acts as the user, and when that ends at the latest.
    pub(crate) actor: Option<Actor>,
    pub(crate) ends_by: Option<Timestamp>,
    /// Another system began the session.
    pub(crate) origin: Option<Origin>,
    /// The first value that is out of range.
    pub(crate) mistake: Option<&'static str>,
}

impl LoginOptions {
    /// The terms of the login, if it goes on with a session that had these.
    pub(crate) fn terms(&self, before: Option<&Terms>) -> Terms {
        let Some(before) = before else { return self.terms_after(Terms::default()) };
        let mut terms = self.terms_after(before.clone());
        terms.level = terms.level.max(before.level);
        terms
    }

    fn terms_after(&self, before: Terms) -> Terms {
        let mut methods = before.methods.clone();
        let new = self.methods.iter().filter(|method| !before.methods.contains(method));
        methods.extend(new.cloned());
        // What was proven last says most.
        methods.drain(..methods.len().saturating_sub(MOST_METHODS));
        Terms {
            at_most: self.at_most.or(before.at_most),
            is_remembered: self.remember.unwrap_or(before.is_remembered),
            level: self.level.unwrap_or(before.level),
            methods,
            actor: self.actor.clone().or(before.actor),
            origin: self.origin,
            ..before
        }
    }
}

impl<'a, T> Login<'a, T> {
    pub(crate) fn new<F>(start: impl FnOnce(LoginOptions) -> F + Send + 'a) -> Self
    where
        F: Future<Output = Result<T, SessionError>> + Send + 'a,
    {
        Self(Box::pin(Work { options: LoginOptions::default(), start: Some(start), running: None }))
    }

    /// Whether the cookie outlives the browser: "remember me". With `false` it has no Max-Age, and the session ends at
    /// the latest [`Lifetimes::unremembered`](crate::Lifetimes::unremembered) after the login, since browsers that
    /// restore their tabs keep such cookies. Kept with every refresh. Default `true`.
    pub fn remember(mut self, remember: bool) -> Self {
        self.options().remember = Some(remember);
        self
    }

    /// Ends the session at the latest so long after the login, in whole seconds: shortens the absolute lifetime, and
    /// never lengthens it. Kept with every refresh; a re-authentication counts anew. Default: none.
    pub fn at_most(mut self, lifetime: Duration) -> Self {
        let lifetime = Duration::from_secs(lifetime.as_secs());
        self.check(
            !lifetime.is_zero(),
            "at_most is less than a second, so the session would be over at once",
        );
        self.options().at_most = Some(lifetime);
        self
    }

    /// When the user proved who they are, if that was earlier: the `auth_time` of an identity provider. The absolute
    /// lifetime and [`Fresh`](crate::Fresh) count from then. What lies in the future counts as now. Default: now.
    pub fn authenticated_at(mut self, at: Timestamp) -> Self {
        self.options().authenticated_at = Some(at);
        self
    }

    /// How the user was verified: the claim `amr`, with the names of RFC 8176 (`pwd`, `otp`, `hwk`) or your own. At
    /// most 8, of 1 to 32 visible ASCII characters. Default: none.
    pub fn methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        // One more than there can be says that there are too many.
        let methods: Vec<String> = methods.into_iter().take(MOST_METHODS + 1).map(Into::into).collect();
        self.check(methods.len() <= MOST_METHODS, "a login has at most 8 methods");
        let is_name = |method: &String| {
            (1..=LONGEST_METHOD).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_graphic())
        };
        self.check(methods.iter().all(is_name), "the name of a method is 1 to 32 visible ASCII characters");
        self.options().methods = methods;
        self
    }

    /// How sure it is who the user is: the claim `acr`. 1 is a login, the default; 0 waits for a second factor, and only
    /// [`Pending`](crate::Pending) lets it in until [`complete`](crate::Session::complete); what more means is yours, see
    /// [`Level`](crate::Level).
    pub fn level(mut self, level: u8) -> Self {
        self.options().level = Some(level);
        self
    }

    /// The [attempt](crate::SessionManager::attempt) that began before the password was looked up: 401
    /// `LOGIN_OVERTAKEN` if the account's sessions were ended since.
    pub fn verified(mut self, attempt: Attempt) -> Self {
        self.options().attempt = Some(attempt);
        self
    }

    fn check(&mut self, is_good: bool, mistake: &'static str) {
        if !is_good {
            self.options().mistake.get_or_insert(mistake);
        }
    }

    fn options(&mut self) -> &mut LoginOptions {
        self.0.as_mut().options()
    }
}

impl<T> Future for Login<'_, T> {
    type Output = Result<T, SessionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Login<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// Options and operation in one allocation.
trait Job<T>: Future<Output = Result<T, SessionError>> + Send {
    fn options(self: Pin<&mut Self>) -> &mut LoginOptions;
}

pin_project! {
    struct Work<S, F> {
        options: LoginOptions,
        start: Option<S>,
        #[pin]
        running: Option<F>,
    }
}

impl<T, S, F> Job<T> for Work<S, F>
where
    S: FnOnce(LoginOptions) -> F + Send,
    F: Future<Output = Result<T, SessionError>> + Send,
{
    fn options(self: Pin<&mut Self>) -> &mut LoginOptions {
        self.project().options
    }
}

impl<S: FnOnce(LoginOptions) -> F, F: Future> Future for Work<S, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Some(start) = this.start.take() {
            let options = std::mem::take(this.options);
            this.running.set(Some(start(options)));
        }
        match this.running.as_pin_mut() {
            Some(running) => running.poll(context),
            None => Poll::Pending,
        }
    }
}
