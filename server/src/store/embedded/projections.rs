//! Checkpoints (partition = ledger, clustering = consumer) and drop statuses (partition = drop).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{
        DROP_STATUS, DROPS_BY_CREATOR, DROPS_BY_TIME, FOLLOWERS, FOLLOWING, Failure,
        LEDGER_CHECKPOINTS, ORDERS, ORDERS_BY_BUYER, ORDERS_BY_DROP, PRODUCTS_BY_CREATOR, RowTable,
    },
    versioned::{decode, encode},
};
use crate::{
    domain::DropId,
    store::{
        Order, ProjectionStore, Result,
        projections::{Checkpoint, DropStatus},
    },
};

/// What can be made again from ledgers, drops, products and edges.
const DERIVED: [RowTable; 9] = [
    ORDERS,
    ORDERS_BY_BUYER,
    ORDERS_BY_DROP,
    DROP_STATUS,
    DROPS_BY_TIME,
    DROPS_BY_CREATOR,
    PRODUCTS_BY_CREATOR,
    FOLLOWERS,
    FOLLOWING,
];

/// Most consumers of a ledger: they are parts of this program, a handful.
const CONSUMERS_MAX: usize = 100;

pub(super) fn checkpoint_key(ledger_id: DropId, consumer: &str) -> Vec<u8> {
    [ledger_id.as_bytes(), consumer.as_bytes()].concat()
}

pub(super) fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    [&checkpoint.seq.to_be_bytes()[..], &checkpoint.hash].concat()
}

pub(super) fn decode_checkpoint(
    mut key: &[u8],
    mut row: &[u8],
) -> std::result::Result<(DropId, String, Checkpoint), Failure> {
    let ledger_id = DropId::new(key::take_id(&mut key)?);
    let checkpoint = Checkpoint {
        seq: u64::from_be_bytes(key::take(&mut row)?),
        hash: key::take(&mut row)?,
    };
    Ok((ledger_id, key::text(key)?, checkpoint))
}

/// A stored status is its `seq`, then itself.
fn decode_status(mut row: &[u8]) -> std::result::Result<DropStatus, Failure> {
    let _seq: [u8; 8] = key::take(&mut row)?;
    decode(row)
}

#[async_trait]
impl ProjectionStore for EmbeddedStore {
    async fn get_checkpoints(&self, ledger_id: DropId) -> Result<Vec<(String, Checkpoint)>> {
        let order = Order::Ascending;
        let range = key::range(ledger_id.as_bytes(), None, order);
        self.read(|snapshot| {
            let table = LEDGER_CHECKPOINTS;
            snapshot.page(table, range, order, CONSUMERS_MAX, |key, row| {
                let (_, consumer, checkpoint) = decode_checkpoint(key, row)?;
                Ok(Some((consumer, checkpoint)))
            })
        })
    }

    async fn put_checkpoint(
        &self,
        ledger_id: DropId,
        consumer: &str,
        checkpoint: Checkpoint,
    ) -> Result<()> {
        let key = checkpoint_key(ledger_id, consumer);
        let row = encode_checkpoint(&checkpoint);
        self.write(move |rows| rows.put(LEDGER_CHECKPOINTS, &key, &[&row]))
            .await
    }

    async fn put_drop_status(&self, status: &DropStatus) -> Result<()> {
        let (key, seq, row) = (status.drop_id, status.seq.to_be_bytes(), encode(status)?);
        self.write(move |rows| rows.put_newest(DROP_STATUS, key.as_bytes(), &seq, &row))
            .await
    }

    async fn get_drop_status(&self, drop_id: DropId) -> Result<Option<DropStatus>> {
        self.read(|snapshot| snapshot.get(DROP_STATUS, drop_id.as_bytes(), decode_status))
    }

    async fn truncate_derived(&self) -> Result<()> {
        self.write(|rows| DERIVED.into_iter().try_for_each(|table| rows.clear(table)))
            .await
    }
}
