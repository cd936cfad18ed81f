//! The network between the nodes and their store, and what goes wrong in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where connections lead to.
#[derive(Clone)]
pub(super) enum Target {
    Port(u16),
    Socket(PathBuf),
}

/// Passes on what comes, until the network breaks.
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy)]
struct State {
    /// How often connections were reset.
    resets: u64,
    /// Whether bytes get lost.
    silent: bool,
}

impl Proxy {
    pub(super) async fn start(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("not 127.0.0.1") };
        let state = Arc::new(watch::Sender::new(State { resets: 0, silent: false }));
        let task = tokio::spawn(accept(listener, target, Arc::clone(&state)));
        Self { port: address.port(), state, task }
    }

    /// Resets every connection: both sides get an RST, in the middle of whatever they said.
    pub(super) fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    /// Loses every byte from now on, in both directions, and says nothing.
    pub(super) fn fall_silent(&self) {
        self.state.send_modify(|state| state.silent = true);
    }

    /// Passes bytes on again. What was lost stays lost, so that connections from before are of no use.
    pub(super) fn heal(&self) {
        self.state.send_modify(|state| {
            state.silent = false;
            state.resets += 1;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: Target, state: Arc<watch::Sender<State>>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let (target, state) = (target.clone(), state.subscribe());
        tokio::spawn(async move {
            match target {
                Target::Port(port) => {
                    let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    server.set_nodelay(true).unwrap();
                    pass_on(client, server, state).await;
                }
                Target::Socket(path) => {
                    pass_on(client, UnixStream::connect(path).await.unwrap(), state).await;
                }
            }
        });
    }
}

async fn pass_on<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: TcpStream,
    mut server: S,
    mut state: watch::Receiver<State>,
) {
    let born = state.borrow().resets;
    let mut is_cut = state.clone();
    let cut = is_cut.wait_for(|state| state.resets > born);
    let pass = async {
        let ended = tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => true,
            _ = state.wait_for(|state| state.silent) => false,
        };
        if !ended {
            std::future::pending::<()>().await;
        }
    };
    let reset = tokio::select! {
        () = pass => false,
        _ = cut => true,
    };
    if reset {
        // Closed with bytes unsent and no time to send them: an RST.
        client.set_zero_linger().unwrap();
    }
}
