//! What only a real browser can show. Needs `chromium` and `chromedriver` in the PATH: without them these tests say so
//! and pass, unless `CI=true` or `SESSION_TESTS_REQUIRE_ALL=1`.

mod accounts;
mod back;
mod chromium;
mod demo;
mod host_cookie;
mod nextjs;
mod nextjs_app;
mod oidc;
mod passkeys;

pub(crate) use chromium::Chromium;
