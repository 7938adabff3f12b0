//! Paged range reads, of whatever rows.

use std::fmt;

use crate::store::{Order, PageRequest, Result};

/// Reads pages of `limit` rows until there are no more.
pub(in crate::store) async fn read_all<T, K>(
    limit: usize,
    order: Order,
    key: impl Fn(&T) -> K,
    read: impl AsyncFn(PageRequest<K>) -> Result<Vec<T>>,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let after = all.last().map(&key);
        let page = PageRequest {
            after,
            limit,
            order,
        };
        let page = read(page).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
        assert!(all.len() < 10_000, "paging does not get on");
    }
}

/// Pages of any size, up and down, have every one of `rows` once and in order, and nothing else. `rows` ascend; `between` is the key of no
/// row and comes after the second: it is as good a place to go on from as any.
pub(in crate::store) async fn go_both_ways<T, K: Clone>(
    rows: &[T],
    between: K,
    key: impl Fn(&T) -> K,
    read: impl AsyncFn(PageRequest<K>) -> Result<Vec<T>>,
) where
    T: fmt::Debug + PartialEq + Clone,
{
    let reversed: Vec<T> = rows.iter().rev().cloned().collect();
    for (order, expected, after_between) in [
        (Order::Ascending, rows, &rows[2..]),
        (
            Order::Descending,
            &reversed[..],
            &reversed[rows.len() - 2..],
        ),
    ] {
        for limit in [1, 2, rows.len(), 100] {
            let listed = read_all(limit, order, &key, &read).await;
            assert_eq!(listed, expected, "limit {limit}, {order:?}");
        }
        let page = PageRequest {
            after: Some(between.clone()),
            limit: 100,
            order,
        };
        assert_eq!(read(page).await.unwrap(), after_between, "{order:?}");
    }
}

/// The first rows there are, up to 100.
pub(in crate::store) const fn first_100<K>() -> PageRequest<K> {
    PageRequest {
        after: None,
        limit: 100,
        order: Order::Ascending,
    }
}
