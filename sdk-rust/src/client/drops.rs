//! Drops and their ledgers.

use livedrop_proto::v1;

use super::Client;
use crate::error::Error;

/// Records wanted per page: the most that the server gives.
const PAGE_SIZE: i32 = 200;

impl Client {
    /// Makes a drop.
    ///
    /// # Errors
    /// `NOT_CREATOR`, `REQUEST_ID_REUSED`, or a general one.
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

    /// Returns a page of a drop's ledger; [`Self::ledger_pages`] turns the pages.
    ///
    /// # Errors
    /// `DROP_NOT_FOUND`, or a general one.
    pub async fn list_ledger_records(
        &self,
        request: v1::ListLedgerRecordsRequest,
    ) -> Result<v1::ListLedgerRecordsResponse, Error> {
        self.call(request).await
    }

    /// Reads a drop's ledger from its first record; [`crate::ledger::Verifier`] checks it.
    #[must_use]
    pub fn ledger_pages(&self, drop_id: impl Into<String>) -> LedgerPages {
        let request = v1::ListLedgerRecordsRequest {
            drop_id: drop_id.into(),
            page_size: PAGE_SIZE,
            page_token: String::new(),
        };
        LedgerPages {
            client: self.clone(),
            next: Some(request),
        }
    }
}

/// A drop's ledger, page by page.
#[derive(Debug)]
pub struct LedgerPages {
    client: Client,
    next: Option<v1::ListLedgerRecordsRequest>,
}

impl LedgerPages {
    /// Gets the next page, which may be empty; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// As [`Client::list_ledger_records`].
    pub async fn next(&mut self) -> Result<Option<Vec<v1::LedgerRecord>>, Error> {
        let Some(request) = &mut self.next else {
            return Ok(None);
        };
        let answer = self.client.list_ledger_records(request.clone()).await?;
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            self.next = None;
        }
        Ok(Some(answer.records))
    }
}
