//! A sink for tests: it remembers what it was given, and fails on request.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Event, EventSink, SinkError};

/// Remembers all events, in the order in which they came.
#[derive(Debug, Default)]
pub struct RecordingSink {
    events: Mutex<Vec<Event>>,
    is_down: AtomicBool,
}

impl RecordingSink {
    /// Everything so far, repeats included.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().clone()
    }

    /// The ids of everything so far.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let events = self.events.lock();
        events.iter().map(|event| event.event_id.clone()).collect()
    }

    /// From now on it takes nothing, or everything again.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}

#[async_trait]
impl EventSink for RecordingSink {
    async fn publish(&self, events: &[Event]) -> Result<(), SinkError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SinkError("down on request".to_owned()));
        }
        self.events.lock().extend_from_slice(events);
        Ok(())
    }
}
