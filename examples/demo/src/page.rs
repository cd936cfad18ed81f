//! The page, as HTML. Templates, style sheet and script are files in `assets/`, built into the program.
//!
//! Element ids and data attributes that tests may rely on: `#framework` (the name of the framework that served the
//! page). Login form: `#login-form`, `#username`, `#password`, `#remember`, `#login-error`, `#reason` (why somebody was logged out).
//! Error page: `#status`. Dashboard: `#who`, `#stays` with `#until` (when an unused session ends), `#countdown` (with
//! `data-seconds`), `#refresh`, `#logout`, `#visits`, `#visit`, `#devices li[data-id]` (with `data-current` on this
//! device), `button[data-revoke]`, `#revoke-others`, `#events li[data-kind]`, `#warning` with `#stay`, and the toasts in
//! `#notice` and, for errors, `#alert`. The form for the code: `#code-form`, `#code`. What a form did: `#flash`, on a
//! login form `#reason`. What the cards have is in [`cards`].

use std::borrow::Cow;
use std::fmt::Write as _;

use session_core::{ErrorKind, SessionStatus, Timestamp};

use crate::login::Login;
use crate::notice::Notice;
use crate::{Answer, App, Framework, User, cards};

const SHELL: &str = include_str!("../assets/page.html");
const LOGIN: &str = include_str!("../assets/login.html");
const CODE: &str = include_str!("../assets/code.html");
const DASHBOARD: &str = include_str!("../assets/dashboard.html");
const ERROR: &str = include_str!("../assets/error.html");
const STYLE: &str = include_str!("../assets/demo.css");
const SCRIPT: &str = include_str!("../assets/demo.js");

/// Changes when style sheet or script do, so that browsers may keep both for good.
const BUILD: u64 = fnv(SCRIPT.as_bytes(), fnv(STYLE.as_bytes(), 0xCBF2_9CE4_8422_2325));

/// What the login form is about to show.
#[derive(Clone, Debug, Default)]
pub struct Attempt<'a> {
    username: &'a str,
    next: Option<String>,
    failed: bool,
    forget: bool,
    reason: &'static str,
    notice: Option<Notice>,
}

impl<'a> Attempt<'a> {
    /// An empty form that leads to `next`, which has been checked.
    #[must_use]
    pub fn first(next: Option<String>) -> Self {
        Self { next, ..Self::default() }
    }

    /// The form again, after a wrong password.
    #[must_use]
    pub fn failed(login: &'a Login) -> Self {
        let Login { username, remember, next, .. } = login;
        Self { username, next: next.clone(), failed: true, forget: !remember, ..Self::default() }
    }

    /// Says what was done.
    #[must_use]
    pub fn saying(mut self, notice: Option<Notice>) -> Self {
        self.notice = notice;
        self
    }

    /// Says why the browser's session is none, as far as `GET /session` tells as well. Whoever shows a cookie that
    /// is unknown learns nothing: not whether it ever was a session, nor who ended that, nor when. A person learns
    /// it from the page that was open meanwhile, and after a login from the account's own events.
    #[must_use]
    pub fn after(mut self, reason: Option<ErrorKind>) -> Self {
        self.reason = match reason {
            Some(ErrorKind::Expired) => "Your session has expired. Log in again to go on.",
            Some(ErrorKind::Invalid | ErrorKind::TokenInvalid) => {
                "Your session can no longer be used here. Log in again to go on."
            }
            _ => "",
        };
        self
    }
}

/// How long a session lasts, for the dashboard.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Seconds until then, when nobody uses it.
    pub seconds: u64,
    /// Its end when nobody uses it.
    pub until: Timestamp,
    /// The end that no use puts off.
    pub latest: Timestamp,
}

impl Times {
    /// As `status` has them.
    #[must_use]
    pub fn of(status: &SessionStatus, now: Timestamp) -> Self {
        Self {
            seconds: status.remaining_time.as_secs(),
            until: now.plus(status.remaining_time),
            latest: now.plus(status.absolute_remaining.unwrap_or(status.remaining_time)),
        }
    }
}

