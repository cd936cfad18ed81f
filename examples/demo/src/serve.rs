//! Running the three together: bind, start, say where, stop.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::app::Shared;
use crate::options::Store;
use session_core::SessionManager;

use crate::{App, Framework, Options, User, actix, axum, rocket};

/// How long the three have to answer after they were started.
const START: Duration = Duration::from_secs(10);
/// How long they have to finish what they are doing after they were asked to stop.
const STOP: Duration = Duration::from_secs(10);

/// Tells the servers to stop. Dropping it does, too.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// Learns that the servers are to stop. Each framework's file waits for one and then stops gracefully.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// A signal that is given once and seen by every clone.
#[must_use]
pub fn shutdown() -> (Stop, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Shutdown(receiver))
}

impl Stop {
    /// Gives the signal.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Returns once the signal is given.
    pub async fn requested(mut self) {
        // An error says that the other half is gone: stop as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// The three ports on loopback, all of them or none.
///
/// # Errors
/// Names the port that is in use, and the option that helps.
pub fn bind(ports: [u16; 3]) -> anyhow::Result<[TcpListener; 3]> {
    let [axum, actix, rocket] = ports;
    Ok([bind_one(axum)?, bind_one(actix)?, bind_one(rocket)?])
}

fn bind_one(port: u16) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => format!("port {port} is in use: `--port N` takes N, N+1 and N+2 instead"),
            ErrorKind::PermissionDenied => format!("port {port} is not allowed: try `--port 3000`"),
            _ => format!("cannot listen on port {port}"),
        };
        anyhow::Error::new(error).context(hint)
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the app on all three until `shutdown`; `ready` runs once all of them answer.
///
/// # Errors
/// When one of them fails, the others are stopped, and the error says which it was.
pub async fn run(
    options: &Options,
    shared: Arc<Shared>,
    sessions: SessionManager<User>,
    shutdown: Shutdown,
    ready: impl FnOnce(),
) -> anyhow::Result<()> {
    let listeners = bind(options.ports())?;
    let (stop, stopping) = self::shutdown();
    let mut servers = JoinSet::new();
    for (framework, listener) in Framework::ALL.into_iter().zip(listeners) {
        let has_store = options.store != Store::Stateless;
        let app = App::new(framework, Arc::clone(&shared), sessions.clone(), has_store);
        let (sessions, stopping) = (sessions.clone(), stopping.clone());
        servers.spawn(async move { (framework, serve(framework, listener, app, sessions, stopping).await) });
    }
    let upkeep = tokio::spawn({
        let (sessions, stopping) = (sessions.clone(), stopping);
        async move { sessions.maintain(stopping.requested()).await }
    });
    let outcome = tokio::select! {
        () = shutdown.requested() => Ok(()),
        outcome = all_answer(options.ports(), ready) => outcome,
        Some(ended) = servers.join_next() => ended.map_err(Into::into).and_then(too_early),
    };
    stop.now();
    let all_stopped = async {
        while servers.join_next().await.is_some() {}
        // Ends with the others; a panic in it has been reported by the runtime.
        let _ = upkeep.await;
    };
    if timeout(STOP, all_stopped).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    outcome
}

async fn serve(
    framework: Framework,
    listener: TcpListener,
    app: App,
    sessions: SessionManager<User>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    match framework {
        Framework::Axum => axum::serve(listener, app, sessions, shutdown).await,
        Framework::ActixWeb => actix::serve(listener, app, sessions, shutdown).await,
        Framework::Rocket => rocket::serve(listener, app, sessions, shutdown).await,
    }
}

fn too_early((framework, result): (Framework, anyhow::Result<()>)) -> anyhow::Result<()> {
    result.with_context(|| format!("{} failed", framework.name()))?;
    bail!("{} stopped by itself", framework.name())
}

/// Runs `ready` once all ports answer; returns only when they do not.
async fn all_answer(ports: [u16; 3], ready: impl FnOnce()) -> anyhow::Result<()> {
    for (framework, port) in Framework::ALL.into_iter().zip(ports) {
        let answers = async {
            while !is_healthy(port).await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(START, answers).await.is_err() {
            bail!("{} does not answer on port {port}", framework.name());
        }
    }
    ready();
    std::future::pending().await
}

/// Whether `GET /healthz` is answered with 200.
async fn is_healthy(port: u16) -> bool {
    let probe = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await?;
        std::io::Result::Ok(start)
    };
    matches!(timeout(Duration::from_secs(1), probe).await, Ok(Ok(start)) if start == *b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = format!("{:#}", bind_one(port).unwrap_err());
        assert!(error.starts_with(&format!("port {port} is in use: `--port N`")), "{error}");
    }

    #[tokio::test]
    async fn a_shutdown_is_seen_by_every_clone_before_and_after() {
        let (stop, shutdown) = shutdown();
        let early = tokio::spawn(shutdown.clone().requested());
        stop.now();
        early.await.unwrap();
        shutdown.clone().requested().await;
        drop(stop);
        shutdown.requested().await;
    }

    #[test]
    fn a_server_that_ends_by_itself_is_an_error() {
        let error = too_early((Framework::Rocket, Ok(()))).unwrap_err();
        assert_eq!(error.to_string(), "Rocket stopped by itself");
    }
}
