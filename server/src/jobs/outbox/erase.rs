//! What is left of a person after their account was marked as deleted. Each step may be done any number of times, so the relay goes on
//! where another has died.

use super::{Outbox, Unfinished};
use crate::{
    domain::account::Email,
    store::{
        Cas, StoreError,
        accounts::{Account, Creator},
        outbox::{Entity, EntityKind},
    },
};

impl Outbox {
    /// Ends the access tokens of a deleted account, empties the creator's profile, releases the address, and forgets it at last: an account
    /// that has none is done.
    pub(super) async fn erase(&self, account: &mut Account) -> Result<(), Unfinished> {
        if account.email.is_empty() {
            return Ok(());
        }
        let (store, account_id) = (self.store(), account.account_id);
        store
            .put_ended_account(account_id, self.env().now())
            .await?;
        if let Some(creator) = store.get_creator(account_id).await?
            && !creator.is_deleted()
        {
            self.empty(creator).await?;
        }
        if let Ok(email) = Email::parse(&account.email)
            && let Some(claim) = store.get_email_claim(email.folded()).await?
            && claim.owner_id == account_id
        {
            store.release_email(email.folded(), &claim).await?;
        }
        account.version += 1;
        account.op_id = self.env().uuid();
        account.email = String::new();
        match store.update_account(account).await? {
            Cas::Done => Ok(()),
            Cas::Stale(_) => Err(again("accounts")),
        }
    }

    async fn empty(&self, mut creator: Creator) -> Result<(), Unfinished> {
        creator.version += 1;
        creator.op_id = self.env().uuid();
        creator.display_name = String::new();
        creator.bio = String::new();
        let entity = Entity {
            kind: EntityKind::Creator,
            id: creator.creator_id.uuid(),
        };
        let update = self.store().update_creator(&creator);
        match self.change(entity, creator.op_id, update).await? {
            Cas::Done => Ok(()),
            Cas::Stale(_) => Err(again("creators")),
        }
    }
}

/// Somebody else was faster: what they left is looked at anew.
fn again(table: &str) -> Unfinished {
    Unfinished::Store(StoreError::Determinate(format!("{table}: a race was lost")))
}
