//! Real applications of other systems, each replaced by a service of ours while Chromium stays logged in.

mod application;
mod auth_js;
mod django;
mod express;
mod takeover;
