//! Accounts, creators and claimed names: partition = the id or the name.

use async_trait::async_trait;

use super::{
    EmbeddedStore,
    rows::{ACCOUNT_EMAILS, ACCOUNTS, CREATOR_HANDLES, CREATORS},
    versioned::decode,
};
use crate::{
    domain::AccountId,
    store::{
        AccountStore, Cas, Put, Result,
        accounts::{Account, Claim, Creator},
    },
};

#[async_trait]
impl AccountStore for EmbeddedStore {
    async fn insert_account(&self, account: &Account) -> Result<Put<Account>> {
        self.insert_row(ACCOUNTS, account.account_id.as_bytes(), account)
            .await
    }

    async fn get_account(&self, account_id: AccountId) -> Result<Option<Account>> {
        self.get_row(ACCOUNTS, account_id.as_bytes())
    }

    async fn update_account(&self, account: &Account) -> Result<Cas<Account>> {
        self.replace_row(ACCOUNTS, account.account_id.as_bytes(), account)
            .await
    }

    async fn insert_creator(&self, creator: &Creator) -> Result<Put<Creator>> {
        self.insert_row(CREATORS, creator.creator_id.as_bytes(), creator)
            .await
    }

    async fn get_creator(&self, creator_id: AccountId) -> Result<Option<Creator>> {
        self.get_row(CREATORS, creator_id.as_bytes())
    }

    async fn update_creator(&self, creator: &Creator) -> Result<Cas<Creator>> {
        self.replace_row(CREATORS, creator.creator_id.as_bytes(), creator)
            .await
    }

    async fn claim_email(&self, email: &str, claim: &Claim) -> Result<Put<Claim>> {
        self.insert_row(ACCOUNT_EMAILS, email.as_bytes(), claim)
            .await
    }

    async fn get_email_claim(&self, email: &str) -> Result<Option<Claim>> {
        self.get_row(ACCOUNT_EMAILS, email.as_bytes())
    }

    async fn take_over_email(&self, email: &str, claim: &Claim) -> Result<Cas<Claim>> {
        self.replace_row(ACCOUNT_EMAILS, email.as_bytes(), claim)
            .await
    }

    async fn release_email(&self, email: &str, claim: &Claim) -> Result<()> {
        let (email, claim) = (email.as_bytes().to_vec(), claim.clone());
        self.write(move |rows| match rows.get(ACCOUNT_EMAILS, &email)? {
            Some(found) if decode::<Claim>(&found)? == claim => rows.delete(ACCOUNT_EMAILS, &email),
            Some(_) | None => Ok(()),
        })
        .await
    }

    async fn claim_handle(&self, handle: &str, claim: &Claim) -> Result<Put<Claim>> {
        self.insert_row(CREATOR_HANDLES, handle.as_bytes(), claim)
            .await
    }

    async fn get_handle_claim(&self, handle: &str) -> Result<Option<Claim>> {
        self.get_row(CREATOR_HANDLES, handle.as_bytes())
    }

    async fn take_over_handle(&self, handle: &str, claim: &Claim) -> Result<Cas<Claim>> {
        self.replace_row(CREATOR_HANDLES, handle.as_bytes(), claim)
            .await
    }
}
