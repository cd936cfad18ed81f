//! Catches the statements that sqlx logs, those of the peers' sqlx too.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

static ON: AtomicBool = AtomicBool::new(false);
static CAUGHT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// To be called once, first of all.
pub fn install() {
    tracing::subscriber::set_global_default(Statements).expect("the only subscriber");
}

/// The statements that `work` ran.
pub async fn during<F: Future>(work: F) -> Vec<String> {
    ON.store(true, Ordering::SeqCst);
    work.await;
    ON.store(false, Ordering::SeqCst);
    std::mem::take(&mut *CAUGHT.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Statements;

impl Subscriber for Statements {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == "sqlx::query" { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query" && ON.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let statement = if text.whole.is_empty() { text.summary } else { text.whole };
        CAUGHT.lock().unwrap_or_else(PoisonError::into_inner).push(statement);
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Text {
    summary: String,
    whole: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.whole = value.trim().to_owned(),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn Debug) {}
}
