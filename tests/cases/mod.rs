//! What must hold on every framework: one file per subject, each with a `cases!` list on top.
