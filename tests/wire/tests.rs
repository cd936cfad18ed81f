use super::{Connection, Jar, Refusal, Request, Transcript, Visitor, WireError, exchange, response::Head};
use crate::harness::responder::respond;

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
const OTHER: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.c2lnbmF0dXJl";

mod requests {
    use super::*;

    fn written(request: &Request) -> String {
        String::from_utf8(request.to_bytes(([127, 0, 0, 1], 80).into())).unwrap()
    }

    #[test]
    fn lines_are_written_as_given_and_in_order() {
        let request = Request::get("/x?y").header("X-One", "1").cookie("a=1").cookie("b=2");
        let expected =
            "GET /x?y HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-One: 1\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n";
        assert_eq!(written(&request), expected);
        assert_eq!(request.path(), "/x");
    }

    #[test]
    fn a_body_brings_its_length_and_a_post_has_one_even_without() {
        assert!(
            written(&Request::post("/").form(&[("a", "1"), ("b", "2")]))
                .ends_with("Content-Length: 7\r\n\r\na=1&b=2")
        );
        assert!(written(&Request::post("/")).ends_with("Content-Length: 0\r\n\r\n"));
    }

    #[test]
    fn a_navigation_is_what_a_browser_sends_for_its_own_page() {
        let request = Request::post("/").navigation().json(&serde_json::json!({ "a": 1 }));
        let names: Vec<_> = request.headers().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Content-Type"]);
        assert!(written(&request).ends_with("Content-Length: 7\r\n\r\n{\"a\":1}"));
    }

    #[test]
    fn what_a_test_sets_or_leaves_out_is_not_added() {
        let request = Request::post("/").header("host", "other").without("Content-Length");
        assert_eq!(written(&request), "POST / HTTP/1.1\r\nhost: other\r\n\r\n");
    }
}

mod responses {
    use super::*;

    async fn answered(bytes: &'static [u8]) -> Result<super::super::Response, WireError> {
        let server = respond(|_| bytes.to_vec());
        exchange(server.address(), &Request::get("/")).await
    }

