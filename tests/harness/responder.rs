//! A server that answers with given bytes: for tests of this harness itself.

use std::{io, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Server, Stop};

/// Answers each request, head and body as text, with whatever bytes the function makes of it. The connection
/// is closed after an answer that says `Connection: close`, and after an empty one.
pub(crate) fn respond(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Server {
    Server::start(|listener, stop| accept(listener, stop, answer))
}

async fn accept(listener: std::net::TcpListener, stop: Stop, answer: impl Fn(&str) -> Vec<u8> + 'static) {
    let listener = TcpListener::from_std(listener).expect("a listener in the runtime");
    let answer = Rc::new(answer);
    let forever = async {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Rc::clone(&answer);
            tokio::task::spawn_local(async move { serve(stream, answer.as_ref()).await });
        }
    };
    tokio::select! {
        () = forever => {}
        () = stop.requested() => {}
    }
}

async fn serve(mut stream: TcpStream, answer: &impl Fn(&str) -> Vec<u8>) -> io::Result<()> {
    let mut unread = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut unread).await? {
        let answer = answer(&request);
        stream.write_all(&answer).await?;
        if answer.is_empty() || String::from_utf8_lossy(&answer).contains("Connection: close") {
            break;
        }
    }
    stream.shutdown().await
}

async fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        let text = String::from_utf8_lossy(unread);
        if let Some(end) = text.find("\r\n\r\n") {
            let length =
                text.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
            let end = end + 4 + length.unwrap_or(0);
            if unread.len() >= end {
                let rest = unread.split_off(end);
                let request = std::mem::replace(unread, rest);
                return Ok(Some(String::from_utf8_lossy(&request).into_owned()));
            }
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}
