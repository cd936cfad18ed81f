//! The harness, tried on two servers that are no frameworks.

use super::{Framework, Server, TestApp, cases, responder::respond};
use crate::wire::{Request, Visitor};

struct Plain;
struct Loud;

impl Framework for Plain {
    const NAME: &'static str = "plain";

    async fn serve(_: TestApp) -> Server {
        respond(|request| greet(request, "Content-Length"))
    }
}

impl Framework for Loud {
    const NAME: &'static str = "loud";

    async fn serve(_: TestApp) -> Server {
        respond(|request| greet(request, "CONTENT-LENGTH"))
    }
}

fn greet(request: &str, length: &str) -> Vec<u8> {
    let known = request.contains("Cookie: seen=1");
    let body = if known { "welcome back" } else { "hello" };
    format!("HTTP/1.1 200 OK\r\nSet-Cookie: seen=1\r\n{length}: {}\r\n\r\n{body}", body.len()).into()
}

cases! {
    on plain = super::Plain, loud = super::Loud;
    {
        a_case_runs_on_the_framework_it_is_named_after,
        /// Attributes of a case go to its tests.
        a_visitor_keeps_cookies_between_requests,
        #[should_panic(expected = "expected status 404")]
        an_unexpected_status_is_a_failure,
    }
}

async fn a_case_runs_on_the_framework_it_is_named_after<F: Framework>() {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(test.contains(&format!("::{}::", F::NAME)), "{test} runs on {}", F::NAME);
}

async fn a_visitor_keeps_cookies_between_requests<F: Framework>() {
    let server = F::serve(TestApp::default()).await;
    let mut visitor = Visitor::new(server.address());
    assert_eq!(visitor.send(Request::get("/")).await.text(), "hello");
    assert_eq!(visitor.send(Request::get("/")).await.text(), "welcome back");
}

async fn an_unexpected_status_is_a_failure<F: Framework>() {
    let server = F::serve(TestApp::default()).await;
    Visitor::new(server.address()).send(Request::get("/")).await.expect_status(404);
}

#[test]
fn a_dropped_server_is_gone() {
    let server = respond(|_| Vec::new());
    let address = server.address();
    std::net::TcpStream::connect(address).expect("a running server");
    drop(server);
    std::net::TcpStream::connect(address).expect_err("no server");
}

#[tokio::test]
async fn a_server_may_bind_a_port_itself() {
    let server = Server::start_unbound(|announce, stop| async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        announce.listening_on(listener.local_addr().unwrap());
        stop.requested().await;
    });
    std::net::TcpStream::connect(server.address()).expect("a running server");
}

#[test]
#[should_panic(expected = "a server that says where it listens")]
fn a_server_that_never_listens_is_a_failure() {
    Server::start_unbound(|_, _| async {});
}
