//! What a node hears of sessions that ended elsewhere: late, or not at all.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use session_core::store::Invalidation;

use crate::stage::{Millis, Stage, lock};

/// Of one listener.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Letters>);

#[derive(Default)]
struct Letters {
    waiting: VecDeque<Invalidation>,
    reader: Option<Waker>,
}

impl Mailbox {
    /// Arrives so much later: news overtake each other.
    pub(crate) fn send(self: &Arc<Self>, stage: &Stage, delay: Millis, news: Invalidation) {
        let (mailbox, pause) = (Arc::clone(self), stage.sleep(delay));
        stage.spawn(async move {
            pause.await;
            let mut letters = lock(&mailbox.0);
            letters.waiting.push_back(news);
            if let Some(reader) = letters.reader.take() {
                reader.wake();
            }
        });
    }

    pub(crate) async fn next(&self) -> Invalidation {
        poll_fn(|context| {
            let mut letters = lock(&self.0);
            match letters.waiting.pop_front() {
                Some(news) => Poll::Ready(news),
                None => {
                    letters.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
