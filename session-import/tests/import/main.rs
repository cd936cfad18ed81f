//! What every reader must do, on cookies that the real libraries made (`vectors/`).

mod clauses;
mod fuzz;
mod particular;
mod systems;
mod vectors;
