//! Lists of orders, page by page.

use livedrop_proto::v1;

use super::Client;
use crate::error::Error;

/// Orders wanted per page: the most that the server gives.
const PAGE_SIZE: i32 = 200;

impl Client {
    /// Returns a page of the user's orders, newest first; [`Self::order_pages`] turns the pages.
    ///
    /// # Errors
    /// A general one.
    pub async fn list_orders(
        &self,
        request: v1::ListOrdersRequest,
    ) -> Result<v1::ListOrdersResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of all orders of the user's drop; [`Self::drop_order_pages`] turns the pages.
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
    pub fn order_pages(&self) -> OrderPages {
        OrderPages {
            client: self.clone(),
            next: Some(List::Mine(v1::ListOrdersRequest {
                page_size: PAGE_SIZE,
                page_token: String::new(),
            })),
        }
    }

    /// Reads all orders of the user's drop, newest first.
    #[must_use]
    pub fn drop_order_pages(&self, drop_id: impl Into<String>) -> OrderPages {
        OrderPages {
            client: self.clone(),
            next: Some(List::OfDrop(v1::ListDropOrdersRequest {
                drop_id: drop_id.into(),
                page_size: PAGE_SIZE,
                page_token: String::new(),
            })),
        }
    }
}

/// Orders, page by page.
#[derive(Debug)]
pub struct OrderPages {
    client: Client,
    next: Option<List>,
}

#[derive(Debug)]
enum List {
    Mine(v1::ListOrdersRequest),
    OfDrop(v1::ListDropOrdersRequest),
}

impl OrderPages {
    /// Gets the next page, which may be empty; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// As [`Client::list_orders`] and [`Client::list_drop_orders`].
    pub async fn next(&mut self) -> Result<Option<Vec<v1::Order>>, Error> {
        let (orders, next_page_token, page_token) = match &mut self.next {
            None => return Ok(None),
            Some(List::Mine(request)) => {
                let page = self.client.list_orders(request.clone()).await?;
                (page.orders, page.next_page_token, &mut request.page_token)
            }
            Some(List::OfDrop(request)) => {
                let page = self.client.list_drop_orders(request.clone()).await?;
                (page.orders, page.next_page_token, &mut request.page_token)
            }
        };
        *page_token = next_page_token;
        if page_token.is_empty() {
            self.next = None;
        }
        Ok(Some(orders))
    }
}
