//! Where events go.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::Event;

/// Events could not be handed over, or not all of them, or nobody knows: they will be handed over again.
#[derive(Debug, thiserror::Error)]
#[error("event sink failed: {0}")]
pub struct SinkError(pub String);

/// Takes events, such as for notifications or webhooks.
#[async_trait]
pub trait EventSink: Send + Sync + fmt::Debug {
    /// Takes events for good: `Ok` means that none of them is lost whatever happens next. Each comes at least once; one that comes again
    /// has the same `event_id`. May be called by several tasks at once.
    async fn publish(&self, events: &[Event]) -> Result<(), SinkError>;
}

/// All sinks as one. Without any, every event counts as told.
#[derive(Debug, Clone, Default)]
pub struct Sinks(Arc<[Arc<dyn EventSink>]>);

impl Sinks {
    /// Joins sinks.
    #[must_use]
    pub fn new(sinks: Vec<Arc<dyn EventSink>>) -> Self {
        Self(sinks.into())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[async_trait]
impl EventSink for Sinks {
    /// A sink that fails keeps no other from its events.
    async fn publish(&self, events: &[Event]) -> Result<(), SinkError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for sink in self.0.iter() {
            let published = sink.publish(events).await;
            outcome = outcome.and(published);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::RecordingSink;

    #[tokio::test]
    async fn a_sink_that_is_down_keeps_no_other_from_its_events() {
        let (down, up) = (
            Arc::new(RecordingSink::default()),
            Arc::<RecordingSink>::default(),
        );
        down.set_down(true);
        let sinks = Sinks::new(vec![
            Arc::<RecordingSink>::clone(&down),
            Arc::<RecordingSink>::clone(&up),
        ]);
        let event = Event {
            event_id: "a/1".to_owned(),
            ..Event::default()
        };
        assert!(sinks.publish(std::slice::from_ref(&event)).await.is_err());
        assert_eq!((down.ids(), up.ids()), (vec![], vec!["a/1".to_owned()]));
        down.set_down(false);
        assert!(sinks.publish(&[event]).await.is_ok());
        assert!(Sinks::default().publish(&[Event::default()]).await.is_ok());
    }
}
