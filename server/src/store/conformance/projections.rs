//! Checkpoints and drop statuses.

use super::{
    pages::first_100,
    samples::{drop_status, id, order_ref, order_row},
};
use crate::{
    domain::{DropId, ProductId},
    store::{
        Put, SharedStore,
        drops::{DropTime, DropTimeKey},
        projections::{Checkpoint, DropState, DropStatus},
    },
};

fn checkpoint(seq: u64) -> Checkpoint {
    let [first, ..] = seq.to_le_bytes();
    Checkpoint {
        seq,
        hash: [first; 32],
    }
}

/// Each consumer has its own checkpoint of each ledger: the last one put, even if that goes back.
pub async fn the_last_checkpoint_stays(store: &SharedStore) {
    let [ledger_id, other] = [(); 2].map(|()| DropId::new(id()));
    assert_eq!(store.get_checkpoints(ledger_id).await.unwrap(), []);
    for (consumer, seq) in [
        ("orders", 1),
        ("order", 700),
        ("orders", 300),
        ("orders", 2),
    ] {
        store
            .put_checkpoint(ledger_id, consumer, checkpoint(seq))
            .await
            .unwrap();
    }
    store
        .put_checkpoint(other, "orders", checkpoint(u64::from(u32::MAX)))
        .await
        .unwrap();
    let mut found = store.get_checkpoints(ledger_id).await.unwrap();
    found.sort_by_key(|(consumer, _)| consumer.clone());
    assert_eq!(
        found,
        [("order", 700), ("orders", 2)]
            .map(|(consumer, seq)| (consumer.to_owned(), checkpoint(seq)))
    );
    assert_eq!(
        store.get_checkpoints(other).await.unwrap(),
        [("orders".to_owned(), checkpoint(u64::from(u32::MAX)))]
    );
}

/// Whatever the order of arrival, the status with the greatest `seq` stays.
pub async fn the_newest_status_stays(store: &SharedStore) {
    for arrival in [
        [1, 2, 256],
        [1, 256, 2],
        [2, 1, 256],
        [2, 256, 1],
        [256, 1, 2],
        [256, 2, 1],
    ] {
        let first = drop_status();
        assert_eq!(store.get_drop_status(first.drop_id).await.unwrap(), None);
        let statuses = arrival.map(|seq| DropStatus {
            seq,
            is_sold_out: seq == 2,
            ..first.clone()
        });
        for status in &statuses {
            store.put_drop_status(status).await.unwrap();
        }
        assert_eq!(
            store.get_drop_status(first.drop_id).await.unwrap().as_ref(),
            statuses.iter().find(|status| status.seq == 256),
            "{arrival:?}"
        );
    }
}

/// Every state and field of a status comes back.
pub async fn statuses_come_back_as_put(store: &SharedStore) {
    let states = [
        DropState::Scheduled,
        DropState::Live,
        DropState::Ended,
        DropState::Cancelled,
    ];
    for (state, flag) in states.into_iter().zip([true, false, true, false]) {
        let status = DropStatus {
            state,
            is_sealed: flag,
            is_sold_out: !flag,
            ..drop_status()
        };
        store.put_drop_status(&status).await.unwrap();
        let found = store.get_drop_status(status.drop_id).await.unwrap();
        assert_eq!(found, Some(status));
    }
}

/// Truncating empties what is derived, leaves the truth and checkpoints alone, and lets the rows be made again. Not in the macro, as it
/// empties what others have put: the store must be the caller's own.
pub async fn truncating_empties_derived_rows_only(store: &SharedStore) {
    let (row, status, drop) = (order_row(), drop_status(), super::samples::drop());
    let it = order_ref(&row);
    assert_eq!(store.insert_drop(&drop).await.unwrap(), Put::Done);
    for _ in 0..2 {
        store.put_orders(std::slice::from_ref(&row)).await.unwrap();
        store.put_order_refs(&[it]).await.unwrap();
        store.put_drop_status(&status).await.unwrap();
        store
            .put_checkpoint(row.drop_id, "orders", checkpoint(1))
            .await
            .unwrap();
        assert_eq!(
            store.get_order(row.order_id).await.unwrap().as_ref(),
            Some(&row)
        );
        let key = DropTimeKey {
            opens_at: drop.opens_at,
            drop_id: drop.drop_id,
        };
        let ends_at = drop.ends_at;
        store
            .put_drop_time(DropTime { key, ends_at }, drop.created_at)
            .await
            .unwrap();
        store
            .put_creator_drop(drop.creator_id, drop.created_at, drop.drop_id)
            .await
            .unwrap();

        let product_id = ProductId::new(drop.drop_id.uuid());
        let put = store.put_creator_product(drop.creator_id, drop.created_at, product_id);
        put.await.unwrap();

        store.truncate_derived().await.unwrap();
        assert_eq!(store.get_order(row.order_id).await.unwrap(), None);
        let month = it.key.created_at.month();
        let listed = store.list_buyer_orders(it.buyer_id, month, first_100());
        assert_eq!(listed.await.unwrap(), []);
        let listed = store.list_drop_orders(it.drop_id, it.segment, first_100());
        assert_eq!(listed.await.unwrap(), []);
        assert_eq!(store.get_drop_status(status.drop_id).await.unwrap(), None);
        let kept = [("orders".to_owned(), checkpoint(1))];
        assert_eq!(store.get_checkpoints(row.drop_id).await.unwrap(), kept);
        let times = store.list_drop_times(drop.opens_at.day(), drop.drop_id.shard(), first_100());
        assert_eq!(times.await.unwrap(), []);
        let listed = store.list_creator_drops(drop.creator_id, first_100());
        assert_eq!(listed.await.unwrap(), []);
        let listed = store.list_creator_products(drop.creator_id, first_100());
        assert_eq!(listed.await.unwrap(), []);
        // What is older than what was there may come again.
        let older = DropStatus {
            seq: 1,
            ..status.clone()
        };
        store.put_drop_status(&older).await.unwrap();
        let found = store.get_drop_status(status.drop_id).await.unwrap();
        assert_eq!(found, Some(older));
    }
    assert_eq!(store.get_drop(drop.drop_id).await.unwrap(), Some(drop));
}
