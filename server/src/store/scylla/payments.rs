//! The provider's names of attempts (`payment_attempts`) and settled webhook messages (`payment_events`).

use async_trait::async_trait;

use super::{
    ScyllaStore,
    db::Db,
    lwt::{self, Table},
    row::{FromRow, Row, Value, values},
};
use crate::{
    domain::{OrderId, Timestamp},
    store::{PaymentStore, Put, Result, payments::AttemptRow},
};

pub(super) const PAYMENT_ATTEMPTS: Table = Table {
    name: "payment_attempts",
    key: &["order_id", "attempt"],
    columns: &["provider", "reference", "noted_at"],
    using: "",
};
pub(super) const PAYMENT_EVENTS: Table = Table {
    name: "payment_events",
    key: &["provider", "event_id"],
    columns: &["settled_at"],
    using: "",
};

#[derive(Debug)]
pub(super) struct Statements {
    attempts: lwt::Statements,
    events: lwt::Statements,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        Ok(Self {
            attempts: lwt::Statements::prepare(db, PAYMENT_ATTEMPTS).await?,
            events: lwt::Statements::prepare(db, PAYMENT_EVENTS).await?,
        })
    }
}

/// When a message was settled.
#[derive(PartialEq)]
struct Settled(Timestamp);

impl FromRow for AttemptRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            provider: row.get("provider")?,
            reference: row.get("reference")?,
            noted_at: row.time("noted_at")?,
        })
    }
}

impl FromRow for Settled {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        row.time("settled_at").map(Self)
    }
}

fn event_key(provider: &str, event_id: &str) -> Vec<Value> {
    values![provider.to_owned(), event_id.to_owned()]
}

#[async_trait]
impl PaymentStore for ScyllaStore {
    async fn put_attempt(
        &self,
        order_id: OrderId,
        attempt: i32,
        row: &AttemptRow,
    ) -> Result<Put<AttemptRow>> {
        let key = values![order_id.uuid(), attempt];
        let columns = values![
            row.provider.clone(),
            row.reference.clone(),
            row.noted_at.micros()
        ];
        self.db
            .put_if_absent(&self.payments.attempts, key, columns, row)
            .await
    }

    async fn get_attempt(&self, order_id: OrderId, attempt: i32) -> Result<Option<AttemptRow>> {
        let key = values![order_id.uuid(), attempt];
        self.db.get(&self.payments.attempts, key).await
    }

    async fn put_payment_event(
        &self,
        provider: &str,
        event_id: &str,
        settled_at: Timestamp,
    ) -> Result<Put<Timestamp>> {
        let key = event_key(provider, event_id);
        let columns = values![settled_at.micros()];
        let put = self
            .db
            .put_if_absent(&self.payments.events, key, columns, &Settled(settled_at))
            .await?;
        Ok(match put {
            Put::Done => Put::Done,
            Put::Exists(Settled(at)) => Put::Exists(at),
        })
    }

    async fn get_payment_event(&self, provider: &str, event_id: &str) -> Result<Option<Timestamp>> {
        let found = self
            .db
            .get(&self.payments.events, event_key(provider, event_id))
            .await?;
        Ok(found.map(|Settled(at)| at))
    }
}
