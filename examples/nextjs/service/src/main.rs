//! `cargo run -p session-nextjs-example`: listens on 127.0.0.1:3001, for the Next.js application in the folder above.

use std::error::Error;
use std::net::SocketAddr;

use session_axum::KeyRing;
use session_nextjs_example::{router, sessions};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let origin = std::env::var("PUBLIC_ORIGIN").unwrap_or_else(|_| "http://localhost:3000".to_owned());
    let sessions = sessions(KeyRing::from_env()?, &origin)?.build()?;
    let listener = TcpListener::bind(("127.0.0.1", 3001)).await?;
    println!("Listening for the Next.js application at {origin}");
    let router = router(sessions).into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, router).await?)
}
