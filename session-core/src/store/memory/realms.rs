//! The realms of a store, found by name without a lock.

use std::iter;
use std::sync::OnceLock;

use super::realm::Realm;

/// A list that only grows: there is one realm for each manager, so it is short, and looking one up writes to no
/// memory that other cores read.
#[derive(Default)]
pub(super) struct Realms {
    first: Link,
}

type Link = OnceLock<Box<Node>>;

struct Node {
    name: Box<str>,
    realm: Realm,
    next: Link,
}

impl Realms {
    pub(super) fn get(&self, name: &str) -> Option<&Realm> {
        self.nodes().find(|node| *node.name == *name).map(|node| &node.realm)
    }

    pub(super) fn get_or_add(&self, name: &str) -> &Realm {
        let mut link = &self.first;
        loop {
            let node = link.get_or_init(|| Node::new(name));
            if *node.name == *name {
                return &node.realm;
            }
            link = &node.next;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Realm> {
        self.nodes().map(|node| &node.realm)
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        iter::successors(self.first.get(), |node| node.next.get()).map(|node| &**node)
    }
}

impl Node {
    fn new(name: &str) -> Box<Self> {
        Box::new(Self { name: name.into(), realm: Realm::default(), next: Link::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_realm() {
        let realms = Realms::default();
        let [users, admins] = ["users", "admins"].map(|name| std::ptr::from_ref(realms.get_or_add(name)));
        assert_ne!(users, admins);
        assert_eq!(realms.get("users").map(std::ptr::from_ref), Some(users));
        assert_eq!(std::ptr::from_ref(realms.get_or_add("admins")), admins);
        assert_eq!(realms.iter().count(), 2);
    }

    #[test]
    fn an_unknown_name_is_not_added_by_looking() {
        let realms = Realms::default();
        assert!(realms.get("users").is_none());
        assert_eq!(realms.iter().count(), 0);
    }
}
