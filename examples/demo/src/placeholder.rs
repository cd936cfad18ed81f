//! Stands in for the frameworks' own files until they are here: answers every request like `GET /healthz`.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::App;
use crate::serve::Shutdown;

/// Serves until `shutdown`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, app: App, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let answers = async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let body = app.healthz().body;
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        }
    };
    tokio::select! {
        failed = answers => failed,
        () = shutdown.requested() => Ok(()),
    }
}
