//! What must hold in a real browser: headless Chromium, through WebDriver.
//!
//! ```ignore
//! #[tokio::test]
//! async fn the_page_has_a_title() {
//!     let server = respond(..);
//!     let page = format!("http://localhost:{}/", server.address().port());
//!     in_browser("title", async move |client| {
//!         client.goto(&page).await.unwrap();
//!         assert_eq!(client.title().await.unwrap(), "Login");
//!     })
//!     .await;
//! }
//! ```

mod cookies;
mod demo;
mod driver;

use std::path::PathBuf;

use fantoccini::Client;

use self::driver::Browser;

/// Runs a scenario in a browser of its own: empty profile, own driver, everything stopped afterwards. Without
/// Chromium it is [left out](crate::requirements). If the scenario fails, a picture of the page is kept.
pub(crate) async fn in_browser<F>(name: &str, scenario: impl FnOnce(Client) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(browser) = Browser::start().await else { return };
    let client = browser.client();
    if let Err(failure) = tokio::spawn(scenario(client.clone())).await {
        eprintln!("what the browser showed: {}", screenshot(&client, name).await.display());
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// Writes a PNG of the page into the build directory and says where.
pub(crate) async fn screenshot(client: &Client, name: &str) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    let picture = client.screenshot().await.expect("a picture of the page");
    std::fs::write(&file, picture).expect("a writable build directory");
    file
}
