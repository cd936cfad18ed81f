//! The parts of the pages that are there for some accounts, or at some times. They need no script.
//!
//! Element ids and data attributes that tests may rely on: `#flash`; `#banner` with `#back`; `#second-factor` (with
//! `data-state`), `#key`, `#otpauth`, `#code`; `#accounts` with `button[data-look]` and `button[data-make]`; `#stateless`.

use crate::notice::Notice;
use crate::page::Value::{Html, Text};
use crate::page::fill;
use crate::second_factor::SecondFactor;
use crate::user::Role;
use crate::{App, User};

const NEW_KEY: &str = r#"<p class="quiet">After your password, a code of an authenticator app.</p>
<form method="post" action="/second-factor/new"><button type="submit" id="second-factor-new">Set up</button></form>"#;

const PROPOSED_KEY: &str = r#"<p class="quiet">Add this key to your authenticator app, then type the code that it shows.</p>
<p><code class="key" id="key">{{key}}</code></p>
<p class="quiet"><a class="key" id="otpauth" href="{{url}}">{{url}}</a></p>
<form class="one" method="post" action="/second-factor/on"><label for="code">Code</label><input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required><button class="primary" type="submit">Switch on</button></form>
<form method="post" action="/second-factor/off"><button class="small" type="submit">Cancel</button></form>"#;

const KEY_IN_USE: &str = r#"<p class="quiet">A login needs a code of your authenticator app. To do without, type one:</p>
<form class="one" method="post" action="/second-factor/off"><label for="code">Code</label><input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required><button type="submit">Switch off</button></form>"#;

const STATELESS: &str = r#"<p class="card quiet" id="stateless">Without a store there is no second factor, no looking as somebody else, and no end or new role for sessions elsewhere: start the demo with <code>--store embedded</code>.</p>"#;

/// What a form has just done.
pub(crate) fn flash(notice: Notice) -> String {
    let (class, role) = if notice.is_problem() { ("error", "alert") } else { ("reason", "status") };
    let values = [("class", Text(class)), ("role", Text(role)), ("said", Text(&notice.text()))];
    fill(r#"<p class="{{class}} flash" id="flash" role="{{role}}">{{said}}</p>"#, &values)
}

/// Says that somebody looks as somebody else, and the way back: who as whom, where the page knows.
pub(crate) fn banner(names: Option<(&str, &str)>) -> String {
    let (user, actor) = names.unwrap_or(("somebody else", "yourself"));
    let template = r#"<section class="banner" id="banner" aria-label="Looking as somebody else"><p>You are looking as <b>{{user}}</b>.</p><form method="post" action="/back"><button class="small" type="submit" id="back">Back to {{actor}}</button></form></section>"#;
    fill(template, &[("user", Text(user)), ("actor", Text(actor))])
}

/// The cards below the session's. Whoever looks as somebody else can do none of this, and sees none of it.
pub(crate) fn all(app: &App, user: &User, is_acting: bool) -> String {
    if is_acting {
        return String::new();
    }
    if !app.has_store() {
        return STATELESS.to_owned();
    }
    let accounts = if user.role == Role::Admin { accounts(app, user) } else { String::new() };
    let cards = [("second-factor", Html(&second_factor(app, user))), ("accounts", Html(&accounts))];
    fill(r#"<div class="columns more">{{second-factor}}{{accounts}}</div>"#, &cards)
}

fn second_factor(app: &App, user: &User) -> String {
    let look = |factor: &mut SecondFactor| (factor.is_on(), factor.proposed());
    let (is_on, proposed) =
        app.shared().accounts.second_factor(&user.username, look).unwrap_or((false, None));
    let (state, content) = match proposed {
        Some(key) => ("proposed", fill(PROPOSED_KEY, &[("key", Text(&key.text)), ("url", Text(&key.url))])),
        None if is_on => ("on", KEY_IN_USE.to_owned()),
        None => ("off", NEW_KEY.to_owned()),
    };
    let template = r#"<section class="card" id="second-factor" data-state="{{state}}" aria-labelledby="second-factor-title"><h2 id="second-factor-title">Second factor</h2>{{content}}</section>"#;
    fill(template, &[("state", Text(state)), ("content", Html(&content))])
}

fn accounts(app: &App, user: &User) -> String {
    let others = app.shared().accounts.others(&user.username);
    let items: String = others.into_iter().map(|(name, role)| account(name, role)).collect();
    let template = r#"<section class="card" id="accounts" aria-labelledby="accounts-title"><h2 id="accounts-title">Other accounts</h2><ul class="people">{{items}}</ul></section>"#;
    fill(template, &[("items", Html(&items))])
}

fn account(name: &str, role: Role) -> String {
    let (to, article) = match role {
        Role::Admin => (Role::User, "a"),
        Role::User => (Role::Admin, "an"),
    };
    let template = r#"<li><p><b>{{name}}</b> <span class="badge" data-role="{{role}}">{{role}}</span></p>
<form method="post" action="/admin/look"><input type="hidden" name="username" value="{{name}}"><button class="small" type="submit" data-look="{{name}}">Look as {{name}}</button></form>
<form method="post" action="/admin/role"><input type="hidden" name="username" value="{{name}}"><input type="hidden" name="role" value="{{to}}"><button class="small" type="submit" data-make="{{to}}">Make {{name}} {{article}} {{to}}</button></form></li>"#;
    let values = [
        ("name", Text(name)),
        ("role", Text(role.as_str())),
        ("to", Text(to.as_str())),
        ("article", Text(article)),
    ];
    fill(template, &values)
}
