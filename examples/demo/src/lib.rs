//! The demo: one app on axum, actix-web and Rocket, where a login on one is a login on all three.
//!
//! Everything the three share is here and knows no framework: [`app::App`] has one function per route, from plain
//! data to a plain [`Answer`]. A framework's file routes, reads the body, and translates. The one condition on
//! sessions that is the demo's own, [`guard::Admin`], is a guard that all three extract.

pub mod accounts;
pub mod actix;
pub mod answer;
pub mod app;
pub mod asked;
pub mod axum;
pub mod cards;
pub mod events;
pub mod forms;
pub mod guard;
pub mod login;
pub mod notice;
pub mod options;
pub mod page;
pub mod private;
pub mod rocket;
pub mod second_factor;
pub mod secret;
pub mod serve;
pub mod sessions;
pub mod user;

pub use answer::Answer;
pub use app::{App, Framework};
pub use asked::Asked;
pub use options::Options;
pub use user::User;
