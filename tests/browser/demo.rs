//! The demo, as a person uses it. To come with the demo, one test per line:
//!
//! - a login on axum is a login on actix-web and on Rocket
//! - the countdown moves, and refresh moves it back
//! - another device, revoked from the list, is logged out
//! - logging out everywhere leaves no device logged in
//! - no page logs an error to the console or breaks its Content-Security-Policy
