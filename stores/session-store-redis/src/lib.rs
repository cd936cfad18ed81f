//! Login sessions in Redis or Valkey.

mod connect;
mod error;
mod keys;
mod link;
mod record;
mod script;
mod seen;
mod store;

pub use redis;
pub use session_core as core;

pub use store::RedisStore;