    #[tokio::test]
    async fn bodies_end_by_length_by_chunks_or_by_close() {
        for bytes in [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".as_slice(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ] {
            assert_eq!(answered(bytes).await.unwrap().text(), "hello", "{}", bytes.escape_ascii());
        }
        assert_eq!(answered(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap().body(), b"");
    }

    #[tokio::test]
    async fn header_lines_are_bytes_in_their_order() {
        let response = answered(b"HTTP/1.1 200 OK\r\nX: caf\xe9\r\nset-cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nContent-Length:0\r\n\r\n");
        let response = response.await.unwrap();
        assert_eq!(response.header_lines("x"), [b"caf\xe9"]);
        assert_eq!(response.set_cookies(), ["a=1", "b=2; Path=/"]);
        assert_eq!(response.cookie("b"), Some("2"));
        assert_eq!(response.header("content-length"), Some("0"));
    }

    #[tokio::test]
    async fn a_connection_carries_several_requests() {
        let server = respond(|request| {
            let path = request.split(' ').nth(1).unwrap_or_default();
            let body = if request.starts_with("HEAD") { "" } else { path };
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", path.len()).into()
        });
        let mut connection = Connection::open(server.address()).await.unwrap();
        assert_eq!(connection.send(&Request::get("/one")).await.unwrap().text(), "/one");
        assert_eq!(connection.send(&Request::new("HEAD", "/two")).await.unwrap().body(), b"");
        assert_eq!(connection.send(&Request::get("/three")).await.unwrap().text(), "/three");
    }

    #[tokio::test]
    async fn an_early_end_is_told_from_an_answer() {
        assert!(matches!(answered(b"").await, Err(WireError::Closed { received: 0 })));
        let half = answered(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhello").await;
        assert!(matches!(half, Err(WireError::Closed { received: 5 })), "{half:?}");
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for head in [
            b"HTTP/2 200 OK".as_slice(),
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 200 OK\r\nno colon",
            b"HTTP/1.1 200 OK\r\nX : space",
            b"HTTP/1.1 200 OK\r\nX: folded\r\n over two",
            b"HTTP/1.1 200 OK\r\nX: bare\nline feed",
        ] {
            assert!(Head::parse(head).is_err(), "{}", head.escape_ascii());
        }
        let twice =
            Head::parse(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked").unwrap();
        assert!(twice.body_end(false).is_err());
    }
}

mod jar {
    use super::*;

    fn stored(line: &str) -> Result<Jar, Refusal> {
        let mut jar = Jar::new("127.0.0.1");
        jar.store("/dir/page", line.as_bytes()).map(|()| jar)
    }

    fn sent(line: &str, path: &str) -> Option<String> {
        stored(line).unwrap().cookie_line(path)
    }

    #[test]
    fn the_default_session_cookie_is_stored_and_sent_back() {
        let line = "__Host-session=abc; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax";
        let jar = stored(line).unwrap();
        assert_eq!(jar.cookie_line("/any/where").as_deref(), Some("__Host-session=abc"));
        let cookie = jar.get("__Host-session").unwrap();
        assert!(cookie.secure && cookie.http_only && !cookie.partitioned);
        assert_eq!((cookie.expires, cookie.same_site.as_deref()), (Some(86_400), Some("Lax")));
        assert_eq!((cookie.domain.as_deref(), jar.cookies().len()), (None, 1));
    }

    #[test]
    fn prefixes_are_promises_in_any_case() {
        for broken in [
            "__Host-a=1; Path=/",
            "__Host-a=1; Secure",
            "__Host-a=1; Secure; Path=/dir",
            "__host-a=1; Secure; Path=/; Domain=127.0.0.1",
            "__Secure-a=1; Path=/",
            "__SECURE-a=1",
            "__Http-a=1; Secure",
            "__Host-Http-a=1; Secure; Path=/",
            "=__Host-a=1; Secure; Path=/",
            "__Secure-a",
        ] {
            assert_eq!(stored(broken).unwrap_err(), Refusal::Prefix, "{broken}");
        }
        for kept in ["__Secure-a=1; Secure", "__Host-Http-a=1; Secure; HttpOnly; Path=/", "__Hostess=1"] {
            assert!(stored(kept).is_ok(), "{kept}");
        }
    }

    #[test]
    fn what_a_browser_drops_is_refused() {
        for (line, refusal) in [
            ("a=b\u{1}", Refusal::ControlCharacter),
            ("", Refusal::Empty),
            ("=; Path=/", Refusal::Empty),
            ("a=1; Domain=example.com", Refusal::ForeignDomain),
            ("a=1; Domain=0.0.1", Refusal::ForeignDomain),
            ("a=1; SameSite=None", Refusal::NotSecure),
            ("a=1; Partitioned", Refusal::NotSecure),
        ] {
            assert_eq!(stored(line).unwrap_err(), refusal, "{line}");
        }
    }

    #[test]
    fn name_and_value_have_4096_bytes() {
        let cookie = |length: usize| {
            format!("name={}; Path=/; Max-Age=86400; Secure; HttpOnly", "v".repeat(length - 4))
        };
        assert!(stored(&cookie(4096)).is_ok());
        assert_eq!(stored(&cookie(4097)).unwrap_err(), Refusal::TooLarge);
    }

    #[test]
    fn paths_match_by_segment_and_default_to_the_directory() {
        assert_eq!(sent("a=1; Path=/dir", "/dir/x").as_deref(), Some("a=1"));
        assert_eq!(sent("a=1; Path=/dir", "/directory"), None);
        assert_eq!(sent("a=1", "/dir/other").as_deref(), Some("a=1"));
        assert_eq!(sent("a=1; Path=relative", "/elsewhere"), None);
    }

    #[test]
    fn longer_paths_come_first_then_older_cookies() {
        let mut jar = Jar::new("localhost");
        for line in ["a=1; Path=/", "b=1; Path=/", "a=2; Path=/dir", "a=3; Path=/"] {
            jar.store("/", line.as_bytes()).unwrap();
        }
        assert_eq!(jar.cookie_line("/dir").as_deref(), Some("a=2; a=3; b=1"));
    }

    #[test]
    fn cookies_end_by_age_by_date_and_with_the_browser() {
        let mut jar = Jar::new("localhost");
        jar.set_now(784_111_000);
        for line in [
            "age=1; Max-Age=60",
            "date=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT",
            "age_wins=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "session=1",
            "dead=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "odd_age=1; Max-Age=6x",
        ] {
            jar.store("/", line.as_bytes()).unwrap();
        }
        let names = |jar: &Jar| jar.cookies().iter().map(|cookie| cookie.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&jar), ["age", "date", "age_wins", "session", "odd_age"]);
        jar.advance(60);
        assert_eq!(names(&jar), ["date", "session", "odd_age"]);
        jar.set_now(784_111_777);
        assert_eq!(names(&jar), ["session", "odd_age"]);
        jar.close_browser();
        assert_eq!(names(&jar), [""; 0]);
    }

    #[test]
    fn a_clearing_cookie_clears_only_with_the_same_path() {
        let mut jar = stored("a=1; Path=/").unwrap();
        jar.store("/dir/page", b"a=; Max-Age=0").unwrap();
        assert!(jar.get("a").is_some());
        jar.store("/dir/page", b"a=; Max-Age=0; Path=/").unwrap();
        assert!(jar.get("a").is_none());
    }
}

mod transcripts {
    use super::*;

    #[tokio::test]
    async fn the_same_behaviour_reads_the_same() {
        let answers = [
            format!(
                "HTTP/1.1 200 Fine\r\nDate: now\r\nVary: Cookie\r\nset-cookie: a={TOKEN}; Path=/\r\nContent-Length: 2\r\n\r\nok"
            ),
            format!(
                "HTTP/1.1 200 OK\r\nset-cookie: a={TOKEN}; Path=/\r\nSERVER: x\r\nVARY: Cookie\r\nContent-Length: 2\r\n\r\nok"
            ),
        ];
        let mut texts = Vec::new();
        for answer in answers {
            let server = respond(move |_| answer.clone().into());
            let mut visitor = Visitor::new(server.address());
            visitor.send(Request::get("/")).await;
            texts.push(visitor.transcript.to_string());
        }
        assert_eq!(texts[0], texts[1]);
        assert_eq!(texts[0], "1. GET /\n200\nset-cookie: a=<token 1>; Path=/\nvary: Cookie\nok\n\n");
    }

    #[tokio::test]
    async fn a_visitor_takes_cookies_from_one_port_to_another() {
        let first = respond(|_| b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n".to_vec());
        let second = respond(|request| {
            let body = serde_json::json!(request.contains("Cookie: a=1")).to_string();
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
        });
        let mut visitor = Visitor::new(first.address());
        visitor.send(Request::get("/")).await.expect_status(200);
        visitor.go_to(second.address());
        assert_eq!(visitor.send(Request::get("/")).await.json(), true);
    }

    #[tokio::test]
    #[should_panic(expected = "a browser refuses")]
    async fn a_visitor_fails_on_a_cookie_that_a_browser_refuses() {
        let answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: __Host-a=1\r\nContent-Length: 0\r\n\r\n";
        let server = respond(|_| answer.to_vec());
        Visitor::new(server.address()).send(Request::get("/")).await;
    }

    #[test]
    fn tokens_and_named_values_become_labels() {
        let mut transcript = Transcript::new();
        transcript.heading("a heading");
        transcript.name("2f9c", "the device");
        let request =
            Request::delete("/session/list/2f9c").cookie(format!("s={OTHER}; t={TOKEN}")).bearer(OTHER);
        transcript.record(&request, &Err(WireError::Closed { received: 0 }));
        let expected = "# a heading\n\n1. DELETE /session/list/<the device>\n\
            > cookie: s=<token 1>; t=<token 2>\n> authorization: Bearer <token 1>\n(connection closed)\n\n";
        assert_eq!(transcript.to_string(), expected);
    }

    #[test]
    fn other_bytes_are_escaped_and_file_names_are_no_tokens() {
        let mut transcript = Transcript::new();
        let request = Request::post("/a.b.c").header("X", b"caf\xe9").body("text/plain", "eyJ.x");
        transcript.record(&request, &Err(WireError::TimedOut));
        let text = transcript.to_string();
        assert!(
            text.starts_with("1. POST /a.b.c\n> x: caf\\xe9\n> content-type: text/plain\n> eyJ.x\n"),
            "{text}"
        );
    }
}
