//! The news about sessions that ended: one channel for each realm.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisResult};
use session_core::store::{Invalidation, StoreError};
use tokio::time::timeout;

use crate::answer::ids_in;
use crate::error::store_error;
use crate::patience::{CONNECT, LOST};

/// What is said when everybody was ended. The scripts say the byte of a shard, and what follows it in the ids.
pub(crate) const EVERYONE: &[u8] = b"*";

/// Makes connections that hear. On a cluster every node passes every message on, so one of them is enough.
pub(crate) struct Subscriber {
    nodes: Vec<Client>,
    /// The node that is asked first: the next one after each loss.
    first: AtomicUsize,
}

impl Subscriber {
    pub(crate) fn new(nodes: Vec<Client>) -> Self {
        Self { nodes, first: AtomicUsize::new(0) }
    }

    /// Calls `heard` until the connection is lost, and says why.
    pub(crate) async fn listen(
        &self,
        channel: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> StoreError {
        let (mut sink, mut stream) = match self.subscribe(channel).await {
            Ok(subscribed) => subscribed,
            Err(error) => return error,
        };
        loop {
            match timeout(LOST, stream.next()).await {
                Ok(Some(message)) => news_in(message.get_payload_bytes()).for_each(heard),
                Ok(None) => return lost("Redis closed the connection that tells of ended sessions"),
                // Silence. Subscribing again changes nothing, needs no further permission and must be answered.
                Err(_) => match within_time(sink.subscribe(channel)).await {
                    Ok(()) => {}
                    Err(error) => return error,
                },
            }
        }
    }

    /// A subscribed connection to the first node that gives one.
    async fn subscribe(&self, channel: &str) -> Result<(PubSubSink, PubSubStream), StoreError> {
        let first = self.first.fetch_add(1, Ordering::Relaxed) % self.nodes.len().max(1);
        let mut last = lost("no node of Redis can be listened to");
        for node in self.nodes.iter().cycle().skip(first).take(self.nodes.len()) {
            match within_time(subscribe(node, channel)).await {
                Ok(subscribed) => return Ok(subscribed),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn subscribe(node: &Client, channel: &str) -> RedisResult<(PubSubSink, PubSubStream)> {
    let mut connection = node.get_async_pubsub().await?;
    connection.subscribe(channel).await?;
    Ok(connection.split())
}

fn lost(what: &str) -> StoreError {
    StoreError::unavailable(format!("{what}: sessions that end elsewhere are noticed later until it is back"))
}

async fn within_time<T>(answer: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
    match timeout(CONNECT, answer).await {
        Ok(answer) => answer.map_err(store_error),
        Err(_) => Err(store_error(io::Error::from(io::ErrorKind::TimedOut).into())),
    }
}

/// What a message says; nothing, if it is none of ours.
fn news_in(message: &[u8]) -> impl Iterator<Item = Invalidation> {
    let everyone = (message == EVERYONE).then_some(Invalidation::EveryoneEnded);
    let ended = message.split_first().map(|(shard, ids)| ids_in(*shard, ids)).unwrap_or_default();
    everyone.into_iter().chain(ended.into_iter().map(Invalidation::Ended))
}
