//! What guards need of the application beside the session: a database pool, settings.

use std::any::{Any, TypeId, type_name};

use crate::error::ConfigError;

/// One value of each type.
#[derive(Default)]
pub(crate) struct Data(Vec<Entry>);

struct Entry {
    id: TypeId,
    name: &'static str,
    value: Box<dyn Any + Send + Sync>,
}

impl Data {
    pub(crate) fn add<T: Send + Sync + 'static>(&mut self, value: T) {
        let (id, name) = (TypeId::of::<T>(), type_name::<T>());
        self.0.push(Entry { id, name, value: Box::new(value) });
    }

    /// Two of one type cannot be told apart.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let twice = self
            .0
            .iter()
            .enumerate()
            .find(|(at, one)| self.0.iter().skip(at + 1).any(|other| other.id == one.id));
        match twice {
            Some((_, Entry { name, .. })) => Err(ConfigError::new(format!(
                "two values of the type {name} were given with .data(..): put one of them into a type of its own"
            ))),
            None => Ok(()),
        }
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find(|entry| entry.id == id)?.value.downcast_ref()
    }
}
