//! `cargo run -p session-demo`, then open one of the three addresses it prints.

use std::io;
use std::process::{ExitCode, exit};
use std::sync::Arc;

use clap::Parser as _;
use session_core::KeyRing;
use session_demo::app::Shared;
use session_demo::secret::Secret;
use session_demo::serve::{self, Stop};
use session_demo::{Framework, Options, sessions};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match start(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(options: &Options) -> anyhow::Result<()> {
    let secret = Secret::find(std::env::var_os("JWT_SECRET"), &options.data_dir)?;
    eprintln!("{}", secret.origin);
    let shared = Arc::new(Shared::new(options.ports())?);
    let store = sessions::open(&options.store, &options.data_dir).await?;
    let keys = KeyRing::from_secret(&secret.value)?;
    let sessions = sessions::builder(keys, store, &shared).build()?;
    let (stop, shutdown) = serve::shutdown();
    tokio::spawn(stop_on_signal(Signals::listen()?, stop));
    serve::run(options, shared, sessions, shutdown, || greet(options)).await
}

fn greet(options: &Options) {
    println!("\nOne login, three frameworks. Open any of them:\n");
    for (framework, port) in Framework::ALL.into_iter().zip(options.ports()) {
        println!("  {:<10} http://localhost:{port}", framework.name());
    }
    println!("\nLog in as alice / wonderland (admin) or bob / builder (user). Ctrl-C stops all three.");
}

/// The one signal handler for all three: the first signal lets requests finish, the second does not wait.
async fn stop_on_signal(mut signals: Signals, stop: Stop) {
    signals.next().await;
    eprintln!("\nStopping. Ctrl-C again does not wait.");
    stop.now();
    signals.next().await;
    exit(130);
}

/// Ctrl-C and SIGTERM, caught from [`Self::listen`] on.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
