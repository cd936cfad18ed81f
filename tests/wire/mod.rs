//! HTTP/1.1 as bytes over TCP: what a test sends is what the server sees, and nothing is tidied up on the way back.
//!
//! [`exchange`] sends one [`Request`] on a connection of its own. [`Connection`] keeps one open, for several
//! requests, and for bytes that are not HTTP at all. [`Visitor`] is what most tests want: it keeps cookies in
//! a [`Jar`] as strict as a browser's, and writes down what happened as a [`Transcript`].

mod jar;
mod request;
mod response;
mod tests;
mod transcript;
mod visitor;

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::response::{BodyEnd, Head};
pub(crate) use self::{
    jar::{Jar, Refusal},
    request::Request,
    response::Response,
    transcript::Transcript,
    visitor::Visitor,
};

/// No answer takes longer than this, however busy the machine is; a hang is a failure and says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The server closed the connection before a whole response was there: the documented end of a request
    /// whose handler panics on axum and actix-web.
    #[error("the server closed the connection after {received} bytes")]
    Closed {
        /// How many bytes of the response had arrived.
        received: usize,
    },
    #[error("no whole response within {PATIENCE:?}")]
    TimedOut,
    #[error("not HTTP/1.1: {0}")]
    Malformed(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Sends one request on a new connection and reads the response.
pub(crate) async fn exchange(server: SocketAddr, request: &Request) -> Result<Response, WireError> {
    Connection::open(server).await?.send(request).await
}

/// One TCP connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    server: SocketAddr,
    /// What was read past the end of the last response.
    unread: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, server, unread: Vec::new() })
    }

    /// Sends a request and reads its response. The connection stays usable if the server keeps it open.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<Response, WireError> {
        self.write(&request.to_bytes(self.server)).await?;
        self.read(request.method() == "HEAD").await
    }

    /// Sends exactly these bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        match self.stream.write_all(bytes).await {
            // A server may answer and close before it has read everything: the answer is still there to read.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            other => Ok(other?),
        }
    }

    /// Reads one response, `100 Continue` and its like left out. The answer to HEAD has no body.
    pub(crate) async fn read(&mut self, to_head: bool) -> Result<Response, WireError> {
        let whole = async {
            loop {
                let head = self.read_head().await?;
                if !(100..200).contains(&head.status) || head.status == 101 {
                    let body = self.read_body(head.body_end(to_head)?).await?;
                    return Ok(Response::new(head, body));
                }
            }
        };
        tokio::time::timeout(PATIENCE, whole).await.unwrap_or(Err(WireError::TimedOut))
    }

    async fn read_head(&mut self) -> Result<Head, WireError> {
        const END: &[u8] = b"\r\n\r\n";
        loop {
            if let Some(at) = self.unread.windows(END.len()).position(|window| window == END) {
                let rest = self.unread.split_off(at + END.len());
                let head = std::mem::replace(&mut self.unread, rest);
                return Head::parse(&head[..at]);
            }
            self.read_more().await?;
        }
    }

    async fn read_body(&mut self, end: BodyEnd) -> Result<Vec<u8>, WireError> {
        match end {
            BodyEnd::Length(length) => self.take(length).await,
            BodyEnd::Chunked => self.read_chunks().await,
            BodyEnd::Close => {
                while self.read_some().await? != 0 {}
                Ok(std::mem::take(&mut self.unread))
            }
        }
    }

    async fn read_chunks(&mut self) -> Result<Vec<u8>, WireError> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line().await?;
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok());
            let size =
                size.ok_or_else(|| WireError::Malformed(format!("chunk size {}", line.escape_ascii())))?;
            if size == 0 {
                while !self.take_line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            if !self.take_line().await?.is_empty() {
                return Err(WireError::Malformed("a chunk longer than it says".into()));
            }
        }
    }

    async fn take_line(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|window| window == b"\r\n") {
                let mut line = self.take(at + 2).await?;
                line.truncate(at);
                return Ok(line);
            }
            self.read_more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        while self.unread.len() < length {
            self.read_more().await?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    async fn read_more(&mut self) -> Result<(), WireError> {
        match self.read_some().await? {
            0 => Err(WireError::Closed { received: self.unread.len() }),
            _ => Ok(()),
        }
    }

    async fn read_some(&mut self) -> Result<usize, WireError> {
        match self.stream.read_buf(&mut self.unread).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(0),
            other => Ok(other?),
        }
    }
}
