//! A provider that answers by a POST from its own site (`response_mode=form_post`, SAML): no SameSite=Lax cookie comes
//! with it, so a page of ours posts the fields once more, from this origin.

use std::borrow::Cow;
use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode;

use super::{Flow, Flows};
use crate::error::{ErrorKind, SessionError};
use crate::response::{NO_STORE, PlainResponse};

/// In bytes: a SAML response with its certificates is far below.
const MAX_BODY: usize = 128 * 1024;
/// Ends a loop: what has it was posted by our page.
const RELAYED: &str = "session-relayed";

/// What to do with a POST to a flow's callback.
#[derive(Debug)]
#[must_use = "one of them is the answer"]
#[allow(clippy::exhaustive_enums, reason = "a handler must do both")]
pub enum Relay {
    /// It comes from another site: answer with this page, which posts the fields to the same path from this origin.
    Again(PlainResponse),
    /// It comes from this origin: take the flow.
    Here(PostedFields),
}

/// The fields of a POST that [`Flow::POSTED`] names. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct PostedFields(Vec<(&'static str, String)>);

impl PostedFields {
    /// The field's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

impl fmt::Debug for PostedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostedFields([redacted])")
    }
}

impl<F: Flow> Flows<F> {
    /// For a provider that answers by a POST from its own site (`response_mode=form_post`, SAML): that one has no cookie
    /// of ours, so the answer to it is a page that posts the fields once more. `body` is the form
    /// (`application/x-www-form-urlencoded`), at most 128 KiB; only the fields that [`Flow::POSTED`] names are looked at.
    ///
    /// Let the handler ask for nothing but the flows and the body: a [`Session`](crate::Session) or a user in its signature
    /// is refused with `CrossOrigin` before this is called. [`Flows::session`] has the session.
    ///
    /// The page is sent to a top-level navigation only (`Sec-Fetch-Dest: document`), posts to the path that was asked for, opens no
    /// session, sets no cookie, and never loops. **The second POST comes from this origin with a stranger's fields:** trust
    /// nothing in it but what [`take`](Self::take) answers. Browsers apply the page's `form-action 'self'` to redirects, too: answer with a
    /// 303 to this origin.
    ///
    /// # Errors
    /// `CrossOrigin` for a POST of another origin that is no top-level navigation, has a query, or was relayed before;
    /// `FlowNotFound` for a body that is too long or no form; `Misuse` in another request than a POST.
    pub fn relay(&self, body: &[u8]) -> Result<Relay, SessionError> {
        let request = &self.session.0;
        let form = request.form();
        if !form.is_post {
            return Err(request
                .error(ErrorKind::Misuse)
                .detail("relay was called in a request that is no POST"));
        }
        if !form.is_cross_site {
            request.admit()?;
            return Ok(Relay::Here(self.fields(body)?.0));
        }
        let (fields, was_relayed) = self.fields(body)?;
        if !form.is_document || form.has_query || was_relayed {
            return Err(request.error(ErrorKind::CrossOrigin).detail(
                "a POST of another site to a flow's callback must be a top-level navigation to a path without a query, \
                 and must not have been relayed before",
            ));
        }
        Ok(Relay::Again(self.page(&fields)?))
    }

    /// The fields that are passed on, and whether our page posted them.
    fn fields(&self, body: &[u8]) -> Result<(PostedFields, bool), SessionError> {
        let wrong = |why| self.session.0.error(ErrorKind::FlowNotFound).detail(why);
        if body.len() > MAX_BODY {
            return Err(wrong("the posted form is longer than 128 KiB"));
        }
        let (mut fields, mut was_relayed) = (PostedFields(Vec::new()), false);
        for pair in body.split(|&byte| byte == b'&') {
            let mut parts = pair.splitn(2, |&byte| byte == b'=');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            was_relayed |= name == RELAYED.as_bytes();
            let Some(&name) = F::POSTED.iter().find(|known| known.as_bytes() == name) else { continue };
            if fields.get(name).is_some() {
                return Err(wrong("the posted form has a field twice"));
            }
            let value = decoded(value).ok_or_else(|| wrong("the posted form is not UTF-8"))?;
            fields.0.push((name, value));
        }
        Ok((fields, was_relayed))
    }

    fn page(&self, fields: &PostedFields) -> Result<PlainResponse, SessionError> {
        let request = &self.session.0;
        let mut nonce = [0; 16];
        let filled = request.engine.service.random.fill(&mut nonce);
        filled.map_err(|error| request.error(ErrorKind::Randomness).source_is(error))?;
        let nonce = URL_SAFE_NO_PAD.encode_to_string(nonce);
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let headers = vec![
            NO_STORE,
            ("content-type", Cow::Borrowed("text/html; charset=utf-8")),
            ("content-security-policy", Cow::Owned(policy)),
            // With no-referrer the second POST would have `Origin: null`, and be refused.
            ("referrer-policy", Cow::Borrowed("same-origin")),
            ("x-content-type-options", Cow::Borrowed("nosniff")),
        ];
        Ok(PlainResponse { status: 200, headers, body: html(fields, &nonce).into_bytes() })
    }
}

/// A form without `action` posts to the page's own address, whatever a proxy has taken off its path.
fn html(fields: &PostedFields, nonce: &str) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Continue</title><form method=\"post\">",
    );
    let relayed = (RELAYED, "1");
    for (name, value) in fields.0.iter().map(|(name, value)| (*name, &**value)).chain([relayed]) {
        page.push_str("<input type=\"hidden\" name=\"");
        escape(name, &mut page);
        page.push_str("\" value=\"");
        escape(value, &mut page);
        page.push_str("\">");
    }
    page.push_str("<button>Continue</button></form><script nonce=\"");
    page.push_str(nonce);
    page.push_str("\">document.forms[0].submit()</script></html>");
    page
}

fn escape(text: &str, page: &mut String) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            _ => page.push(character),
        }
    }
}

/// As a form has it (WHATWG URL, section 5.1).
fn decoded(value: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = value.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_posted_is_text_in_the_page() {
        let value = "\"><script>alert('&')</script>";
        let page = html(&PostedFields(vec![("state", value.to_owned())]), "n");
        assert!(page.contains(
            "<input type=\"hidden\" name=\"state\" value=\"&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\">"
        ));
        assert_eq!(page.matches("<script").count(), 1);
    }

    #[test]
    fn a_form_value_is_decoded_or_refused() {
        assert_eq!(decoded(b"a+b%2Bc%26"), Some("a b+c&".to_owned()));
        assert_eq!(decoded(b"%ff"), None);
    }
}
