//! Tables as they are stored, for tests that compare or damage them.

use super::{
    EmbeddedStore, key,
    rows::{
        DROP_LEDGER, DROP_STATUS, DROPS_BY_CREATOR, DROPS_BY_TIME, FOLLOWERS, FOLLOWING,
        LEDGER_CHECKPOINTS, ORDERS, ORDERS_BY_BUYER, ORDERS_BY_DROP, PRODUCTS_BY_CREATOR, RowTable,
    },
};
use crate::store::Order;

/// Ledgers: the truth.
pub(crate) const LEDGERS: RowTable = DROP_LEDGER;

/// Every derived table, and the checkpoints.
pub(crate) const DERIVED: [RowTable; 10] = [
    ORDERS,
    ORDERS_BY_BUYER,
    ORDERS_BY_DROP,
    DROP_STATUS,
    DROPS_BY_TIME,
    DROPS_BY_CREATOR,
    PRODUCTS_BY_CREATOR,
    FOLLOWERS,
    FOLLOWING,
    LEDGER_CHECKPOINTS,
];

/// A stored row: key, row.
pub(crate) type RawRow = (Vec<u8>, Vec<u8>);

impl EmbeddedStore {
    /// All rows of a table by key.
    pub(crate) fn raw_rows(&self, table: RowTable) -> Vec<RawRow> {
        let (mut all, mut after): (Vec<RawRow>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let range = key::range(&[], after.as_deref(), Order::Ascending);
            let page = self.read(|snapshot| {
                snapshot.page(table, range, Order::Ascending, usize::MAX, |key, row| {
                    Ok(Some((key.to_vec(), row.to_vec())))
                })
            });
            let page = page.unwrap();
            let Some((last, _)) = page.last() else {
                return all;
            };
            after = Some(last.clone());
            all.extend(page);
        }
    }

    /// Puts a row as it is, or deletes it.
    pub(crate) async fn put_raw_row(&self, table: RowTable, key: Vec<u8>, row: Option<Vec<u8>>) {
        let written = self.write(move |rows| match row {
            Some(row) => rows.put(table, &key, &[&row]),
            None => rows.delete(table, &key),
        });
        written.await.unwrap();
    }
}
