//! Lists, page by page or item by item.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use livedrop_proto::v1;

use super::Client;
use crate::{call::Call, error::Error};

/// Items wanted per page: the most that the server gives.
pub(super) const PAGE_SIZE: i32 = 200;

/// A call that answers with a page of a list.
pub(super) trait List: Call {
    type Item: Send + 'static;

    fn page_token(&mut self) -> &mut String;

    /// The page, and the token of the next.
    fn read(response: Self::Response) -> (Vec<Self::Item>, String);
}

macro_rules! lists {
    ($($request:ident: $items:ident of $item:ident;)*) => {$(
        impl List for v1::$request {
            type Item = v1::$item;

            fn page_token(&mut self) -> &mut String {
                &mut self.page_token
            }

            fn read(response: Self::Response) -> (Vec<Self::Item>, String) {
                (response.$items, response.next_page_token)
            }
        }
    )*};
}

lists! {
    ListOrdersRequest: orders of Order;
    ListDropOrdersRequest: orders of Order;
    ListLedgerRecordsRequest: records of LedgerRecord;
    ListFollowersRequest: followers of Follower;
    ListFollowingRequest: following of FollowedCreator;
    ListDropsRequest: drops of Drop;
    ListProductsRequest: products of Product;
    SearchDropsRequest: drops of Drop;
    SearchProductsRequest: products of Product;
}

type Page<T> = Result<(Vec<T>, String), Error>;
type Fetching<T> = Pin<Box<dyn Future<Output = Page<T>> + Send>>;

/// A list, page by page; [`Self::items`] gives it item by item. A page is fetched when it is asked for, and not before.
///
/// It is also a [`Stream`], which ends after an error as others do; asked again it goes on.
pub struct Pages<T> {
    fetch: Box<dyn Fn(String) -> Fetching<T> + Send + Sync>,
    /// Of the next page; `None` after the last.
    page_token: Option<String>,
    fetching: Option<Fetching<T>>,
    has_failed: bool,
}

impl Client {
    /// The pages of a list from `request` on.
    pub(super) fn pages<L: List>(&self, mut request: L) -> Pages<L::Item> {
        let page_token = std::mem::take(request.page_token());
        let client = self.clone();
        let fetch = move |page_token| -> Fetching<L::Item> {
            let (client, mut request) = (client.clone(), request.clone());
            *request.page_token() = page_token;
            Box::pin(async move { client.call(request).await.map(L::read) })
        };
        Pages {
            fetch: Box::new(fetch),
            page_token: Some(page_token),
            fetching: None,
            has_failed: false,
        }
    }
}

impl<T> Pages<T> {
    /// Begins with the page of a [`Self::page_token`] that the app kept.
    #[must_use]
    pub fn starting_at(mut self, page_token: impl Into<String>) -> Self {
        self.page_token = Some(page_token.into());
        self.fetching = None;
        self
    }

    /// The token of the next page, empty for the first; `None` after the last.
    #[must_use]
    pub fn page_token(&self) -> Option<&str> {
        self.page_token.as_deref()
    }

    /// Gets the next page, which may be empty; `None` after the last. After an error the same page can be asked for again. May be
    /// dropped while it waits.
    ///
    /// # Errors
    /// As the list's call.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, Error> {
        poll_fn(|cx| self.poll_page(cx)).await
    }

    /// The same list, item by item.
    #[must_use]
    pub fn items(self) -> Items<T> {
        Items {
            pages: self,
            fetched: VecDeque::new(),
        }
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<T>>, Error>> {
        let Some(page_token) = &self.page_token else {
            return Poll::Ready(Ok(None));
        };
        let fetch = || (self.fetch)(page_token.clone());
        let fetching = self.fetching.get_or_insert_with(fetch);
        let answer = ready!(fetching.as_mut().poll(cx));
        self.fetching = None;
        let (items, page_token) = answer?;
        self.page_token = Some(page_token).filter(|it| !it.is_empty());
        Poll::Ready(Ok(Some(items)))
    }

    /// Turns a step into what a stream tells: after an error once nothing, so that whoever collects it comes to an end.
    fn poll_stream<U>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Poll<Result<Option<U>, Error>>,
    ) -> Poll<Option<Result<U, Error>>> {
        if std::mem::take(&mut self.has_failed) {
            return Poll::Ready(None);
        }
        let answer = ready!(step(self)).transpose();
        self.has_failed = matches!(answer, Some(Err(_)));
        Poll::Ready(answer)
    }
}

/// A list, item by item. It holds one page, and fetches the next when that is used up.
///
/// It is also a [`Stream`], which ends after an error as others do; asked again it goes on.
pub struct Items<T> {
    pages: Pages<T>,
    fetched: VecDeque<T>,
}

impl<T> Items<T> {
    /// The next item; `None` after the last. After an error it can be asked again, and goes on where it was. May be dropped while it
    /// waits.
    ///
    /// # Errors
    /// As the list's call.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        poll_fn(|cx| poll_item(&mut self.pages, &mut self.fetched, cx)).await
    }
}

fn poll_item<T>(
    pages: &mut Pages<T>,
    fetched: &mut VecDeque<T>,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<T>, Error>> {
    loop {
        if let Some(item) = fetched.pop_front() {
            return Poll::Ready(Ok(Some(item)));
        }
        match ready!(pages.poll_page(cx))? {
            Some(page) => fetched.extend(page),
            None => return Poll::Ready(Ok(None)),
        }
    }
}

impl<T> Stream for Pages<T> {
    type Item = Result<Vec<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_stream(|pages| pages.poll_page(cx))
    }
}

impl<T: Unpin> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { pages, fetched } = &mut *self;
        pages.poll_stream(|pages| poll_item(pages, fetched, cx))
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("page_token", &self.page_token)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("fetched", &self.fetched.len())
            .field("page_token", &self.pages.page_token)
            .finish_non_exhaustive()
    }
}
