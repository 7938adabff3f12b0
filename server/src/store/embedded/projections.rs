//! Checkpoints (partition = ledger, clustering = consumer) and drop statuses (partition = drop).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{
        DROP_STATUS, DROPS_BY_CREATOR, DROPS_BY_TIME, Failure, LEDGER_CHECKPOINTS, ORDERS,
        ORDERS_BY_BUYER, ORDERS_BY_DROP, RowTable,
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

/// What can be made again from ledgers and drops.
const DERIVED: [RowTable; 6] = [
    ORDERS,
    ORDERS_BY_BUYER,
    ORDERS_BY_DROP,
    DROP_STATUS,
    DROPS_BY_TIME,
    DROPS_BY_CREATOR,
];

/// Most consumers of a ledger: they are parts of this program, a handful.
const CONSUMERS_MAX: usize = 100;

fn decode_checkpoint(
    mut key: &[u8],
    mut row: &[u8],
) -> std::result::Result<(String, Checkpoint), Failure> {
    let _ledger_id = key::take_id(&mut key)?;
    let consumer = str::from_utf8(key)
        .map_err(|error| Failure::Row(format!("a stored consumer is no text: {error}")))?;
    let checkpoint = Checkpoint {
        seq: u64::from_be_bytes(key::take(&mut row)?),
        hash: key::take(&mut row)?,
    };
    Ok((consumer.to_owned(), checkpoint))
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
                decode_checkpoint(key, row).map(Some)
            })
        })
    }

    async fn put_checkpoint(
        &self,
        ledger_id: DropId,
        consumer: &str,
        checkpoint: Checkpoint,
    ) -> Result<()> {
        let key = [ledger_id.as_bytes(), consumer.as_bytes()].concat();
        let Checkpoint { seq, hash } = checkpoint;
        self.write(move |rows| rows.put(LEDGER_CHECKPOINTS, &key, &[&seq.to_be_bytes(), &hash]))
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
