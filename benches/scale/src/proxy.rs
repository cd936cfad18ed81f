//! Counts round trips: how often a client says something after it was answered, or first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Stands before a server.
pub struct Proxy {
    pub port: u16,
    turns: Arc<AtomicU64>,
}

impl Proxy {
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let proxy = Self { port: listener.local_addr().expect("a port").port(), turns: Arc::default() };
        let turns = Arc::clone(&proxy.turns);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.expect("the server");
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                let answered = Arc::new(AtomicBool::new(true));
                let (turns, answered_too) = (Arc::clone(&turns), Arc::clone(&answered));
                tokio::spawn(copy(from_client, to_server, move || {
                    if answered.swap(false, Ordering::SeqCst) {
                        turns.fetch_add(1, Ordering::SeqCst);
                    }
                }));
                tokio::spawn(copy(from_server, to_client, move || {
                    answered_too.store(true, Ordering::SeqCst)
                }));
            }
        });
        proxy
    }

    /// Since the last time.
    pub fn take(&self) -> u64 {
        self.turns.swap(0, Ordering::SeqCst)
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, said: impl Fn()) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        said();
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
