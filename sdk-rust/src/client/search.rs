//! Searching.

use livedrop_proto::v1;

use super::{
    Client,
    pages::{Items, Pages},
};
use crate::error::Error;

impl Client {
    /// Returns a page of the products that fit; [`Self::products_found`] reads them all.
    ///
    /// # Errors
    /// `NOT_OWNER` (archived ones of somebody else), or a general one.
    pub async fn search_products(
        &self,
        request: v1::SearchProductsRequest,
    ) -> Result<v1::SearchProductsResponse, Error> {
        self.call(request).await
    }

    /// Reads all products that fit, the best first, from the request's page on. Its page size is kept: who shows the first few needs no large
    /// page.
    #[must_use]
    pub fn products_found(&self, request: v1::SearchProductsRequest) -> Items<v1::Product> {
        self.product_pages_found(request).items()
    }

    /// As [`Self::products_found`], page by page.
    #[must_use]
    pub fn product_pages_found(&self, request: v1::SearchProductsRequest) -> Pages<v1::Product> {
        self.pages(request)
    }

    /// Returns a page of the drops that fit, with their stock; [`Self::drops_found`] reads them all.
    ///
    /// # Errors
    /// A general one.
    pub async fn search_drops(
        &self,
        request: v1::SearchDropsRequest,
    ) -> Result<v1::SearchDropsResponse, Error> {
        self.call(request).await
    }

    /// Reads all drops that fit, the best first, from the request's page on. Its page size is kept.
    #[must_use]
    pub fn drops_found(&self, request: v1::SearchDropsRequest) -> Items<v1::Drop> {
        self.drop_pages_found(request).items()
    }

    /// As [`Self::drops_found`], page by page.
    #[must_use]
    pub fn drop_pages_found(&self, request: v1::SearchDropsRequest) -> Pages<v1::Drop> {
        self.pages(request)
    }
}
