//! A fleet in one thread: seeded runs of the real `session-core`, in which everything around it goes wrong.
//!
//! The core has no runtime, so a hand-made executor can let its requests take turns in any order. Clocks, random numbers,
//! the network, the store's answers and the order of everything come from one seed: the same seed is the same run. What
//! was promised is written down while requests run, and each answer is compared with it.
//!
//! | file | what is there |
//! |---|---|
//! | `settings`, `weather` | what a seed draws: fleet, lifetimes, weather, events |
//! | `stage`, `random`, `clock` | the executor and its time; chance; the clocks of nodes |
//! | `node`, `payload` | the real managers, with two versions of a payload |
//! | `network`, `backend`, `news` | the way to the store; the real `MemoryStore`, and what it really did; the news of ended sessions |
//! | `world`, `browser`, `token`, `visit` | who asks for what; one request; what a browser keeps of the answer |
//! | `events`, `keys` | what happens to the fleet meanwhile |
//! | `visa`, `reader`, `moving` | sessions of another system; how a node reads them; who comes with one |
//! | `oracle` | what was promised; what must be true of an answer that shows a session (`verdict`), of one that shows none (`refusal`), and of whoever comes from the other system (`adoption`) |
//! | `happened` | what happened, by kind: a run in which nothing goes wrong finds nothing |
//! | `planted` | faults that must be found |
//! | `search`, `seeds` | many seeds, on all cores; what the tests run |

mod backend;
mod browser;
mod clock;
mod events;
mod happened;
mod keys;
mod moving;
mod network;
mod news;
mod node;
mod oracle;
mod payload;
mod planted;
mod random;
mod reader;
mod search;
#[cfg(test)]
mod seeds;
mod settings;
mod stage;
mod token;
mod visa;
mod visit;
mod weather;
mod world;

pub use happened::{Counts, Happened};
pub use planted::Planted;
pub use search::{Failure, Plan, Run, Totals, run, search};
