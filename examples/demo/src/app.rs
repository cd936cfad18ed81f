//! The app: one function per route, from plain data to a plain [`Answer`].
//!
//! | route | function | session |
//! |---|---|---|
//! | `GET /` | [`App::home`] | optional |
//! | `POST /login` | [`App::login`] | any |
//! | `POST /logout` | [`App::logout`] | any |
//! | `POST` of [`FORMS`] | [`App::form`] | required, by what each asks for |
//! | `GET /api/me` | [`App::me`] | required |
//! | `GET /api/admin` | [`App::admin`] | required, by the guard [`Admin`] |
//! | `GET /api/events` | [`App::events`] | required |
//! | `POST /api/visits` | [`App::visits`] | required |
//! | `GET /healthz` | [`App::healthz`] | untouched |
//! | `GET /assets/{name}` | [`App::asset`] | untouched |
//! | anything else | [`App::elsewhere`] | untouched |
//!
//! A person who goes to an address that is not there, or not theirs, gets a page; a program gets JSON.

use std::sync::Arc;

use serde::Serialize;
use session_core::{
    Clock, Flash, Guard as _, Pending, Session, SessionError, SessionManager, SystemClock, Timestamp,
};

use crate::accounts::Accounts;
use crate::events::{Events, served_by};
use crate::forms::FORMS;
use crate::guard::Admin;
use crate::login::{self, Body, Login, Style};
use crate::notice::Notice;
use crate::user::PublicUser;
use crate::{Answer, Asked, User, page};

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Framework {
    Axum,
    ActixWeb,
    Rocket,
}

impl Framework {
    /// In the order of their ports.
    pub const ALL: [Self; 3] = [Self::Axum, Self::ActixWeb, Self::Rocket];

    /// As its authors write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::ActixWeb => "actix-web",
            Self::Rocket => "Rocket",
        }
    }

    /// As the style sheet, the script and JSON write it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::ActixWeb => "actix-web",
            Self::Rocket => "rocket",
        }
    }
}

/// The app as one framework serves it. Cheap to clone.
#[derive(Clone)]
pub struct App {
    framework: Framework,
    shared: Arc<Shared>,
    sessions: SessionManager<User>,
    has_store: bool,
}

/// What all three have in common.
pub struct Shared {
    /// Who can log in.
    pub accounts: Arc<Accounts>,
    /// What happened to whose sessions; core's observer writes to it.
    pub events: Arc<Events>,
    /// The ports of axum, actix-web and Rocket.
    pub ports: [u16; 3],
    /// What a full countdown is, in seconds: the `max_age` of the sessions.
    pub max_age: u64,
    /// For the times in logins and errors.
    pub clock: Box<dyn Clock>,
}

impl Shared {
    /// With the system's clock and sessions of 24 hours.
    ///
    /// # Errors
    /// As [`Accounts::new`].
    pub fn new(ports: [u16; 3]) -> anyhow::Result<Self> {
        Ok(Self {
            accounts: Arc::new(Accounts::new()?),
            events: Arc::default(),
            ports,
            max_age: 86_400,
            clock: Box::new(SystemClock),
        })
    }
}

impl App {
    /// The app for one framework. Without a store a part of it is left out.
    #[must_use]
    pub fn new(
        framework: Framework,
        shared: Arc<Shared>,
        sessions: SessionManager<User>,
        has_store: bool,
    ) -> Self {
        Self { framework, shared, sessions, has_store }
    }

    /// Which framework serves this.
    #[must_use]
    pub fn framework(&self) -> Framework {
        self.framework
    }

    /// What all three have in common.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What is done to sessions beyond the one of the request.
    #[must_use]
    pub fn sessions(&self) -> &SessionManager<User> {
        &self.sessions
    }

    /// Whether sessions are kept, and can be ended and changed from elsewhere.
    #[must_use]
    pub fn has_store(&self) -> bool {
        self.has_store
    }

