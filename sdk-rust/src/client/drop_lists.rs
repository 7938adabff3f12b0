//! Many drops at once.

use livedrop_proto::v1;

use super::Client;
use crate::error::Error;

impl Client {
    /// Returns up to 50 drops with their stock, in the order asked for, and the ids that are no drop's.
    ///
    /// # Errors
    /// A general one.
    pub async fn batch_get_drops(
        &self,
        request: v1::BatchGetDropsRequest,
    ) -> Result<v1::BatchGetDropsResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of the drops of a state, or of a creator; [`Self::drop_pages`] turns the pages.
    ///
    /// # Errors
    /// A general one.
    pub async fn list_drops(
        &self,
        request: v1::ListDropsRequest,
    ) -> Result<v1::ListDropsResponse, Error> {
        self.call(request).await
    }

    /// Reads all drops that `request` asks for, from its page on. Its page size is kept: who shows the first few needs no large page.
    #[must_use]
    pub fn drop_pages(&self, request: v1::ListDropsRequest) -> DropPages {
        DropPages {
            client: self.clone(),
            next: Some(request),
        }
    }
}

/// Drops, page by page.
#[derive(Debug)]
pub struct DropPages {
    client: Client,
    next: Option<v1::ListDropsRequest>,
}

impl DropPages {
    /// Gets the next page, which may be empty; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// As [`Client::list_drops`].
    pub async fn next(&mut self) -> Result<Option<Vec<v1::Drop>>, Error> {
        let Some(request) = &mut self.next else {
            return Ok(None);
        };
        let page = self.client.list_drops(request.clone()).await?;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            self.next = None;
        }
        Ok(Some(page.drops))
    }
}
