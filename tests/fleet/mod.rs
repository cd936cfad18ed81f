//! A fleet: three processes, one for each framework, on one store, with one secret and one clock.
//!
//! | file | what is there |
//! |---|---|
//! | `node` | one process: this test binary, started again |
//! | `backend` | the stores that several processes can share, and who runs them |
//! | `fleet` | three nodes, and a browser that goes from one to the other |
//! | `one_login`, `counting`, `one_token`, `around_a_login` | what must hold while all is well |
//! | `hybrid` | what each node may remember of the store, and for how long |
//! | `load`, `proxy`, `faults` | what must hold while the store is killed, stopped, restarted, cut off |
//! | `households`, `history`, `judged` | those who share a session, and whether one order explains what each was told |

mod around_a_login;
mod backend;
mod counting;
mod faults;
#[allow(clippy::module_inception, reason = "it is what it is called")]
mod fleet;
mod history;
mod households;
mod hybrid;
mod judged;
mod load;
mod node;
mod one_login;
mod one_token;
mod proxy;

pub(crate) use backend::Backend;
