//! What the forms of the pages do beyond login and logout, written once for all three frameworks.
//!
//! A form is answered with a redirect to the page, which says what was done; JSON with 204, or an error.

use std::time::Duration;

use session_core::{Authenticated, Guard as _, NotImpersonated, Pending, Session, SessionError, Stopped};

use crate::app::style_of;
use crate::events::served_by;
use crate::guard::Admin;
use crate::login::{self, Body, Fields, Refusal, Style};
use crate::notice::Notice;
use crate::second_factor::{SecondFactor, Taken};
use crate::user::Role;
use crate::{Answer, App, Asked, User};

/// Their paths. Each takes POST.
pub const FORMS: [&str; 8] = [
    "/login/code",
    "/second-factor/new",
    "/second-factor/on",
    "/second-factor/off",
    "/not-me",
    "/admin/look",
    "/admin/role",
    "/back",
];

/// An administrator looks as somebody else for so long at most.
const LOOK: Duration = Duration::from_secs(15 * 60);

/// Why a form did nothing.
enum Problem {
    Session(SessionError),
    Unreadable(Refusal),
    /// The next page says it.
    Said(Notice),
    /// Something is broken here.
    Broken(anyhow::Error),
}

impl App {
    /// `POST` of each of [`FORMS`].
    pub async fn form(&self, session: &Session<User>, asked: &Asked, body: Body<'_>) -> Answer {
        let style = style_of(asked);
        let fields = match asked.content_type.as_deref().map(login::style) {
            Some(None) => Err(Refusal::UnsupportedMediaType),
            _ => login::fields(style, body),
        };
        let fields = match fields {
            Ok(fields) => fields,
            Err(refusal) => return self.unreadable(refusal),
        };
        let done = served_by(self.framework(), self.act(session, &asked.path, &fields)).await;
        match (done, style) {
            (Ok(notice) | Err(Problem::Said(notice)), Style::Form) => {
                let next = fields.next().ok().flatten();
                // The code is asked for again, and where to go then is not forgotten.
                let again = next.as_deref().filter(|_| notice == Notice::WrongCode).map(login::home_for);
                self.see_next(session, again.or(next), notice).await
            }
            (Ok(_), Style::Json) => Answer::no_content(),
            (Err(problem), style) => self.problem(&problem, style, asked),
        }
    }

    async fn act(&self, session: &Session<User>, path: &str, fields: &Fields) -> Result<Notice, Problem> {
        match path {
            "/login/code" => self.complete_login(session, fields).await,
            "/second-factor/new" => self.propose_key(session).await,
            "/second-factor/on" => self.switch_codes_on(session, fields).await,
            "/second-factor/off" => self.switch_codes_off(session, fields).await,
            "/not-me" => self.not_me(session, fields).await,
            "/admin/look" => self.look(session, fields).await,
            "/admin/role" => self.change_role(session, fields).await,
            "/back" => self.look_no_more(session).await,
            _ => Err(Problem::Unreadable(Refusal::Unreadable)),
        }
    }

    async fn complete_login(&self, session: &Session<User>, fields: &Fields) -> Result<Notice, Problem> {
        let user = Pending::check(session.clone()).await?;
        let code = fields.one("code")?;
        match self.factor_of(&user.username, |factor| factor.take(code, self.now())) {
            Some(Taken::Right) => {
                session.complete(["otp"]).await?;
                Ok(Notice::LoggedIn)
            }
            Some(Taken::Wrong) | None => Err(Problem::Said(Notice::WrongCode)),
            Some(Taken::TooMany) => {
                session.destroy().await?;
                Err(Problem::Said(Notice::TooManyCodes))
            }
        }
    }

    async fn propose_key(&self, session: &Session<User>) -> Result<Notice, Problem> {
        let user = self.themselves(session).await?;
        self.factor_of(&user.username, |factor| factor.propose(&user.username))
            .unwrap_or(Ok(()))
            .map_err(Problem::Broken)?;
        Ok(Notice::KeyMade)
    }