    /// `GET /`: the dashboard, or the form that is due: name and password, or the code.
    pub async fn home(&self, session: Result<Session<User>, SessionError>, asked: &Asked) -> Answer {
        let session = match session {
            Ok(session) => session,
            Err(error) => return self.refused(&error, asked),
        };
        let notice = Flash::check(session.clone()).await.and_then(|flash| flash.take()).ok().flatten();
        let next = asked.query.as_deref().and_then(login::next_of_query);
        let status = session.status();
        let html = match session.user() {
            Some(user) => {
                let actor = status.actor.as_deref().and_then(|actor| self.shared.accounts.name_of(actor));
                let times = page::Times::of(&status, self.now());
                page::dashboard(self, &page::Seen { user: &user, times, actor, notice })
            }
            None if Pending::check(session).await.is_ok() => page::code(self, next.as_deref(), notice),
            None => page::login(self, &page::Attempt::first(next).after(status.reason).saying(notice)),
        };
        Answer::page(200, html)
    }

    /// `POST /login`.
    pub async fn login(&self, session: &Session<User>, asked: &Asked, body: Body<'_>) -> Answer {
        let (style, login) = match login::parse(asked.content_type.as_deref(), body) {
            Ok(parsed) => parsed,
            Err(refusal) => return self.unreadable(refusal),
        };
        let (user, is_complete) = match self.log_in(session, &login).await {
            Ok(Some(logged_in)) => logged_in,
            Ok(None) => return self.wrong_credentials(style, &login),
            Err(error) => return error.into(),
        };
        match style {
            Style::Form if is_complete => self.see_next(session, login.next, Notice::LoggedIn).await,
            Style::Form => {
                let next = login.next.as_deref().map(login::home_for);
                self.see_next(session, next, Notice::CodeAsked).await
            }
            Style::Json if is_complete => Answer::json(200, &PublicUser::from(&user)),
            Style::Json => Answer::error(
                401,
                "LOGIN_INCOMPLETE",
                "The password is right. Send the code to /login/code.",
                self.now(),
            ),
        }
    }

    /// The user, and whether the login needs no code. `None` for a wrong name or password.
    async fn log_in(
        &self,
        session: &Session<User>,
        login: &Login,
    ) -> Result<Option<(User, bool)>, SessionError> {
        let accounts = &self.shared.accounts;
        // Before the hash is read: a password that is changed from here on logs nobody in.
        let attempt = match self.has_store {
            true => Some(self.sessions.attempt(accounts.id_of(&login.username)).await?),
            false => None,
        };
        let checked = accounts.check(&login.username, login.password.clone(), self.now()).await;
        let Ok(user) = checked else { return Ok(None) };
        let needs_code = accounts.second_factor(&user.username, |factor| factor.is_on()).unwrap_or(false);
        let mut create = session.create(user.clone()).remember(login.remember).methods(["pwd"]);
        if needs_code {
            create = create.level(0);
        }
        if let Some(attempt) = attempt {
            create = create.verified(attempt);
        }
        served_by(self.framework, create).await?;
        Ok(Some((user, !needs_code)))
    }

    fn wrong_credentials(&self, style: Style, login: &Login) -> Answer {
        match style {
            Style::Form => Answer::page(401, page::login(self, &page::Attempt::failed(login))),
            Style::Json => {
                let message = "The username or the password is wrong.";
                Answer::error(401, "INVALID_CREDENTIALS", message, self.now())
            }
        }
    }

    /// `POST /logout`: back to the page for a form, 204 for everybody else.
    pub async fn logout(&self, session: &Session<User>, asked: &Asked) -> Answer {
        match served_by(self.framework, session.destroy()).await {
            Err(error) => error.into(),
            Ok(_) if style_of(asked) == Style::Form => self.see_next(session, None, Notice::LoggedOut).await,
            Ok(_) => Answer::no_content(),
        }
    }

    /// `GET /api/me`.
    pub fn me(&self, user: &User) -> Answer {
        Answer::json(200, &PublicUser::from(user))
    }

    /// `GET /api/admin`.
    pub fn admin(&self, admin: Result<&Admin, SessionError>, asked: &Asked) -> Answer {
        match admin {
            Ok(admin) => Answer::json(200, &PublicUser::from(&**admin)),
            Err(error) => self.refused(&error, asked),
        }
    }

