//! Order rows (partition = order), and where they are listed: by buyer (partition = buyer, month; clustering = `created_at`, order) and by
//! drop (partition = drop, segment; clustering = order).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key, order_row,
    rows::{Failure, ORDERS, ORDERS_BY_BUYER, ORDERS_BY_DROP},
};
use crate::{
    domain::{AccountId, DropId, OrderId},
    store::{
        OrderStore, PageRequest, Result,
        orders::{OrderKey, OrderRef, OrderRow, check_count},
    },
};

fn buyer_partition(buyer_id: AccountId, month: i32) -> Vec<u8> {
    [&buyer_id.as_bytes()[..], &key::ordered_i32(month)].concat()
}

fn buyer_clustering(key: &OrderKey) -> [u8; 24] {
    key::time_and_id(key.created_at, key.order_id.as_bytes())
}

fn drop_partition(drop_id: DropId, segment: u64) -> Vec<u8> {
    [&drop_id.as_bytes()[..], &segment.to_be_bytes()].concat()
}

/// Keys in both lists, and the row in the buyer's.
fn encode_ref(it: &OrderRef) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let month = it.key.created_at.month();
    let in_drop = drop_partition(it.drop_id, it.segment);
    (
        [
            &buyer_partition(it.buyer_id, month)[..],
            &buyer_clustering(&it.key),
        ]
        .concat(),
        [&in_drop[..], it.key.order_id.as_bytes()].concat(),
        in_drop,
    )
}

fn decode_ref(mut key: &[u8], mut row: &[u8]) -> std::result::Result<OrderRef, Failure> {
    let buyer_id = AccountId::new(key::take_id(&mut key)?);
    let _month: [u8; 4] = key::take(&mut key)?;
    Ok(OrderRef {
        key: OrderKey {
            created_at: key::take_time(&mut key)?,
            order_id: OrderId::new(key::take_id(&mut key)?),
        },
        buyer_id,
        drop_id: DropId::new(key::take_id(&mut row)?),
        segment: u64::from_be_bytes(key::take(&mut row)?),
    })
}

fn decode_order_id(mut key: &[u8]) -> std::result::Result<OrderId, Failure> {
    let _partition: [u8; 24] = key::take(&mut key)?;
    Ok(OrderId::new(key::take_id(&mut key)?))
}

#[async_trait]
impl OrderStore for EmbeddedStore {
    async fn put_orders(&self, rows: &[OrderRow]) -> Result<()> {
        check_count(rows.len())?;
        let encode = |row: &OrderRow| (row.order_id, order_row::encode(row));
        let encoded: Vec<_> = rows.iter().map(encode).collect();
        self.write(move |rows| {
            encoded.iter().try_for_each(|(key, (place, row))| {
                rows.put_newest(ORDERS, key.as_bytes(), place, row)
            })
        })
        .await
    }

    async fn put_order_refs(&self, refs: &[OrderRef]) -> Result<()> {
        check_count(refs.len())?;
        let encoded: Vec<_> = refs.iter().map(encode_ref).collect();
        self.write(move |rows| {
            encoded.iter().try_for_each(|(of_buyer, of_drop, row)| {
                // The same bytes each time: looking first would cost more than writing again.
                rows.put(ORDERS_BY_BUYER, of_buyer, &[row])?;
                rows.put(ORDERS_BY_DROP, of_drop, &[])
            })
        })
        .await
    }

    async fn get_order(&self, order_id: OrderId) -> Result<Option<OrderRow>> {
        let decode = |row: &[u8]| order_row::decode(order_id, row);
        self.read(|snapshot| snapshot.get(ORDERS, order_id.as_bytes(), decode))
    }

    async fn list_buyer_orders(
        &self,
        buyer_id: AccountId,
        month: i32,
        page: PageRequest<OrderKey>,
    ) -> Result<Vec<OrderRef>> {
        let after = page.after.as_ref().map(buyer_clustering);
        let after = after.as_ref().map(|it| &it[..]);
        let range = key::range(&buyer_partition(buyer_id, month), after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(
                ORDERS_BY_BUYER,
                range,
                page.order,
                page.limit,
                |key, row| decode_ref(key, row).map(Some),
            )
        })
        .await
    }

    async fn list_drop_orders(
        &self,
        drop_id: DropId,
        segment: u64,
        page: PageRequest<OrderId>,
    ) -> Result<Vec<OrderId>> {
        let after = page.after.as_ref().map(|it| &it.as_bytes()[..]);
        let range = key::range(&drop_partition(drop_id, segment), after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(ORDERS_BY_DROP, range, page.order, page.limit, |key, _| {
                decode_order_id(key).map(Some)
            })
        })
        .await
    }
}
