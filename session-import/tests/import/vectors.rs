//! The files in `vectors/`.

use serde_json::Value;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const SECOND: &str = "fedcba9876543210fedcba9876543210";

pub(crate) fn node() -> Value {
    parse(include_str!("vectors/node.json"))
}

pub(crate) fn node_extra() -> Value {
    parse(include_str!("vectors/node-extra.json"))
}

pub(crate) fn python() -> Value {
    parse(include_str!("vectors/python.json"))
}

pub(crate) fn python_extra() -> Value {
    parse(include_str!("vectors/python-extra.json"))
}

pub(crate) fn rails() -> Value {
    parse(include_str!("vectors/rails.json"))
}

pub(crate) fn rails_extra() -> Value {
    parse(include_str!("vectors/rails-extra.json"))
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
