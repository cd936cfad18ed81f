//! What the core promises, through its public door: a request in plain data goes in, an answer in plain data comes
//! out. Every test owns its clock.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

/// Cases that hold with a store and without one: `name::stateless`, `name::tracked` and so on, each with a world of its own.
macro_rules! in_every_mode {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident, $sessions:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "each case uses some of them")]
            use super::*;

            $(#[$doc])*
            async fn case(
                $world: crate::support::World,
                $sessions: session_core::SessionManager<crate::support::User>,
            ) $body

            #[tokio::test]
            async fn stateless() {
                let world = crate::support::World::new();
                let sessions = world.stateless();
                case(world, sessions).await;
            }

            #[tokio::test]
            async fn tracked() {
                let world = crate::support::World::new();
                let sessions = world.tracked();
                case(world, sessions).await;
            }

            #[tokio::test]
            async fn sealed_token() {
                let world = crate::support::World::new();
                let sessions = world.sealed();
                case(world, sessions).await;
            }

            #[tokio::test]
            async fn sealed_record() {
                let world = crate::support::World::new();
                let sessions = world.sealed_records();
                case(world, sessions).await;
            }

            #[tokio::test]
            async fn hybrid() {
                let world = crate::support::World::new();
                let sessions = world.hybrid();
                case(world, sessions).await;
            }
        }
    )*};
}

mod administration;
mod adopting;
#[cfg(feature = "asymmetric")]
mod asymmetric;
mod attempts;
mod attempts_model;
mod bearer;
mod ending;
mod errors;
mod events;
mod faults;
mod faulty;
mod flash;
mod flow;
mod guards;
mod guests;
mod handle;
mod hybrid;
mod hybrid_edges;
mod hybrid_model;
mod impersonation;
mod jar;
mod levels;
mod login;
mod maintain;
mod memory;
mod options;
mod origins;
mod payload;
mod plain_tokens;
mod privacy;
mod races;
mod refresh;
mod revalidation;
mod sealed_records;
mod sealed_tokens;
mod security;
mod stateless;
mod support;
mod tracked;
mod unreadable;
mod visitors;
