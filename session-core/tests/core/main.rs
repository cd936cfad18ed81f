//! What the core promises, through its public door: a request in plain data goes in, an answer in plain data comes
//! out. Every test owns its clock.

mod bearer;
mod events;
mod faults;
mod handle;
mod login;
mod refresh;
mod stateless;
mod support;
mod tracked;
