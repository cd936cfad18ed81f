//! Nobody is logged out: a service moves from one mode to another, or takes the place of another system.

mod modes;
mod systems;
