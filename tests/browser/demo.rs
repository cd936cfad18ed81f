//! The demo, as a person uses it (when it is there).
