//! What a node hears of sessions that ended elsewhere: late, or not at all.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use session_core::store::Invalidation;

use crate::happened::Happened;
use crate::stage::{Millis, Stage, lock};
use crate::weather::Weather;

/// Tells all listeners.
pub(crate) struct News {
    stage: Stage,
    weather: Weather,
    mailboxes: Mutex<Vec<Arc<Mailbox>>>,
}

impl News {
    pub(crate) fn new(stage: &Stage, weather: &Weather) -> Self {
        Self { stage: stage.clone(), weather: weather.clone(), mailboxes: Mutex::default() }
    }

    pub(crate) fn subscribe(&self) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        lock(&self.mailboxes).push(Arc::clone(&mailbox));
        mailbox
    }

    pub(crate) fn tell(&self, news: Invalidation) {
        for mailbox in lock(&self.mailboxes).iter() {
            let (is_lost, delay) = {
                let mut random = self.stage.random();
                (random.chance(self.weather.news_is_lost), random.within(0..=self.weather.news_delay))
            };
            self.stage.count(if is_lost { Happened::NewsLost } else { Happened::NewsTold });
            if !is_lost {
                mailbox.send(&self.stage, delay, news);
            }
        }
    }
}

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
