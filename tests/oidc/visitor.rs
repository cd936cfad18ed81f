//! Somebody who logs in at the provider, as far as addresses, forms and cookies go.

use std::net::SocketAddr;
use std::sync::Arc;

use session_core::{Clock as _, SessionManagerBuilder, SystemClock};

use super::provider::provider;
use crate::harness::oidc::Client;
use crate::harness::{Browser, Framework, Mode, Server, User, World};
use crate::wire::{Request, Response};

/// The application, beside the provider of the tests.
pub(super) struct Site {
    pub(super) server: Server,
    world: World,
    provider: SocketAddr,
}

/// One browser: cookies here and cookies there.
pub(super) struct Visitor {
    pub(super) here: Browser,
    there: Browser,
    origin: String,
}

/// What the provider's last page does with the browser.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// As a query, or as a form.
    pub(super) fields: Vec<(String, String)>,
    is_posted: bool,
}

impl Site {
    /// `None` says that the test is left out.
    pub(super) async fn open<F: Framework>(mode: Mode) -> Option<Self> {
        Self::open_with::<F>(mode, |users| users).await
    }

    pub(super) async fn open_with<F: Framework>(
        mode: Mode,
        change: impl FnOnce(SessionManagerBuilder<User>) -> SessionManagerBuilder<User>,
    ) -> Option<Self> {
        let (world, client) = (World::new(), client("127.0.0.1")?);
        // The provider's clock is the real one.
        world.clock.set(SystemClock.now());
        let server = world.serve::<F>(change(world.users(mode)).data(client.clone())).await;
        client.listens(server.address);
        Some(Self { server, world, provider: client.provider })
    }

    pub(super) fn visitor(&self) -> Visitor {
        Visitor {
            here: self.server.browser(),
            there: Browser::new(self.provider, &self.world.clock),
            origin: format!("http://{}", self.server.address),
        }
    }
}

/// An application that browsers find under this name of the machine.
pub(crate) fn client(host: &'static str) -> Option<Arc<Client>> {
    Some(Arc::new(Client::new(provider()?, host)))
}

impl Visitor {
    /// Begins a login: the provider's address.
    pub(super) async fn begin(&mut self, query: &str) -> String {
        let response = self.here.get(&format!("/oidc?{query}")).await.expect(303);
        response.header("location").unwrap().to_owned()
    }

    /// Logs in at the provider, with this form if it asks.
    pub(super) async fn answer(&mut self, address: &str, form: &str) -> Answer {
        let mut response = self.there.get(path(address)).await;
        let mut asked = path(address).to_owned();
        // The provider has three pages: authorization, login, and on with the authorization.
        for _ in 0..6 {
            let Some(location) = response.header("location").map(str::to_owned) else {
                if asked.starts_with("/login/") {
                    response = self.there.send(form_post(&asked, form)).await;
                    continue;
                }
                return Answer { fields: hidden_fields(response.text()), is_posted: true };
            };
            if let Some(callback) = location.strip_prefix(&self.origin) {
                let query = callback.split_once('?').unwrap().1;
                let fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                return Answer { fields, is_posted: false };
            }
            asked = path(&location).to_owned();
            response = self.there.get(&asked).await;
        }
        panic!("the provider goes round in circles: {response}");
    }

    /// Comes back with an answer.
    pub(super) async fn come_back(&mut self, answer: &Answer) -> Response {
        let fields = answer.encoded();
        if !answer.is_posted {
            return self.here.send(from_there(Request::get(&format!("/oidc/callback?{fields}")))).await;
        }
        // No SameSite=Lax cookie comes with a form of another site.
        let bare = from_there(form_post("/oidc/callback", &fields)).header("Origin", "null");
        let page = Browser::new(self.here.server, self.here.jar.clock()).send(bare).await;
        let fields = hidden_fields(page.expect(200).expect_no_cookie().text());
        let again = Answer { fields, is_posted: true };
        let again = form_post("/oidc/callback", &again.encoded()).header("Origin", &self.origin);
        self.here
            .send(again.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate"))
            .await
    }

    /// A whole login.
    pub(super) async fn log_in(&mut self, query: &str, form: &str) -> Response {
        let address = self.begin(query).await;
        let answer = self.answer(&address, form).await;
        self.come_back(&answer).await
    }
}

impl Answer {
    pub(super) fn get(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(known, _)| known == name);
        field.map_or("", |(_, value)| value)
    }

    /// The same with another value.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.fields.retain(|(known, _)| known != name);
        other.fields.push((name.to_owned(), value.to_owned()));
        other
    }

    fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }
}

fn path(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn form_post(target: &str, form: &str) -> Request {
    Request::post(target).header("Content-Type", "application/x-www-form-urlencoded").body(form)
}

/// As a browser goes from a page of another site to ours.
fn from_there(request: Request) -> Request {
    let request = request.header("Sec-Fetch-Site", "cross-site").header("Sec-Fetch-Mode", "navigate");
    request.header("Sec-Fetch-Dest", "document")
}

fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    let field = |input: &str| {
        let (name, rest) = input.split_once("\" value=\"")?;
        let (value, _) = rest.split_once('"')?;
        Some((name.to_owned(), value.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")))
    };
    inputs.map(|input| field(input).expect("a field with a value")).collect()
}