    async fn switch_codes_on(&self, session: &Session<User>, fields: &Fields) -> Result<Notice, Problem> {
        let (user, code) = (self.themselves(session).await?, fields.one("code")?);
        if !self.factor(&user, |factor| factor.switch_on(code, self.now())) {
            return Err(Problem::Said(Notice::WrongCode));
        }
        session.step_up(["otp"], 1).await?;
        Ok(Notice::CodesOn)
    }

    async fn switch_codes_off(&self, session: &Session<User>, fields: &Fields) -> Result<Notice, Problem> {
        let (user, code) = (self.themselves(session).await?, fields.optional("code")?);
        match self.factor(&user, |factor| factor.switch_off(code, self.now())) {
            true => Ok(Notice::CodesOff),
            false => Err(Problem::Said(Notice::WrongCode)),
        }
    }

    /// Somebody else was logged in there: that session ends, and so do all others but this one.
    async fn not_me(&self, session: &Session<User>, fields: &Fields) -> Result<Notice, Problem> {
        Authenticated::check(session.clone()).await?;
        let was_open = session.revoke(fields.one("id")?).await?;
        Ok(Notice::NotMe(u64::from(was_open) + session.revoke_others().await?))
    }

    async fn look(&self, session: &Session<User>, fields: &Fields) -> Result<Notice, Problem> {
        let user = self.another(session, fields).await?;
        session.impersonate(user).at_most(LOOK).await?;
        Ok(Notice::LookingAs)
    }

    async fn change_role(&self, session: &Session<User>, fields: &Fields) -> Result<Notice, Problem> {
        let user = self.another(session, fields).await?;
        let role = Role::named(fields.one("role")?).ok_or(Refusal::Unreadable)?;
        // The account first: the sessions that come from now on have the new role by themselves.
        self.shared().accounts.set_role(&user.username, role);
        let sessions = self.sessions().update_account(&user.user_id, |user| user.role = role).await?;
        Ok(Notice::RoleChanged(sessions))
    }

    async fn look_no_more(&self, session: &Session<User>) -> Result<Notice, Problem> {
        match session.stop_impersonating().await? {
            Stopped::Restored => Ok(Notice::Back),
            _ => Ok(Notice::LoggedOut),
        }
    }

    /// The account that an administrator does something to: never their own.
    async fn another(&self, session: &Session<User>, fields: &Fields) -> Result<User, Problem> {
        let admin = Admin::check(session.clone()).await?;
        NotImpersonated::check(session.clone()).await?;
        let user = self.shared().accounts.user(fields.one("username")?, self.now());
        let another = user.filter(|user| user.user_id != admin.user_id);
        another.ok_or(Problem::Unreadable(Refusal::Unreadable))
    }

    /// Who changes their own second factor. Without a store nobody could count how many codes were tried: the
    /// same error as for a list of devices.
    async fn themselves(&self, session: &Session<User>) -> Result<NotImpersonated<User>, Problem> {
        let user = NotImpersonated::check(session.clone()).await?;
        if !self.has_store() {
            session.list().await?;
        }
        Ok(user)
    }

    fn factor(&self, user: &User, with: impl FnOnce(&mut SecondFactor) -> bool) -> bool {
        self.factor_of(&user.username, with).unwrap_or(false)
    }

    fn factor_of<T>(&self, username: &str, with: impl FnOnce(&mut SecondFactor) -> T) -> Option<T> {
        self.shared().accounts.second_factor(username, with)
    }

    fn problem(&self, problem: &Problem, style: Style, asked: &Asked) -> Answer {
        match (problem, style) {
            (Problem::Session(error), Style::Form) if error.kind().is_unauthenticated() => {
                Answer::see_other("/".into())
            }
            (Problem::Session(error), Style::Form) => self.refusal_page(error, asked),
            (Problem::Session(error), Style::Json) => error.to_response().into(),
            (Problem::Unreadable(refusal), _) => self.unreadable(*refusal),
            (Problem::Said(notice), _) => {
                let code = if *notice == Notice::TooManyCodes { "TOO_MANY_CODES" } else { "INVALID_CODE" };
                Answer::error(401, code, &notice.text(), self.now())
            }
            (Problem::Broken(error), _) => {
                tracing::error!(%error, "a form did not work");
                Answer::error(500, "INTERNAL_ERROR", "The server says more in its log.", self.now())
            }
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Unreadable(refusal)
    }
}