/// What the dashboard shows.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Who is logged in.
    pub user: &'a User,
    /// For how long.
    pub times: Times,
    /// The name of the administrator who looks as this user.
    pub actor: Option<&'a str>,
    /// What a form has just done.
    pub notice: Option<Notice>,
}

/// The page with the login form.
#[must_use]
pub fn login(app: &App, attempt: &Attempt<'_>) -> String {
    let error = if attempt.failed {
        r#"<p class="error" id="login-error" role="alert">That name and password do not match. Try again.</p>"#
    } else {
        ""
    };
    let next = hidden_next(attempt.next.as_deref());
    let said = attempt.notice.map(Notice::text);
    let body = fill(
        LOGIN,
        &[
            ("framework", Text(app.framework().name())),
            ("error", Html(error)),
            ("reason", Text(said.as_deref().unwrap_or(attempt.reason))),
            ("next", Html(&next)),
            ("checked", Html(if attempt.forget { "" } else { " checked" })),
            ("username", Text(attempt.username)),
            (
                "invalid",
                Html(if attempt.failed {
                    r#" aria-invalid="true" aria-describedby="login-error""#
                } else {
                    ""
                }),
            ),
            ("focus-username", Html(if attempt.failed { "" } else { " autofocus" })),
            ("focus-password", Html(if attempt.failed { " autofocus" } else { "" })),
        ],
    );
    shell(app, "Log in", "login", "", &body)
}

/// The page with the form for the code, between the password and the dashboard. It leads to `next`, which has been
/// checked.
#[must_use]
pub fn code(app: &App, next: Option<&str>, notice: Option<Notice>) -> String {
    let said = notice.map(Notice::text).unwrap_or_default();
    let failed = notice.is_some_and(Notice::is_problem);
    let error = fill(
        r#"<p class="error" id="login-error" role="alert">{{said}}</p>"#,
        &[("said", Text(if failed { &said } else { "" }))],
    );
    let invalid = r#" aria-invalid="true" aria-describedby="login-error""#;
    let values = [
        ("framework", Text(app.framework().name())),
        ("error", Html(if failed { &error } else { "" })),
        ("reason", Text(if failed { "" } else { &said })),
        ("next", Html(&hidden_next(next))),
        ("invalid", Html(if failed { invalid } else { "" })),
    ];
    shell(app, "Code", "login", "", &fill(CODE, &values))
}

