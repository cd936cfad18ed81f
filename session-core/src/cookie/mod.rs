#![allow(missing_docs, dead_code)]
use crate::*;
use std::time::Duration;
pub enum SameSite {
    Lax,
}
#[derive(Default)]
pub struct CookieSettings {
    name: std::sync::Arc<str>,
}
pub(crate) struct TooLarge {
    pub(crate) size: usize,
}
impl CookieSettings {
    pub fn development() -> Self {
        Self::default()
    }
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        Ok(())
    }
    pub(crate) fn name(&self) -> &std::sync::Arc<str> {
        &self.name
    }
    pub(crate) fn set(&self, v: &str, _m: Duration) -> Result<String, TooLarge> {
        Ok(v.into())
    }
    pub(crate) fn check_size(&self, _n: usize) -> Result<(), TooLarge> {
        Ok(())
    }
    pub(crate) fn clear(&self) -> String {
        String::new()
    }
}
pub(crate) struct Candidates;
impl Candidates {
    pub(crate) fn from_head(_h: &impl Headers, _n: &str) -> Self {
        Self
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }
}
