//! Requests over a socket: the server on one core, `wrk` on another.

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use axum::serve::ListenerExt as _;
use session_benches::measure::median;
use session_benches::requests::axum::Served;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

const CONNECTIONS: &str = "64";
const ROUNDS: usize = 15;
const SECONDS: &str = "1s";
/// Of `wrk`; the rest of this process stays on the first.
const ITS_CORE: &str = "1";

struct Service {
    name: &'static str,
    url: String,
    headers: Vec<String>,
}

/// Requests a second, and of the first service in the same round, medians.
///
/// # Panics
/// When `wrk` or `taskset` is missing, or a service answers anything but 200.
#[must_use]
pub fn measure(served: Vec<Served>) -> Vec<(&'static str, f64, f64)> {
    let services: Vec<Service> = served.into_iter().map(serve).collect();
    let mut rates = vec![Vec::new(); services.len()];
    for round in 0..=ROUNDS {
        for (service, rates) in services.iter().zip(&mut rates) {
            let rate = load(service);
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let of_the_first =
        |these: &[f64]| median(these.iter().zip(&rates[0]).map(|(it, first)| it / first).collect());
    let rows = services.iter().zip(&rates);
    rows.map(|(service, these)| (service.name, median(these.clone()), of_the_first(these))).collect()
}

/// In a thread of its own, which ends with the process.
fn serve(Served { name, app, path, headers }: Served) -> Service {
    let (told, port) = mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            told.send(listener.local_addr().expect("a port").port()).expect("somebody waits");
            axum::serve(listener.tap_io(|io| drop(io.set_nodelay(true))), app).await
        })
    });
    let url = format!("http://127.0.0.1:{}{path}", port.recv().expect("a server"));
    let headers = headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    Service { name, url, headers }
}

fn load(service: &Service) -> f64 {
    let mut command = Command::new("taskset");
    command.args(["-c", ITS_CORE, "wrk", "-t1", "-c", CONNECTIONS, "-d", SECONDS]);
    for line in &service.headers {
        command.args(["-H", line]);
    }
    let output = command.arg(&service.url).output().expect("taskset and wrk (Debian: util-linux, wrk)");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(!report.contains("Non-2xx") && !report.contains("Socket errors"), "{}: {report}", service.name);
    let rate = report.lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.unwrap_or_else(|| panic!("{}: {report}{}", service.name, String::from_utf8_lossy(&output.stderr)))
}
