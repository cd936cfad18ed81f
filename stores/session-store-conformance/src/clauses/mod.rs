//! The contract, clause by clause.

mod accounts;
mod adopting;
mod cleanup;
mod ending;
mod expiry;
mod fence;
mod limits;
mod logins;
mod news;
mod realms;
mod replacing;
mod rotation;
mod touching;

pub use accounts::*;
pub use adopting::*;
pub use cleanup::*;
pub use ending::*;
pub use expiry::*;
pub use fence::*;
pub use limits::*;
pub use logins::*;
pub use news::*;
pub use realms::*;
pub use replacing::*;
pub use rotation::*;
pub use touching::*;
