//! Drops and their ledgers.

use livedrop_proto::v1;

use super::{
    Client,
    pages::{Items, PAGE_SIZE, Pages},
};
use crate::error::Error;

impl Client {
    /// Makes a drop.
    ///
    /// # Errors
    /// `NOT_CREATOR`, `REQUEST_ID_REUSED`, `PRODUCT_NOT_FOUND`, `NOT_OWNER`, `PRODUCT_ARCHIVED`, or a general one.
    pub async fn schedule_drop(
        &self,
        request: v1::ScheduleDropRequest,
    ) -> Result<v1::ScheduleDropResponse, Error> {
        self.call(request).await
    }

    /// Changes the fields of a drop that the request's mask names: its terms until they are frozen, its title and description until it
    /// ends. With the `etag` of the drop that was read, another's change is not lost: it is answered with `STALE_ETAG`.
    ///
    /// # Errors
    /// `DROP_FROZEN`, `STALE_ETAG`, `DROP_ENDED`, `DROP_CANCELLED`, `DROP_NOT_FOUND`, `NOT_OWNER`, or a general one.
    pub async fn update_drop(
        &self,
        request: v1::UpdateDropRequest,
    ) -> Result<v1::UpdateDropResponse, Error> {
        self.call(request).await
    }

    /// Calls a drop off.
    ///
    /// # Errors
    /// `DROP_ENDED`, `REQUEST_ID_REUSED`, `DROP_NOT_FOUND`, `NOT_OWNER`, or a general one.
    pub async fn cancel_drop(
        &self,
        request: v1::CancelDropRequest,
    ) -> Result<v1::CancelDropResponse, Error> {
        self.call(request).await
    }

    /// Ends a live drop before its time.
    ///
    /// # Errors
    /// `DROP_NOT_OPEN`, `DROP_CANCELLED`, `DROP_NOT_FOUND`, `NOT_OWNER`, or a general one.
    pub async fn end_drop(
        &self,
        request: v1::EndDropRequest,
    ) -> Result<v1::EndDropResponse, Error> {
        self.call(request).await
    }

    /// Adds units to an item.
    ///
    /// # Errors
    /// `DROP_NOT_OPEN`, `DROP_ENDED`, `DROP_CANCELLED`, `REQUEST_ID_REUSED`, `DROP_NOT_FOUND`, `NOT_OWNER`, or a general one.
    pub async fn restock_drop(
        &self,
        request: v1::RestockDropRequest,
    ) -> Result<v1::RestockDropResponse, Error> {
        self.call(request).await
    }

    /// Returns a drop with its stock.
    ///
    /// # Errors
    /// `DROP_NOT_FOUND`, or a general one.
    pub async fn get_drop(
        &self,
        request: v1::GetDropRequest,
    ) -> Result<v1::GetDropResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of a drop's ledger; [`Self::ledger_records`] reads them all.
    ///
    /// # Errors
    /// `DROP_NOT_FOUND`, or a general one.
    pub async fn list_ledger_records(
        &self,
        request: v1::ListLedgerRecordsRequest,
    ) -> Result<v1::ListLedgerRecordsResponse, Error> {
        self.call(request).await
    }

    /// Reads a drop's ledger from its first record on; [`crate::ledger::Verifier`] checks it.
    #[must_use]
    pub fn ledger_records(&self, drop_id: impl Into<String>) -> Items<v1::LedgerRecord> {
        self.ledger_pages(drop_id).items()
    }

    /// As [`Self::ledger_records`], page by page.
    #[must_use]
    pub fn ledger_pages(&self, drop_id: impl Into<String>) -> Pages<v1::LedgerRecord> {
        self.pages(v1::ListLedgerRecordsRequest {
            drop_id: drop_id.into(),
            page_size: PAGE_SIZE,
            page_token: String::new(),
        })
    }
}
