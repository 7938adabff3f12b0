//! Freezing a drop's terms: one compare-and-set on the drop's row draws the secret, so that the ledger's first entry is the same whoever writes it.
//! It needs no intent: people see nothing of it ([`Drop::public_version`]).

use crate::{
    domain::{
        DropId,
        drop::{Drop, LedgerSecret},
    },
    env::{self, Env},
    store::{Cas, Store, StoreError},
};

/// What a row says of its ledger.
#[derive(Debug)]
pub enum Frozen {
    /// The ledger rules; the row's terms are final.
    Yes(Box<Drop>, LedgerSecret),
    /// The row rules.
    No(Box<Drop>),
    /// There is no such drop.
    Unknown,
}

/// Tries on a row that others change at the same time.
const TRIES_MAX: usize = 16;

/// Reads the drop and freezes it if that is due.
///
/// # Errors
/// If the store fails, or others keep changing the row.
pub async fn read_or_freeze(
    store: &dyn Store,
    env: &dyn Env,
    drop_id: DropId,
) -> Result<Frozen, StoreError> {
    let Some(mut drop) = store.get_drop(drop_id).await? else {
        return Ok(Frozen::Unknown);
    };
    for _ in 0..TRIES_MAX {
        if let Some(secret) = drop.secret.clone() {
            return Ok(Frozen::Yes(Box::new(drop), secret));
        }
        if !drop.is_freeze_due(env.now()) {
            return Ok(Frozen::No(Box::new(drop)));
        }
        let secret = LedgerSecret(env::random(env));
        let next = Drop {
            version: drop.version + 1,
            op_id: env.uuid(),
            secret: Some(secret.clone()),
            ..drop.clone()
        };
        match store.update_drop(&next).await? {
            Cas::Done => return Ok(Frozen::Yes(Box::new(next), secret)),
            Cas::Stale(Some(newer)) => drop = newer,
            Cas::Stale(None) => return Ok(Frozen::Unknown),
        }
    }
    Err(StoreError::Determinate(
        "the drop's row keeps changing".to_owned(),
    ))
}
