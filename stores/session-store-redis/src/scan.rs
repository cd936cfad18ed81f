//! A pass over the keys of a server, in steps, for those of one realm's sessions.

use redis::RedisResult;

use crate::keys::Base;
use crate::link::{Link, Repeat};

/// How many keys one step looks at: well below a millisecond of the server's time.
const STEP: u32 = 500;

pub(crate) struct Scan {
    link: Link,
    base: Base,
    pattern: String,
    /// Where the next step begins; `None` at the end.
    cursor: Option<Vec<u8>>,
}

impl Scan {
    pub(crate) fn new(link: Link, base: Base) -> Self {
        let pattern = base.pattern();
        Self { link, base, pattern, cursor: Some(b"0".to_vec()) }
    }

    /// The ids of a step: those of ended sessions, too, and some twice while the server's table changes its size. `None`
    /// at the end.
    pub(crate) async fn next(&mut self) -> RedisResult<Option<Vec<[u8; 16]>>> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(STEP);
        let found = self.link.send(scan, &self.base, Repeat::Once).await?;
        let (next, keys): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(found)?;
        self.cursor = (next != b"0").then_some(next);
        Ok(Some(keys.iter().filter_map(|key| self.base.id_in(key)?.try_into().ok()).collect()))
    }
}
