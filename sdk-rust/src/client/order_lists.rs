//! Lists of orders.

use livedrop_proto::v1;

use super::{
    Client,
    pages::{Items, PAGE_SIZE, Pages},
};
use crate::error::Error;

impl Client {
    /// Returns a page of the user's orders, newest first; [`Self::orders`] reads them all.
    ///
    /// # Errors
    /// A general one.
    pub async fn list_orders(
        &self,
        request: v1::ListOrdersRequest,
    ) -> Result<v1::ListOrdersResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of all orders of the user's drop; [`Self::drop_orders`] reads them all.
    ///
    /// # Errors
    /// `NOT_OWNER`, `DROP_NOT_FOUND`, or a general one.
    pub async fn list_drop_orders(
        &self,
        request: v1::ListDropOrdersRequest,
    ) -> Result<v1::ListDropOrdersResponse, Error> {
        self.call(request).await
    }

    /// Reads all of the user's orders, newest first.
    #[must_use]
    pub fn orders(&self) -> Items<v1::Order> {
        self.order_pages().items()
    }

    /// As [`Self::orders`], page by page.
    #[must_use]
    pub fn order_pages(&self) -> Pages<v1::Order> {
        self.pages(v1::ListOrdersRequest {
            page_size: PAGE_SIZE,
            page_token: String::new(),
        })
    }

    /// Reads all orders of the user's drop, newest first.
    #[must_use]
    pub fn drop_orders(&self, drop_id: impl Into<String>) -> Items<v1::Order> {
        self.drop_order_pages(drop_id).items()
    }

    /// As [`Self::drop_orders`], page by page.
    #[must_use]
    pub fn drop_order_pages(&self, drop_id: impl Into<String>) -> Pages<v1::Order> {
        self.pages(v1::ListDropOrdersRequest {
            drop_id: drop_id.into(),
            page_size: PAGE_SIZE,
            page_token: String::new(),
        })
    }
}
