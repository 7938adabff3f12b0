//! Many drops at once.

use livedrop_proto::v1;

use super::{
    Client,
    pages::{Items, Pages},
};
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

    /// Returns a page of the drops of a state, or of a creator; [`Self::drops`] reads them all.
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
    pub fn drops(&self, request: v1::ListDropsRequest) -> Items<v1::Drop> {
        self.drop_pages(request).items()
    }

    /// As [`Self::drops`], page by page.
    #[must_use]
    pub fn drop_pages(&self, request: v1::ListDropsRequest) -> Pages<v1::Drop> {
        self.pages(request)
    }
}