    /// `GET /api/events`: the last events of this user's sessions, newest first.
    pub fn events(&self, user: &User) -> Answer {
        Answer::json(200, &self.shared.events.of(&user.user_id))
    }

    /// `POST /api/visits`: one more.
    pub async fn visits(&self, session: &Session<User>) -> Answer {
        #[derive(Serialize)]
        struct Visits {
            visits: u64,
        }
        let more = |user: &mut User| user.visits = user.visits.saturating_add(1);
        match served_by(self.framework, session.update(more)).await {
            Ok(user) => Answer::json(200, &Visits { visits: user.visits }),
            Err(error) => error.into(),
        }
    }

    /// `GET /healthz`.
    pub fn healthz(&self) -> Answer {
        Answer::text(200, "ok")
    }

    /// `GET /assets/{name}`.
    pub fn asset(&self, name: &str, asked: &Asked) -> Answer {
        page::asset(name).unwrap_or_else(|| self.not_found(asked))
    }

    /// Every other request: 405 where another method would do, else 404.
    pub fn elsewhere(&self, asked: &Asked) -> Answer {
        match allowed(&asked.path) {
            Some(methods) => {
                let message = "This path has other methods: see the Allow header.";
                self.error(asked, 405, "METHOD_NOT_ALLOWED", message).header("allow", methods)
            }
            None => self.not_found(asked),
        }
    }

    /// To the next page, which says what was done.
    pub(crate) async fn see_next(
        &self,
        session: &Session<User>,
        next: Option<String>,
        notice: Notice,
    ) -> Answer {
        let left = Flash::check(session.clone()).await.and_then(|flash| flash.set(&notice));
        if let Err(error) = left {
            // It is done, whether the next page says so or not.
            tracing::debug!(%error, "no message for the next page");
        }
        Answer::see_other(next.unwrap_or_else(|| "/".into()))
    }

    pub(crate) fn unreadable(&self, refusal: login::Refusal) -> Answer {
        let (status, code, message) = refusal.answer();
        Answer::error(status, code, message, self.now())
    }

    fn not_found(&self, asked: &Asked) -> Answer {
        self.error(asked, 404, "NOT_FOUND", "There is nothing here.")
    }

    fn error(&self, asked: &Asked, status: u16, code: &str, message: &str) -> Answer {
        match asked.is_navigation {
            true => Answer::page(status, page::error(self, status, code, asked.is_acting)),
            false => Answer::error(status, code, message, self.now()),
        }
    }

    /// The session's own answer: a redirect to the login form as it is, anything else as a page for a person.
    fn refused(&self, error: &SessionError, asked: &Asked) -> Answer {
        let plain = error.to_response();
        if plain.status == 303 || !asked.is_navigation {
            return plain.into();
        }
        self.refusal_page(error, asked)
    }