fn hidden_next(next: Option<&str>) -> String {
    next.map_or_else(String::new, |next| {
        fill(r#"<input type="hidden" name="next" value="{{next}}">"#, &[("next", Text(next))])
    })
}

/// The page of somebody who is logged in.
#[must_use]
pub fn dashboard(app: &App, seen: &Seen<'_>) -> String {
    let Seen { user, times, actor, notice } = *seen;
    let others: Vec<String> = Framework::ALL
        .into_iter()
        .zip(app.shared().ports)
        .filter(|(framework, _)| *framework != app.framework())
        .map(|(framework, port)| {
            let values =
                [("key", Text(framework.key())), ("url", Text(&url(port))), ("name", Text(framework.name()))];
            fill(r#"<a class="to" data-framework="{{key}}" href="{{url}}">{{name}}</a>"#, &values)
        })
        .collect();
    let Times { seconds, until, latest } = times;
    let max_age = app.shared().max_age;
    let body = fill(
        DASHBOARD,
        &[
            ("flash", Html(&notice.map_or_else(String::new, cards::flash))),
            ("cards", Html(&cards::all(app, user, actor.is_some()))),
            ("framework", Text(app.framework().name())),
            ("others", Html(&others.join(" and "))),
            ("username", Text(&user.username)),
            ("email", Text(&user.email)),
            ("role", Text(user.role.as_str())),
            ("last-login", Html(&time("last-login", &user.last_login))),
            ("final", Text(if latest > until { "false" } else { "true" })),
            ("until", Html(&time("until", &until.to_string()))),
            ("latest", Html(&time("latest", &latest.to_string()))),
            ("visits", Text(&user.visits.to_string())),
            ("seconds", Text(&seconds.to_string())),
            ("max-age", Text(&max_age.to_string())),
            ("clock", Text(&clock(seconds))),
            ("percent", Text(&(100 * seconds / max_age.max(1)).min(100).to_string())),
        ],
    );
    let banner = actor.map_or_else(String::new, |actor| cards::banner(Some((&user.username, actor))));
    shell(app, &user.username, "dashboard", &banner, &body)
}

/// The page of an error, for a person. `code` is what a program would get; `is_acting` as far as the browser says.
#[must_use]
pub fn error(app: &App, status: u16, code: &str, is_acting: bool) -> String {
    let (title, sentence) = match code {
        "FORBIDDEN" => {
            ("Not for this account", "Only an admin may do that, and nobody in the name of somebody else.")
        }
        "NOT_FOUND" => ("There is nothing here", "No page of the demo has this address."),
        "METHOD_NOT_ALLOWED" => {
            ("Nothing to see here", "This address takes what forms and programs send. It has no page.")
        }
        "STORE_REQUIRED" => (
            "Not without a store",
            "This demo keeps sessions in cookies alone. Start it with --store embedded.",
        ),
        "STORE_UNAVAILABLE" => (
            "Not now",
            "Nobody can tell who is logged in, since the session store does not answer. Try again.",
        ),
        _ => ("That did not work", "The server says more in its log. Try again, or go back."),
    };
    let status = status.to_string();
    let values = [
        ("framework", Text(app.framework().name())),
        ("status", Text(&status)),
        ("title", Text(title)),
        ("sentence", Text(sentence)),
    ];
    let banner = if is_acting { cards::banner(None) } else { String::new() };
    shell(app, title, "error", &banner, &fill(ERROR, &values))
}

/// A file of the page, by the name in its path.
#[must_use]
pub fn asset(name: &str) -> Option<Answer> {
    match name {
        "demo.css" => Some(Answer::asset("text/css; charset=utf-8", STYLE)),
        "demo.js" => Some(Answer::asset("text/javascript; charset=utf-8", SCRIPT)),
        _ => None,
    }
}

fn shell(app: &App, title: &str, page: &str, banner: &str, body: &str) -> String {
    let framework = app.framework();
    let tabs = Framework::ALL.into_iter().zip(app.shared().ports).fold(String::new(), |tabs, (tab, port)| {
        let here = if tab == framework { r#" aria-current="page""# } else { "" };
        tabs + &fill(
            r#"<li><a class="to" data-framework="{{key}}" href="{{url}}"{{here}}><b>{{name}}</b> <span>:{{port}}</span></a></li>"#,
            &[
                ("key", Text(tab.key())),
                ("url", Text(&url(port))),
                ("here", Html(here)),
                ("name", Text(tab.name())),
                ("port", Text(&port.to_string())),
            ],
        )
    });
    fill(
        SHELL,
        &[
            ("key", Text(framework.key())),
            ("page", Text(page)),
            ("title", Text(title)),
            ("framework", Text(framework.name())),
            ("colour", Text(colour(framework))),
            ("build", Text(&format!("{BUILD:016x}"))),
            ("tabs", Html(&tabs)),
            ("banner", Html(banner)),
            ("body", Html(body)),
        ],
    )
}

/// The script replaces the host by the one that the page was asked under: cookies belong to a host.
fn url(port: u16) -> String {
    format!("http://localhost:{port}/")
}

/// The colour of the icon, written as in a URL. The others are in the style sheet.
const fn colour(framework: Framework) -> &'static str {
    match framework {
        Framework::Axum => "%230f766e",
        Framework::ActixWeb => "%232563c9",
        Framework::Rocket => "%23c2410c",
    }
}

/// A moment (RFC 3339, in UTC) for people; the script shows it in their own words and zone.
fn time(id: &str, moment: &str) -> String {
    let text = match (moment.get(..10), moment.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => moment.to_owned(),
    };
    let values = [("id", Text(id)), ("moment", Text(moment)), ("text", Text(&text))];
    fill(r#"<time id="{{id}}" datetime="{{moment}}">{{text}}</time>"#, &values)
}

/// Hours, minutes and seconds, as the script shows them too.
fn clock(seconds: u64) -> String {
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// What a template is filled with.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// Escaped.
    Text(&'a str),
    /// As it is; never anything from outside.
    Html(&'a str),
}

use Value::{Html, Text};

/// The template with every `{{name}}` replaced by its value. One pass: what a value contains is not looked at again.
pub(crate) fn fill(template: &str, values: &[(&str, Value<'_>)]) -> String {
    let mut page = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        match values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value) {
            Some(Text(text)) => page.push_str(&escape(text)),
            Some(Html(html)) => page.push_str(html),
            None => debug_assert!(false, "the template asks for {name}"),
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// For text and for attribute values in quotes.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                let name = match character {
                    '&' => "amp",
                    '<' => "lt",
                    '>' => "gt",
                    '"' => "quot",
                    _ => "#39",
                };
                // Writing to a String cannot fail.
                let _ = write!(escaped, "&{name};");
            }
            _ => escaped.push(character),
        }
    }
    escaped.into()
}

/// FNV-1a, at compile time.
const fn fnv(bytes: &[u8], mut hash: u64) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01B3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use session_core::KeyRing;

    use super::*;
    use crate::app::Shared;
    use crate::sessions;
    use crate::user::Role;

    fn app_with(framework: Framework, has_store: bool) -> App {
        let keys = KeyRing::from_secret("a secret for the tests of this file").unwrap();
        let shared = Arc::new(Shared::new([3000, 3001, 3002]).unwrap());
        let sessions = sessions::builder(keys, None, &shared).build().unwrap();
        App::new(framework, shared, sessions, has_store)
    }

    fn app(framework: Framework) -> App {
        app_with(framework, true)
    }

    fn seen<'a>(user: &'a User, actor: Option<&'a str>, notice: Option<Notice>) -> Seen<'a> {
        Seen { user, times: TIMES, actor, notice }
    }

    fn failed(username: &str) -> Login {
        let (username, next) = (username.to_owned(), Some(username.replace("alice", "/api/me")));
        Login { username, password: String::new(), remember: false, next }
    }

    fn user(username: &str) -> User {
        User {
            user_id: "user-1".into(),
            username: username.into(),
            email: "alice@example.com".into(),
            role: Role::Admin,
            last_login: "2026-11-24T05:00:00Z".into(),
            visits: 3,
        }
    }

    const TIMES: Times = Times {
        seconds: 86_000,
        until: Timestamp::from_unix_seconds(1_795_671_000),
        latest: Timestamp::from_unix_seconds(1_798_000_000),
    };

    /// The pages of all three.
    fn pages() -> Vec<(String, String)> {
        Framework::ALL
            .into_iter()
            .flat_map(|framework| {
                let app = app(framework);
                let (alice, failed) = (user("alice"), failed("alice"));
                let looking = seen(&alice, Some("carol"), Some(Notice::LookingAs));
                let pages = [
                    ("login", login(&app, &Attempt::first(None))),
                    ("failed", login(&app, &Attempt::failed(&failed))),
                    ("code", code(&app, Some("/api/me"), Some(Notice::WrongCode))),
                    ("dashboard", dashboard(&app, &seen(&alice, None, None))),
                    ("looking", dashboard(&app, &looking)),
                    ("stateless", dashboard(&app_with(framework, false), &seen(&alice, None, None))),
                    ("error", error(&app, 404, "NOT_FOUND", true)),
                ];
                pages.map(|(name, page)| (format!("{}-{name}", framework.key()), page))
            })
            .collect()
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("plain"), "plain");
        assert_eq!(escape(r#"<a href="x">&'</a>"#), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
    }

    #[test]
    fn a_value_is_not_a_template() {
        assert_eq!(fill("{{a}}-{{b}}", &[("a", Text("{{b}}")), ("b", Html("<i>"))]), "{{b}}-<i>");
    }

    #[test]
    fn names_from_outside_cannot_write_html() {
        let evil = r#""><script>alert(1)</script>"#;
        let app = app(Framework::Axum);
        for page in [
            dashboard(&app, &seen(&user(evil), Some(evil), None)),
            login(&app, &Attempt::failed(&failed(evil))),
            code(&app, Some(evil), None),
        ] {
            assert!(!page.contains("<script>alert"), "{page}");
            assert!(page.contains("&lt;script&gt;alert"));
        }
    }

    #[test]
    fn every_template_is_filled_and_needs_nothing_inline() {
        for (name, page) in pages() {
            for never in ["{{", "}}", "style=", "onclick=", "<style", "<script>"] {
                assert!(!page.contains(never), "{never} in {name}");
            }
        }
    }

    #[test]
    fn the_ids_that_tests_rely_on_are_there() {
        let app = app(Framework::ActixWeb);
        let form = login(&app, &Attempt::failed(&failed("x")));
        for id in ["framework", "login-form", "username", "password", "remember", "login-error", "reason"] {
            assert!(form.contains(&format!(r#"id="{id}""#)), "{id}");
        }
        let page = dashboard(&app, &seen(&user("alice"), None, None));
        for id in ["framework", "who", "countdown", "refresh", "devices", "revoke-others", "logout", "visits"]
        {
            assert!(page.contains(&format!(r#"id="{id}""#)), "{id}");
        }
        for id in ["visit", "events", "notice", "alert", "warning", "stay", "until", "latest"] {
            assert!(page.contains(&format!(r#"id="{id}""#)), "{id}");
        }
        assert!(page.contains(r#"href="http://localhost:3000/">axum</a> and <a"#));
        assert!(page.contains(r#"<strong id="framework">actix-web</strong>"#));
    }

    #[test]
    fn at_the_end_of_the_absolute_lifetime_nothing_else_is_promised() {
        let alice = user("alice");
        let page = |times| dashboard(&app(Framework::Axum), &Seen { times, ..seen(&alice, None, None) });
        assert!(page(TIMES).contains(r#"data-final="false""#));
        assert!(page(Times { latest: TIMES.until, ..TIMES }).contains(r#"data-final="true""#));
    }

    #[test]
    fn a_cookie_that_is_unknown_learns_nothing() {
        let app = app(Framework::Rocket);
        let said = |reason| {
            let page = login(&app, &Attempt::first(None).after(reason));
            let (_, rest) = page.split_once(r#"id="reason" role="status">"#).unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        assert_eq!(said(Some(ErrorKind::NotFound)), said(None));
        assert_eq!(said(None), "");
        assert!(said(Some(ErrorKind::Expired)).contains("expired"));
        assert!(said(Some(ErrorKind::TokenInvalid)).contains("no longer"));
    }

    #[test]
    fn a_moment_is_readable_without_the_script() {
        let time = time("until", "2026-11-24T05:00:00Z");
        assert_eq!(time, r#"<time id="until" datetime="2026-11-24T05:00:00Z">2026-11-24 05:00 UTC</time>"#);
    }

    #[test]
    fn a_clock_is_readable() {
        assert_eq!(clock(86_399), "23:59:59");
        assert_eq!(clock(61), "0:01:01");
    }

    /// `RENDER_TO=directory cargo test -p session-demo render` writes the pages for a look at them.
    #[test]
    fn render() {
        let Some(directory) = std::env::var_os("RENDER_TO") else { return };
        let directory = std::path::Path::new(&directory);
        std::fs::create_dir_all(directory.join("assets")).unwrap();
        for (name, page) in pages() {
            std::fs::write(directory.join(name + ".html"), page).unwrap();
        }
        std::fs::write(directory.join("assets/demo.css"), STYLE).unwrap();
        std::fs::write(directory.join("assets/demo.js"), SCRIPT).unwrap();
    }
}
