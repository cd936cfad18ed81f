//! What sessions cost, beside a limit written by hand and beside other libraries.

pub mod chart;
pub mod counting;
pub mod limit;
pub mod measure;
pub mod report;
pub mod requests;
pub mod token;
pub mod workload;
