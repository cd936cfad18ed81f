//! The way out: what the response says of the session. No I/O: the cookie says what the store holds.

use super::request::Request;
use super::slot::Slot;
use super::state::{Outgoing, State};
use crate::cookie::CookieWriter;
use crate::mode::Issued;
use crate::payload::SessionPayload;
use crate::request::Headers;
use crate::response::ResponseChanges;

impl<U: SessionPayload> Slot<U> {
    /// The header changes for the response whose headers are given; apply them all. From here on, operations that
    /// need a cookie fail with `ResponseSent` before they touch the store.
    ///
    /// A request whose session nobody asked for changes nothing. Asked again, the answer is the same.
    ///
    /// # Caching
    /// A response with a cookie, the session's or one of a [flow](crate::Flows) or a [flash](crate::Flash), gets `Cache-Control: no-store`, whatever the handler says. Any other that looked for a
    /// session gets `Vary: Cookie`, and where the handler has set no `Cache-Control`: `no-store` if somebody was found
    /// (ASVS 14.3.2), so that nothing of theirs is kept and Back shows no page after a logout; `private` if nobody was.
    /// With `no-store` a browser fetches the page anew when its user comes back to it: a handler whose page may stay in
    /// the browser says `private` or `private, no-cache` itself.
    pub fn close(&self, response: &impl Headers) -> ResponseChanges {
        let mut changes = ResponseChanges::default();
        let mut state = self.0.state();
        state.closed = true;
        let is_silent = state.opened.is_none() && matches!(state.outgoing, Outgoing::Nothing);
        if is_silent && state.companions.is_empty() {
            return changes;
        }
        let (own, parked) = (&self.0.engine.service.cookie, &self.0.engine.parked);
        let session = self.0.set_cookie(own, &state, &state.outgoing);
        let parked = self.0.set_cookie(parked, &state, &state.parked);
        let beside = self.0.set_companions(&state);
        let cleared = state.cleared.iter().filter(|_| !state.panicked).cloned();
        let cookies = session.into_iter().chain(parked).chain(beside).chain(cleared);
        cookies.for_each(|cookie| changes.append("set-cookie", cookie));
        match changes.is_empty() {
            false => {
                if !says(response, "cache-control", "no-store") {
                    changes.set("cache-control", "no-store");
                }
            }
            true => {
                if !says(response, "vary", "cookie") {
                    changes.append("vary", "Cookie");
                }
                if response.header("cache-control").next().is_none() {
                    changes.set("cache-control", if found_somebody(&state) { "no-store" } else { "private" });
                }
            }
        }
        changes
    }
}

impl<U: SessionPayload> Request<U> {
    fn set_cookie(&self, writer: &CookieWriter, state: &State<U>, outgoing: &Outgoing) -> Option<String> {
        if state.panicked || self.is_bearer() {
            return None;
        }
        match outgoing {
            Outgoing::Nothing => None,
            Outgoing::Clear => Some(writer.clear()),
            // Without a store: a logout that came in between wins over this request's refresh.
            Outgoing::Send(issued) if self.engine.mode.has_ended(issued.claims.sid) => None,
            Outgoing::Send(issued) => {
                let Issued { token, claims, is_remembered } = &**issued;
                let lifetime = is_remembered.then(|| claims.expires_at.remaining(claims.issued_at));
                // Its size was checked when it was made.
                writer.set(token.expose(), lifetime).ok()
            }
        }
    }
}

impl<U: SessionPayload> Request<U> {
    fn set_companions(&self, state: &State<U>) -> impl Iterator<Item = String> {
        let is_sent = !state.panicked && !self.is_bearer();
        let cookies = state.companions.iter().filter(move |_| is_sent);
        cookies.map(|(cookie, lifetime)| self.engine.companions.line(cookie, *lifetime))
    }
}

/// Whether the response can hold what is somebody's, also of a session that has ended meanwhile.
fn found_somebody<U>(state: &State<U>) -> bool {
    state.found || state.current.is_some() || !matches!(state.outgoing, Outgoing::Nothing)
}

/// Whether a list in a header has this member (RFC 9110 section 5.6.1).
fn says(response: &impl Headers, name: &'static str, member: &str) -> bool {
    response
        .header(name)
        .flat_map(|line| line.split(|&byte| byte == b','))
        .any(|known| known.trim_ascii().eq_ignore_ascii_case(member.as_bytes()))
}
