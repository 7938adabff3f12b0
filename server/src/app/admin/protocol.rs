//! What goes over the admin socket.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::{
    app::{backup::BackedUp, drop_list::DropPage},
    domain::{DropId, OrderId},
    service::operator::{OrderSheet, SettleOrder, Settled},
    store::LedgerRecord,
};

/// The longest question.
pub(super) const CALL_BYTES_MAX: u64 = 4 * 1024;

/// The longest answer: a page of the largest records in base64, three times over.
pub(super) const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Call {
    /// Records of a ledger in order, from `seq` on.
    ReadFrom {
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    },
    /// The drops there are, in the order of opening.
    ListDrops { after: Option<DropId> },
    /// An order, with all that is known of its payments.
    ShowOrder { drop_id: DropId, order_id: OrderId },
    /// Settle an attempt to pay by hand.
    SettleOrder(SettleOrder),
    /// Copy the data directory to this path.
    BackUp { to: PathBuf },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Records(Vec<LedgerRecord>),
    Drops(DropPage),
    Order(Box<OrderSheet>),
    Settled(Box<Settled>),
    BackedUp(BackedUp),
    Failed(String),
}

/// A message and its end.
pub(super) fn to_line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The next line; `None` where the other side has hung up. An error if it is longer than `bytes_max` or cut off.
pub(super) async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin + Send),
    bytes_max: u64,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.take(bytes_max).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message was cut off or is too long",
        )),
    }
}
