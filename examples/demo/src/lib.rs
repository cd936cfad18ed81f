//! The demo: one app on axum, actix-web and Rocket, where a login on one is a login on all three.
//!
//! Everything the three share is here and knows no framework: [`app::App`] has one function per route, from plain
//! data to a plain [`Answer`]. A framework's file routes, reads the body, and translates.

pub mod accounts;
pub mod actix;
pub mod answer;
pub mod app;
pub mod axum;
pub mod events;
pub mod login;
pub mod options;
pub mod page;
pub mod private;
pub mod rocket;
pub mod secret;
pub mod serve;
pub mod sessions;
pub mod user;

pub use answer::Answer;
pub use app::{App, Framework};
pub use options::Options;
pub use user::User;
