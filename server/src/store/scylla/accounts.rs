//! People (`accounts`), creators (`creators`) and the names they claim (`account_emails`, `creator_handles`).

use async_trait::async_trait;
use scylla::statement::prepared::PreparedStatement;

use super::{
    ScyllaStore,
    db::Db,
    lwt::{self, Table},
    row::{FromRow, Row, Value, values},
};
use crate::{
    domain::AccountId,
    store::{
        AccountStore, Cas, Put, Result,
        accounts::{Account, Claim, Creator},
    },
};

const CLAIM_COLUMNS: &[&str] = &["version", "claim_id", "owner_id", "claimed_at"];

pub(super) const ACCOUNTS: Table = Table {
    name: "accounts",
    key: &["account_id"],
    columns: &[
        "version",
        "op_id",
        "email",
        "display_name",
        "password_hash",
        "created_at",
    ],
    using: "",
};
pub(super) const CREATORS: Table = Table {
    name: "creators",
    key: &["creator_id"],
    columns: &[
        "version",
        "op_id",
        "handle",
        "display_name",
        "bio",
        "created_at",
    ],
    using: "",
};
pub(super) const ACCOUNT_EMAILS: Table = Table {
    name: "account_emails",
    key: &["email"],
    columns: CLAIM_COLUMNS,
    using: "",
};
pub(super) const CREATOR_HANDLES: Table = Table {
    name: "creator_handles",
    key: &["handle"],
    columns: CLAIM_COLUMNS,
    using: "",
};

#[derive(Debug)]
pub(super) struct Statements {
    accounts: lwt::Statements,
    creators: lwt::Statements,
    emails: lwt::Statements,
    handles: lwt::Statements,
    release_email: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        Ok(Self {
            accounts: lwt::Statements::prepare(db, ACCOUNTS).await?,
            creators: lwt::Statements::prepare(db, CREATORS).await?,
            emails: lwt::Statements::prepare(db, ACCOUNT_EMAILS).await?,
            handles: lwt::Statements::prepare(db, CREATOR_HANDLES).await?,
            release_email: db
                .lwt("DELETE FROM account_emails WHERE email = ? IF claim_id = ?")
                .await?,
        })
    }
}

fn account_columns(it: &Account) -> Vec<Value> {
    values![
        it.version,
        it.op_id,
        it.email.clone(),
        it.display_name.clone(),
        it.password_hash.clone(),
        it.created_at.micros(),
    ]
}

fn creator_columns(it: &Creator) -> Vec<Value> {
    values![
        it.version,
        it.op_id,
        it.handle.clone(),
        it.display_name.clone(),
        it.bio.clone(),
        it.created_at.micros(),
    ]
}

fn claim_columns(it: &Claim) -> Vec<Value> {
    values![
        it.version,
        it.claim_id,
        it.owner_id.uuid(),
        it.claimed_at.micros()
    ]
}

impl FromRow for Account {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            account_id: row.id("account_id", AccountId::new)?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            email: row.get("email")?,
            display_name: row.get("display_name")?,
            password_hash: row.get("password_hash")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl FromRow for Creator {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            creator_id: row.id("creator_id", AccountId::new)?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            handle: row.get("handle")?,
            display_name: row.get("display_name")?,
            bio: row.get("bio")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl FromRow for Claim {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            version: row.get("version")?,
            claim_id: row.get("claim_id")?,
            owner_id: row.id("owner_id", AccountId::new)?,
            claimed_at: row.time("claimed_at")?,
        })
    }
}

#[async_trait]
impl AccountStore for ScyllaStore {
    async fn insert_account(&self, account: &Account) -> Result<Put<Account>> {
        let (table, id) = (&self.accounts.accounts, account.account_id.uuid());
        self.db
            .put_if_absent(table, values![id], account_columns(account), account)
            .await
    }

    async fn get_account(&self, account_id: AccountId) -> Result<Option<Account>> {
        self.db
            .get(&self.accounts.accounts, values![account_id.uuid()])
            .await
    }

    async fn update_account(&self, account: &Account) -> Result<Cas<Account>> {
        let (table, id) = (&self.accounts.accounts, account.account_id.uuid());
        self.db
            .replace(table, values![id], account_columns(account), account)
            .await
    }

    async fn insert_creator(&self, creator: &Creator) -> Result<Put<Creator>> {
        let (table, id) = (&self.accounts.creators, creator.creator_id.uuid());
        self.db
            .put_if_absent(table, values![id], creator_columns(creator), creator)
            .await
    }

    async fn get_creator(&self, creator_id: AccountId) -> Result<Option<Creator>> {
        self.db
            .get(&self.accounts.creators, values![creator_id.uuid()])
            .await
    }

    async fn update_creator(&self, creator: &Creator) -> Result<Cas<Creator>> {
        let (table, id) = (&self.accounts.creators, creator.creator_id.uuid());
        self.db
            .replace(table, values![id], creator_columns(creator), creator)
            .await
    }

    async fn claim_email(&self, email: &str, claim: &Claim) -> Result<Put<Claim>> {
        put_claim(&self.db, &self.accounts.emails, email, claim).await
    }

    async fn get_email_claim(&self, email: &str) -> Result<Option<Claim>> {
        self.db
            .get(&self.accounts.emails, values![email.to_owned()])
            .await
    }

    async fn take_over_email(&self, email: &str, claim: &Claim) -> Result<Cas<Claim>> {
        take_over(&self.db, &self.accounts.emails, email, claim).await
    }

    async fn release_email(&self, email: &str, claim: &Claim) -> Result<()> {
        let values = values![email.to_owned(), claim.claim_id];
        self.db
            .remove("account_emails", &self.accounts.release_email, values)
            .await
    }

    async fn claim_handle(&self, handle: &str, claim: &Claim) -> Result<Put<Claim>> {
        put_claim(&self.db, &self.accounts.handles, handle, claim).await
    }

    async fn get_handle_claim(&self, handle: &str) -> Result<Option<Claim>> {
        self.db
            .get(&self.accounts.handles, values![handle.to_owned()])
            .await
    }

    async fn take_over_handle(&self, handle: &str, claim: &Claim) -> Result<Cas<Claim>> {
        take_over(&self.db, &self.accounts.handles, handle, claim).await
    }
}

async fn put_claim(
    db: &Db,
    table: &lwt::Statements,
    name: &str,
    claim: &Claim,
) -> Result<Put<Claim>> {
    let key = values![name.to_owned()];
    db.put_if_absent(table, key, claim_columns(claim), claim)
        .await
}

async fn take_over(
    db: &Db,
    table: &lwt::Statements,
    name: &str,
    claim: &Claim,
) -> Result<Cas<Claim>> {
    let key = values![name.to_owned()];
    db.replace(table, key, claim_columns(claim), claim).await
}