    pub(crate) fn refusal_page(&self, error: &SessionError, asked: &Asked) -> Answer {
        let plain = error.to_response();
        let html = page::error(self, plain.status, error.code(), asked.is_acting);
        let page = Answer::page(plain.status, html);
        // Such as Retry-After.
        let more =
            plain.headers.into_iter().filter(|(name, _)| page.value(name).is_none()).collect::<Vec<_>>();
        more.into_iter().fold(page, |page, (name, value)| page.header(name, value))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

/// The methods of a path.
fn allowed(path: &str) -> Option<&'static str> {
    match path {
        "/" | "/api/me" | "/api/admin" | "/api/events" | "/healthz" => Some("GET, HEAD"),
        "/login" | "/logout" | "/api/visits" => Some("POST"),
        path if FORMS.contains(&path) => Some("POST"),
        path => path.strip_prefix("/assets/").and_then(page::asset).map(|_| "GET, HEAD"),
    }
}

/// How the client speaks. A form without fields may come without a content type; then `Accept` tells.
pub(crate) fn style_of(asked: &Asked) -> Style {
    let said = asked.content_type.as_deref().map(login::style);
    match said {
        Some(style) => style.unwrap_or(Style::Json),
        None if asked.accepts_html => Style::Form,
        None => Style::Json,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use session_core::KeyRing;
    use session_core::store::{MemoryStore, SessionStore};
    use session_core::testing::TestRequest;

    use super::*;
    use crate::sessions;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    const JSON: Option<&str> = Some("application/json");

    /// A person on the way to this address.
    fn visit(target: &str) -> Asked {
        Asked::of(&TestRequest::new("GET", target).header("sec-fetch-mode", "navigate"))
    }

    /// What a program sends.
    fn sent(content_type: Option<&str>) -> Asked {
        let content_type = content_type.map(|content_type| content_type.as_bytes().to_vec());
        Asked { content_type, ..Asked::default() }
    }

    /// The session of a request that has just arrived.
    fn session() -> Session<User> {
        asked(TestRequest::new("POST", "/"))
    }

    /// A request that the session refuses whatever it asks.
    fn refused() -> Session<User> {
        asked(TestRequest::new("POST", "/").header("sec-fetch-site", "cross-site"))
    }

    static SHARED: LazyLock<Arc<Shared>> =
        LazyLock::new(|| Arc::new(Shared::new([3000, 3001, 3002]).unwrap()));
    static SESSIONS: LazyLock<SessionManager<User>> = LazyLock::new(|| {
        let keys = KeyRing::from_secret("a secret for the tests of this file").unwrap();
        let store: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
        sessions::builder(keys, Some(store), &SHARED).build().unwrap()
    });

    fn asked(request: TestRequest) -> Session<User> {
        SESSIONS.slot().receive(&request).session()
    }

    fn app() -> App {
        App::new(Framework::Axum, Arc::clone(&SHARED), SESSIONS.clone(), true)
    }

    async fn log_in(session: &Session<User>, content_type: Option<&str>, body: &str) -> Answer {
        app().login(session, &sent(content_type), Body::Complete(body.as_bytes())).await
    }

    async fn logged_in(body: &str) -> (Session<User>, Arc<User>) {
        let session = session();
        assert_eq!(log_in(&session, FORM, body).await.status, 303);
        let user = session.user().unwrap();
        (session, user)
    }

    fn value<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer.value(name)
    }

    fn text(answer: &Answer) -> &str {
        std::str::from_utf8(&answer.body).unwrap()
    }

    #[tokio::test]
    async fn a_form_login_goes_to_next_or_to_the_page() {
        let session = session();
        let answer = log_in(&session, FORM, "username=alice&password=wonderland").await;
        assert_eq!((answer.status, value(&answer, "location")), (303, Some("/")));
        assert!(session.user().is_some());
        let body = "username=alice&password=wonderland&next=%2Fapi%2Fme";
        assert_eq!(value(&log_in(&session, FORM, body).await, "location"), Some("/api/me"));
    }

    #[tokio::test]
    async fn a_json_login_is_answered_with_the_user() {
        let session = session();
        let answer = log_in(&session, JSON, r#"{"username":"bob","password":"builder"}"#).await;
        assert_eq!(answer.status, 200);
        assert!(
            text(&answer).starts_with(r#"{"userId":"user-2","username":"bob","email":"bob@example.com""#)
        );
        assert_eq!(answer.body, app().me(&session.user().unwrap()).body);
    }

    #[tokio::test]
    async fn wrong_credentials_are_401_in_the_style_of_the_request() {
        let session = session();
        let answer = log_in(&session, JSON, r#"{"username":"bob","password":"x"}"#).await;
        assert_eq!(answer.status, 401);
        assert!(text(&answer).starts_with(r#"{"code":"INVALID_CREDENTIALS","message":"#));
        let answer = log_in(&session, FORM, "username=%22%3Cb%3E&password=x&next=%2Fapi%2Fme").await;
        assert_eq!((answer.status, value(&answer, "content-type")), (401, Some("text/html; charset=utf-8")));
        assert!(text(&answer).contains(r#"value="&quot;&lt;b&gt;""#));
        assert!(text(&answer).contains(r#"name="next" value="/api/me""#));
        assert!(session.user().is_none());
    }

    #[tokio::test]
    async fn a_login_that_is_none_is_refused_as_json() {
        for (content_type, body, status, code) in [
            (None, "", 415, "UNSUPPORTED_MEDIA_TYPE"),
            (FORM, &*"x".repeat(9000), 413, "CONTENT_TOO_LARGE"),
            (JSON, "{", 400, "BAD_REQUEST"),
        ] {
            let answer = log_in(&session(), content_type, body).await;
            assert_eq!((answer.status, value(&answer, "content-type")), (status, Some("application/json")));
            assert!(text(&answer).contains(code));
        }
    }

    #[tokio::test]
    async fn a_login_that_the_session_refuses_is_no_login() {
        let session = refused();
        assert_eq!(log_in(&session, FORM, "username=alice&password=wonderland").await.status, 403);
    }

    #[tokio::test]
    async fn a_logout_is_answered_in_the_style_of_the_request() {
        for (content_type, accepts_html, status) in [
            (FORM, false, 303),
            (FORM, true, 303),
            (None, true, 303),
            (JSON, true, 204),
            (JSON, false, 204),
            (None, false, 204),
        ] {
            let (session, _) = logged_in("username=bob&password=builder").await;
            let answer = app().logout(&session, &Asked { accepts_html, ..sent(content_type) }).await;
            assert_eq!(answer.status, status);
            assert_eq!(value(&answer, "location"), (status == 303).then_some("/"));
            assert!(session.user().is_none());
        }
    }

    #[tokio::test]
    async fn admin_is_for_admins() {
        let (alice, _) = logged_in("username=alice&password=wonderland").await;
        let (bob, _) = logged_in("username=bob&password=builder").await;
        let admin = Admin::check(alice).await.unwrap();
        assert_eq!(app().admin(Ok(&admin), &visit("/api/admin")).status, 200);
        let refusal = Admin::check(bob).await.unwrap_err();
        let answer = app().admin(Err(refusal.clone()), &sent(None));
        assert_eq!(answer.status, 403);
        assert!(text(&answer).contains(r#""code":"FORBIDDEN""#));
        let page = app().admin(Err(refusal), &visit("/api/admin"));
        assert_eq!((page.status, value(&page, "content-type")), (403, Some("text/html; charset=utf-8")));
    }

    #[tokio::test]
    async fn visits_are_counted_in_the_session() {
        let (session, _) = logged_in("username=bob&password=builder").await;
        assert_eq!(text(&app().visits(&session).await), r#"{"visits":1}"#);
        assert_eq!(text(&app().visits(&session).await), r#"{"visits":2}"#);
        assert_eq!(app().visits(&refused()).await.status, 403);
    }

    #[tokio::test]
    async fn the_page_is_a_form_or_a_dashboard() {
        let answer = app().home(Ok(session()), &visit("/?next=%2Fapi%2Fme")).await;
        assert!(text(&answer).contains(r#"id="login-form""#) && text(&answer).contains(r#"value="/api/me""#));
        let (session, _) = logged_in("username=bob&password=builder").await;
        let answer = app().home(Ok(session), &visit("/")).await;
        assert!(text(&answer).contains(r#"id="who""#) && text(&answer).contains("bob@example.com"));
    }

    #[test]
    fn another_path_is_404_and_another_method_405() {
        assert_eq!(app().elsewhere(&visit("/nothing?x")).status, 404);
        assert_eq!(app().elsewhere(&visit("/assets/nothing")).status, 404);
        assert_eq!(app().asset("../src/main.rs", &sent(None)).status, 404);
        for (path, allow) in [("/login", "POST"), ("/", "GET, HEAD"), ("/assets/demo.css", "GET, HEAD")] {
            let answer = app().elsewhere(&visit(path));
            assert_eq!((answer.status, value(&answer, "allow")), (405, Some(allow)));
        }
    }

    #[test]
    fn health_is_plain() {
        let answer = app().healthz();
        assert_eq!((answer.status, text(&answer)), (200, "ok"));
    }
}
