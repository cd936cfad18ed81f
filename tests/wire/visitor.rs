use std::net::SocketAddr;

use super::{Jar, Request, Response, Transcript, WireError, exchange};

/// Someone at a browser: sends the cookies they have, keeps those they get, and remembers what happened.
///
/// A `Set-Cookie` that a browser would refuse is a failure on the spot, so every test with a visitor is also
/// a test of that.
#[derive(Debug)]
pub(crate) struct Visitor {
    server: SocketAddr,
    pub(crate) jar: Jar,
    pub(crate) transcript: Transcript,
}

impl Visitor {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, jar: Jar::new(&server.ip().to_string()), transcript: Transcript::new() }
    }

    /// Another server with the same cookies: they do not know ports.
    pub(crate) fn go_to(&mut self, server: SocketAddr) {
        self.server = server;
    }

    /// Sends the request with the jar's cookies, unless it brings a `Cookie` line of its own.
    #[track_caller]
    pub(crate) fn send(&mut self, request: Request) -> impl Future<Output = Response> {
        let caller = std::panic::Location::caller();
        async move {
            let described = format!("{} {} at {caller}", request.method(), request.target());
            self.try_send(request).await.unwrap_or_else(|error| panic!("{described}: {error}"))
        }
    }

    /// As [`send`](Self::send), for requests that may get no response.
    pub(crate) async fn try_send(&mut self, request: Request) -> Result<Response, WireError> {
        let own_cookies = request.headers().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let request = match self.jar.cookie_line(request.path()) {
            Some(line) if !own_cookies => request.cookie(line),
            _ => request,
        };
        let outcome = exchange(self.server, &request).await;
        self.transcript.record(&request, &outcome);
        if let Ok(response) = &outcome {
            let refused = self.jar.store_all(request.path(), response);
            assert!(
                refused.is_empty(),
                "a browser refuses {refused:?} of {} {}",
                request.method(),
                request.target()
            );
        }
        outcome
    }
}
