//! The tools' side of the admin socket: ledgers that can only be read, and orders that can be settled by hand.

use std::{io, path::Path};

use async_trait::async_trait;
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::Mutex,
};

use super::{
    SOCKET_NAME,
    protocol::{self, Answer, Call},
};
use crate::{
    app::{backup::BackedUp, drop_list::DropPage},
    domain::{DropId, OrderId},
    service::operator::{OrderSheet, SettleOrder, Settled},
    store::{Append, LedgerRecord, LedgerStore, OpenLedger, Result, StoreError},
};

/// The ledgers of a running server.
#[derive(Debug)]
pub struct RemoteLedgers {
    /// Questions go one after the other.
    stream: Mutex<BufReader<UnixStream>>,
}

impl RemoteLedgers {
    /// Connects to the server that has `dir` open; `None` if none listens there.
    ///
    /// # Errors
    /// If one may be there but can't be reached, as without the permission.
    pub async fn connect(dir: &Path) -> io::Result<Option<Self>> {
        match UnixStream::connect(dir.join(SOCKET_NAME)).await {
            Ok(stream) => Ok(Some(Self {
                stream: Mutex::new(BufReader::new(stream)),
            })),
            Err(error) if says_nobody_listens(error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of drops.
    ///
    /// # Errors
    /// If the server can't read its store, or is gone.
    pub async fn list_drops(&self, after: Option<DropId>) -> Result<DropPage> {
        match self.ask(&Call::ListDrops { after }).await? {
            Answer::Drops(page) => Ok(page),
            Answer::Failed(message) => Err(StoreError::Determinate(message)),
            Answer::Records(_) | Answer::Order(_) | Answer::Settled(_) | Answer::BackedUp(_) => {
                Err(unexpected())
            }
        }
    }

    /// An order, with all that is known of its payments.
    ///
    /// # Errors
    /// If there is none, or the server is gone.
    pub async fn show_order(&self, drop_id: DropId, order_id: OrderId) -> Result<OrderSheet> {
        match self.ask(&Call::ShowOrder { drop_id, order_id }).await? {
            Answer::Order(sheet) => Ok(*sheet),
            Answer::Failed(message) => Err(StoreError::Determinate(message)),
            Answer::Records(_) | Answer::Drops(_) | Answer::Settled(_) | Answer::BackedUp(_) => {
                Err(unexpected())
            }
        }
    }

    /// Has an attempt to pay settled.
    ///
    /// # Errors
    /// If that is refused, or the server is gone: then look at the order.
    pub async fn settle_order(&self, wish: SettleOrder) -> Result<Settled> {
        match self.ask(&Call::SettleOrder(wish)).await? {
            Answer::Settled(settled) => Ok(*settled),
            Answer::Failed(message) => Err(StoreError::Determinate(message)),
            Answer::Records(_) | Answer::Drops(_) | Answer::Order(_) | Answer::BackedUp(_) => {
                Err(unexpected())
            }
        }
    }

    /// Has the data directory copied to `to`, an absolute path that is not there yet.
    ///
    /// # Errors
    /// If the server can't, or is gone: then there is no backup.
    pub async fn back_up(&self, to: &Path) -> Result<BackedUp> {
        match self.ask(&Call::BackUp { to: to.to_owned() }).await? {
            Answer::BackedUp(backed_up) => Ok(backed_up),
            Answer::Failed(message) => Err(StoreError::Determinate(message)),
            Answer::Records(_) | Answer::Drops(_) | Answer::Order(_) | Answer::Settled(_) => {
                Err(unexpected())
            }
        }
    }

    async fn ask(&self, call: &Call) -> Result<Answer> {
        let lost = |error: io::Error| {
            StoreError::Determinate(format!("the running server did not answer: {error}"))
        };
        let line = protocol::to_line(call).map_err(lost)?;
        let mut stream = self.stream.lock().await;
        stream.write_all(&line).await.map_err(lost)?;
        let line = protocol::read_line(&mut *stream, protocol::ANSWER_BYTES_MAX)
            .await
            .map_err(lost)?;
        let line = line.ok_or_else(|| lost(io::ErrorKind::UnexpectedEof.into()))?;
        serde_json::from_slice(&line).map_err(|error| lost(error.into()))
    }
}

/// A name too long for a socket (`InvalidInput`) was too long for a server as well.
fn says_nobody_listens(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound};
    [ConnectionRefused, InvalidInput, NotFound].contains(&kind)
}

fn unexpected() -> StoreError {
    StoreError::Determinate("the running server answered another question".to_owned())
}

fn read_only<T>() -> Result<T> {
    Err(StoreError::Determinate("tools only read".to_owned()))
}

#[async_trait]
impl LedgerStore for RemoteLedgers {
    fn is_exclusive(&self) -> bool {
        false
    }

    async fn append(&self, _record: &LedgerRecord) -> Result<Append> {
        read_only()
    }

    async fn read_from(
        &self,
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LedgerRecord>> {
        match self
            .ask(&Call::ReadFrom {
                ledger_id,
                seq,
                limit,
            })
            .await?
        {
            Answer::Records(records) => Ok(records),
            Answer::Failed(message) => Err(StoreError::Determinate(message)),
            Answer::Drops(_) | Answer::Order(_) | Answer::Settled(_) | Answer::BackedUp(_) => {
                Err(unexpected())
            }
        }
    }

    async fn mark_open(&self, _open: OpenLedger) -> Result<()> {
        read_only()
    }

    async fn unmark_open(&self, _open: OpenLedger) -> Result<()> {
        read_only()
    }

    async fn list_open(
        &self,
        _shard: u8,
        _after: Option<OpenLedger>,
        _limit: usize,
    ) -> Result<Vec<OpenLedger>> {
        read_only()
    }
}
