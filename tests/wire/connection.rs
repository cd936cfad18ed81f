//! One TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::response::BodyEnd;
use super::{Request, Response};

/// A guard against hanging for good; no answer takes so long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The server closed the connection first: on axum and actix-web the documented end of a handler's panic.
    Closed,
    /// Nothing came for half a minute.
    TimedOut,
    /// What came is not HTTP/1.1.
    Malformed(String),
    /// The connection could not be used.
    Io(io::ErrorKind),
}

/// One TCP connection to a server, for one or several requests.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
    /// What came behind the last response.
    unread: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> Result<Self, Broken> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: server.to_string(), unread: Vec::new() })
    }

    /// Sends a request and reads its response.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Result<Response, Broken> {
        self.write(&request.to_bytes(&self.host)).await?;
        self.read(request.method == "HEAD").await
    }

    /// Sends exactly these bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match self.stream.write_all(bytes).await {
            // The server may have answered and closed before it read everything: the answer is still there.
            Err(error) if is_closed(error.kind()) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Reads one response; interim ones (1xx) are passed over.
    pub(crate) async fn read(&mut self, to_head: bool) -> Result<Response, Broken> {
        let response = async {
            loop {
                let mut response = self.read_head().await?;
                if response.status >= 200 || response.status == 101 {
                    let end = response.body_end(to_head).map_err(Broken::Malformed)?;
                    response.body = self.read_body(end).await?;
                    return Ok(response);
                }
            }
        };
        tokio::time::timeout(PATIENCE, response).await.unwrap_or(Err(Broken::TimedOut))
    }

    async fn read_head(&mut self) -> Result<Response, Broken> {
        let head = self.take_until(b"\r\n\r\n").await?;
        Response::parse_head(&head).map_err(Broken::Malformed)
    }

    async fn read_body(&mut self, end: BodyEnd) -> Result<Vec<u8>, Broken> {
        match end {
            BodyEnd::After(length) => self.take(length).await,
            BodyEnd::Chunked => self.read_chunks().await,
            BodyEnd::Close => {
                while self.receive().await? > 0 {}
                Ok(std::mem::take(&mut self.unread))
            }
        }
    }

    async fn read_chunks(&mut self) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n").await?;
            let size =
                std::str::from_utf8(&line).ok().and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok());
            let size =
                size.ok_or_else(|| Broken::Malformed(format!("chunk size {}", line.escape_ascii())))?;
            body.extend(self.take(size).await?);
            if !self.take_until(b"\r\n").await?.is_empty() {
                return Err(Broken::Malformed("a chunk that is longer than it says".to_owned()));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Takes the bytes before `end`, and drops `end`.
    async fn take_until(&mut self, end: &[u8]) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                let mut taken = self.take(at + end.len()).await?;
                taken.truncate(at);
                return Ok(taken);
            }
            self.receive_more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        while self.unread.len() < length {
            self.receive_more().await?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    async fn receive_more(&mut self) -> Result<(), Broken> {
        match self.receive().await? {
            0 => Err(Broken::Closed),
            _ => Ok(()),
        }
    }

    async fn receive(&mut self) -> Result<usize, Broken> {
        match self.stream.read_buf(&mut self.unread).await {
            Err(error) if is_closed(error.kind()) => Ok(0),
            outcome => Ok(outcome?),
        }
    }
}

fn is_closed(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered(bytes: &'static [u8]) -> Result<Response, Broken> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(bytes).await.unwrap();
        });
        let response = Connection::open(address).await?.exchange(&Request::get("/")).await;
        server.await.unwrap();
        response
    }

    #[tokio::test]
    async fn a_body_by_length_in_chunks_or_to_the_end() {
        for bytes in [
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".as_slice(),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nbody",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        ] {
            assert_eq!(answered(bytes).await.map(|response| response.body), Ok(b"body".to_vec()));
        }
    }

    #[tokio::test]
    async fn half_a_response_is_none() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody").await, Err(Broken::Closed));
        assert_eq!(answered(b"").await, Err(Broken::Closed));
    }
}
