use std::{
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use tokio::{sync::watch, task::LocalSet};

/// How long a server may take to end by itself once it is told to.
const GRACE: Duration = Duration::from_millis(500);
/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a loopback port. Dropping it shuts it down and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Runs `serve` on a thread and a runtime of its own, so that it is independent of the test's and may use
    /// `spawn_local`. The listener is bound and listening, so requests can be sent at once. What still runs
    /// shortly after [`Stop::requested`] is dropped.
    pub(crate) fn start<F>(serve: impl FnOnce(TcpListener, Stop) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()>,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        listener.set_nonblocking(true).expect("a socket that tokio can use");
        Self::start_unbound(move |announce, stop| {
            announce.listening_on(listener.local_addr().expect("the address of a bound socket"));
            serve(listener, stop)
        })
    }

    /// As [`start`](Self::start), for a framework that takes no listener: it binds port 0 itself and says
    /// where it listens.
    pub(crate) fn start_unbound<F>(serve: impl FnOnce(Announce, Stop) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()>,
    {
        let (stop, stopped) = watch::channel(false);
        let (announced, announcement) = mpsc::channel();
        let thread = std::thread::spawn(move || run_until_stopped(serve, Announce(announced), Stop(stopped)));
        let address = announcement.recv_timeout(PATIENCE).expect("a server that says where it listens");
        Self { address, stop, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let panicked = self.thread.take().is_some_and(|thread| thread.join().is_err());
        assert!(!panicked || std::thread::panicking(), "the server at {} panicked", self.address);
    }
}

fn run_until_stopped<F>(serve: impl FnOnce(Announce, Stop) -> F, announce: Announce, stop: Stop)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let given_up = stop.clone();
    LocalSet::new().block_on(&runtime, async move {
        tokio::select! {
            () = serve(announce, stop) => {}
            () = given_up.requested_and_late() => {}
        }
    });
    runtime.shutdown_background();
}

/// How a server says that it listens.
#[derive(Debug)]
pub(crate) struct Announce(mpsc::Sender<SocketAddr>);

impl Announce {
    pub(crate) fn listening_on(self, address: SocketAddr) {
        _ = self.0.send(address);
    }
}

/// Tells a server to shut down.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits until the test is done with the server.
    pub(crate) async fn requested(mut self) {
        _ = self.0.wait_for(|stop| *stop).await;
    }

    async fn requested_and_late(self) {
        self.requested().await;
        tokio::time::sleep(GRACE).await;
    }
}
