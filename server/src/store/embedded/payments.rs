//! Payment attempts (partition = order, clustering = attempt) and settled webhook messages (partition = provider, event).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{Failure, PAYMENT_ATTEMPTS, PAYMENT_EVENTS},
};
use crate::{
    domain::{OrderId, Timestamp},
    store::{PaymentStore, Put, Result, payments::AttemptRow},
};

pub(super) fn attempt_key(order_id: OrderId, attempt: i32) -> Vec<u8> {
    [&order_id.as_bytes()[..], &key::ordered_i32(attempt)].concat()
}

/// Both parts are of any length, so the first one's tells where the second begins.
pub(super) fn event_key(provider: &str, event_id: &str) -> Vec<u8> {
    [
        &provider.len().to_be_bytes()[..],
        provider.as_bytes(),
        event_id.as_bytes(),
    ]
    .concat()
}

/// Back from [`event_key`].
pub(super) fn decode_event_key(mut key: &[u8]) -> std::result::Result<(String, String), Failure> {
    let provider_bytes = usize::from_be_bytes(key::take(&mut key)?);
    let (provider, event_id) = key
        .split_at_checked(provider_bytes)
        .ok_or_else(|| Failure::Row("a stored event's key is cut short".to_owned()))?;
    Ok((key::text(provider)?, key::text(event_id)?))
}

/// Back from [`attempt_key`].
pub(super) fn decode_attempt_key(mut key: &[u8]) -> std::result::Result<(OrderId, i32), Failure> {
    let order_id = OrderId::new(key::take_id(&mut key)?);
    Ok((order_id, key::from_ordered_i32(key::take(&mut key)?)))
}

pub(super) fn decode_event(mut row: &[u8]) -> std::result::Result<Timestamp, Failure> {
    key::take_time(&mut row)
}

#[async_trait]
impl PaymentStore for EmbeddedStore {
    async fn put_attempt(
        &self,
        order_id: OrderId,
        attempt: i32,
        row: &AttemptRow,
    ) -> Result<Put<AttemptRow>> {
        self.insert_row(PAYMENT_ATTEMPTS, &attempt_key(order_id, attempt), row)
            .await
    }

    async fn get_attempt(&self, order_id: OrderId, attempt: i32) -> Result<Option<AttemptRow>> {
        self.get_row(PAYMENT_ATTEMPTS, &attempt_key(order_id, attempt))
    }

    async fn put_payment_event(
        &self,
        provider: &str,
        event_id: &str,
        settled_at: Timestamp,
    ) -> Result<Put<Timestamp>> {
        let key = event_key(provider, event_id);
        let row = key::ordered_i64(settled_at.micros());
        self.write(
            move |rows| match rows.put_if_absent(PAYMENT_EVENTS, &key, &[&row])? {
                Some(existing) => Ok(Put::Exists(decode_event(&existing)?)),
                None => Ok(Put::Done),
            },
        )
        .await
    }

    async fn get_payment_event(&self, provider: &str, event_id: &str) -> Result<Option<Timestamp>> {
        let key = event_key(provider, event_id);
        self.read(|snapshot| snapshot.get(PAYMENT_EVENTS, &key, decode_event))
    }
}
