//! Which node of a cluster has which slots.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use redis::Value;

use crate::keys::{Base, Realm};

/// A shard of the realm on each node that has one, from what `CLUSTER SLOTS` answers.
pub(crate) fn one_on_each(slots: &Value, realm: &Realm) -> Vec<Base> {
    let Value::Array(ranges) = slots else { return Vec::new() };
    let ranges: Vec<_> = ranges.iter().filter_map(range).collect();
    let mut nodes = BTreeMap::new();
    for base in realm.shards() {
        if let Some((_, primary)) = ranges.iter().find(|(slots, _)| slots.contains(&base.slot().into())) {
            nodes.entry(*primary).or_insert(base);
        }
    }
    nodes.into_values().collect()
}

/// First slot, last slot, and the primary: its address, port and id.
fn range(range: &Value) -> Option<(RangeInclusive<i64>, &[u8])> {
    let Value::Array(parts) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice() else {
        return None;
    };
    let Some(Value::BulkString(id)) = primary.get(2) else { return None };
    Some((*first..=*last, id))
}
