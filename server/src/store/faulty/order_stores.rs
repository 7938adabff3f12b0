//! The storage traits of orders and payments, each method through [`Faulty::call`].

use async_trait::async_trait;

use super::{Faulty, Method};
use crate::{
    domain::{AccountId, DropId, OrderId, Timestamp},
    store::{
        OrderStore, PageRequest, PaymentStore, ProjectionStore, Put, Result,
        orders::{OrderKey, OrderRef, OrderRow},
        payments::AttemptRow,
        projections::{Checkpoint, DropStatus},
    },
};

#[async_trait]
impl<S: OrderStore + ?Sized> OrderStore for Faulty<S> {
    async fn put_orders(&self, rows: &[OrderRow]) -> Result<()> {
        self.call(Method::PutOrders, || self.inner.put_orders(rows))
            .await
    }

    async fn put_order_refs(&self, refs: &[OrderRef]) -> Result<()> {
        self.call(Method::PutOrderRefs, || self.inner.put_order_refs(refs))
            .await
    }

    async fn get_order(&self, order_id: OrderId) -> Result<Option<OrderRow>> {
        self.call(Method::GetOrder, || self.inner.get_order(order_id))
            .await
    }

    async fn list_buyer_orders(
        &self,
        buyer_id: AccountId,
        month: i32,
        page: PageRequest<OrderKey>,
    ) -> Result<Vec<OrderRef>> {
        self.call(Method::ListBuyerOrders, || {
            self.inner.list_buyer_orders(buyer_id, month, page.clone())
        })
        .await
    }

    async fn list_drop_orders(
        &self,
        drop_id: DropId,
        segment: u64,
        page: PageRequest<OrderId>,
    ) -> Result<Vec<OrderId>> {
        self.call(Method::ListDropOrders, || {
            self.inner.list_drop_orders(drop_id, segment, page.clone())
        })
        .await
    }
}

#[async_trait]
impl<S: ProjectionStore + ?Sized> ProjectionStore for Faulty<S> {
    async fn get_checkpoints(&self, ledger_id: DropId) -> Result<Vec<(String, Checkpoint)>> {
        self.call(Method::GetCheckpoints, || {
            self.inner.get_checkpoints(ledger_id)
        })
        .await
    }

    async fn put_checkpoint(
        &self,
        ledger_id: DropId,
        consumer: &str,
        checkpoint: Checkpoint,
    ) -> Result<()> {
        self.call(Method::PutCheckpoint, || {
            self.inner.put_checkpoint(ledger_id, consumer, checkpoint)
        })
        .await
    }

    async fn put_drop_status(&self, status: &DropStatus) -> Result<()> {
        self.call(Method::PutDropStatus, || self.inner.put_drop_status(status))
            .await
    }

    async fn get_drop_status(&self, drop_id: DropId) -> Result<Option<DropStatus>> {
        self.call(Method::GetDropStatus, || {
            self.inner.get_drop_status(drop_id)
        })
        .await
    }

    async fn truncate_derived(&self) -> Result<()> {
        self.call(Method::TruncateDerived, || self.inner.truncate_derived())
            .await
    }
}

#[async_trait]
impl<S: PaymentStore + ?Sized> PaymentStore for Faulty<S> {
    async fn put_attempt(
        &self,
        order_id: OrderId,
        attempt: i32,
        row: &AttemptRow,
    ) -> Result<Put<AttemptRow>> {
        self.call(Method::PutAttempt, || {
            self.inner.put_attempt(order_id, attempt, row)
        })
        .await
    }

    async fn get_attempt(&self, order_id: OrderId, attempt: i32) -> Result<Option<AttemptRow>> {
        self.call(Method::GetAttempt, || {
            self.inner.get_attempt(order_id, attempt)
        })
        .await
    }

    async fn put_payment_event(
        &self,
        provider: &str,
        event_id: &str,
        settled_at: Timestamp,
    ) -> Result<Put<Timestamp>> {
        self.call(Method::PutPaymentEvent, || {
            self.inner.put_payment_event(provider, event_id, settled_at)
        })
        .await
    }

    async fn get_payment_event(&self, provider: &str, event_id: &str) -> Result<Option<Timestamp>> {
        self.call(Method::GetPaymentEvent, || {
            self.inner.get_payment_event(provider, event_id)
        })
        .await
    }
}
