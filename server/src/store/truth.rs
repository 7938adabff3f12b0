//! The truth row by row: every table that can't be made again from others, to be moved to another store (`livedrop export`, `import`).
//!
//! Not here: what `livedrop rebuild` makes, processes, and what a database notes about itself.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    LedgerRecord, OpenLedger, Put, Result,
    accounts::{Account, Claim, Creator},
    audit::AuditEntry,
    follows::{FollowBucket, FollowEdge},
    jobs::Job,
    outbox::{Entity, Intent},
    payments::AttemptRow,
    projections::Checkpoint,
    requests::RequestRow,
    sessions::Session,
    text::{CheckpointText, DropText, RequestRowText, SessionText},
};
use crate::domain::{
    AccountId, DropId, OrderId, RequestId, Timestamp, drop::Drop, product::Product,
};

/// A row of the truth. Its serde form is what `livedrop export` writes, and is read for as long as there are such files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "table", content = "row", rename_all = "snake_case")]
pub enum TruthRow {
    /// A record in its slot.
    DropLedger(LedgerRecord),
    /// A process may have work open in a ledger.
    OpenLedgers(OpenLedger),
    /// How far a consumer has come: what some of them did can't be done again.
    LedgerCheckpoints {
        /// Which ledger.
        ledger_id: DropId,
        /// Which consumer.
        consumer: String,
        /// How far.
        #[serde(with = "CheckpointText")]
        checkpoint: Checkpoint,
    },
    /// A person.
    Accounts(Account),
    /// A creator's profile.
    Creators(Creator),
    /// Whose an e-mail address is.
    AccountEmails {
        /// In its folded form.
        email: String,
        /// Whose it is.
        claim: Claim,
    },
    /// Whose a handle is.
    CreatorHandles {
        /// As in links.
        handle: String,
        /// Whose it is.
        claim: Claim,
    },
    /// A session.
    RefreshTokens(#[serde(with = "SessionText")] Session),
    /// A call that must not be done twice. How long it will be remembered is not moved: a put one begins anew.
    RequestIds {
        /// Who called; `None` for calls without sign-in.
        caller_id: Option<AccountId>,
        /// The call's name.
        method: String,
        /// The client's key.
        request_id: RequestId,
        /// What is remembered.
        #[serde(with = "RequestRowText")]
        claim: RequestRow,
    },
    /// A drop.
    Drops(#[serde(with = "DropText")] Drop),
    /// What a creator has to sell.
    Products(Product),
    /// Who follows whom.
    FollowEdges(FollowEdge),
    /// How a list of follows is divided.
    FollowBuckets(FollowBucket),
    /// What an attempt to pay is called at its provider.
    PaymentAttempts {
        /// Of which order.
        order_id: OrderId,
        /// Which attempt, from 1.
        attempt: i32,
        /// Its names.
        names: AttemptRow,
    },
    /// A webhook message that is settled.
    PaymentEvents {
        /// Whose message.
        provider: String,
        /// The provider's id of it.
        event_id: String,
        /// When it was settled.
        settled_at: Timestamp,
    },
    /// A change whose event may not be out.
    Outbox(Intent),
    /// The version of a row that was announced last.
    Announced {
        /// Which row.
        entity: Entity,
        /// Which version.
        version: i64,
    },
    /// How far a job has come.
    Jobs(Job),
    /// What an operator did.
    AuditLog(AuditEntry),
}

/// A table of the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each holds the rows of that name")]
pub enum TruthTable {
    DropLedger,
    OpenLedgers,
    LedgerCheckpoints,
    Accounts,
    Creators,
    AccountEmails,
    CreatorHandles,
    RefreshTokens,
    RequestIds,
    Drops,
    Products,
    FollowEdges,
    FollowBuckets,
    PaymentAttempts,
    PaymentEvents,
    Outbox,
    Announced,
    Jobs,
    AuditLog,
}

impl TruthTable {
    /// Every table.
    pub const ALL: [Self; 19] = [
        Self::DropLedger,
        Self::OpenLedgers,
        Self::LedgerCheckpoints,
        Self::Accounts,
        Self::Creators,
        Self::AccountEmails,
        Self::CreatorHandles,
        Self::RefreshTokens,
        Self::RequestIds,
        Self::Drops,
        Self::Products,
        Self::FollowEdges,
        Self::FollowBuckets,
        Self::PaymentAttempts,
        Self::PaymentEvents,
        Self::Outbox,
        Self::Announced,
        Self::Jobs,
        Self::AuditLog,
    ];

    /// As in every backend.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DropLedger => "drop_ledger",
            Self::OpenLedgers => "open_ledgers",
            Self::LedgerCheckpoints => "ledger_checkpoints",
            Self::Accounts => "accounts",
            Self::Creators => "creators",
            Self::AccountEmails => "account_emails",
            Self::CreatorHandles => "creator_handles",
            Self::RefreshTokens => "refresh_tokens",
            Self::RequestIds => "request_ids",
            Self::Drops => "drops",
            Self::Products => "products",
            Self::FollowEdges => "follow_edges",
            Self::FollowBuckets => "follow_buckets",
            Self::PaymentAttempts => "payment_attempts",
            Self::PaymentEvents => "payment_events",
            Self::Outbox => "outbox",
            Self::Announced => "announced",
            Self::Jobs => "jobs",
            Self::AuditLog => "audit_log",
        }
    }
}

impl TruthRow {
    /// Which table it is of.
    #[must_use]
    pub const fn table(&self) -> TruthTable {
        match self {
            Self::DropLedger(_) => TruthTable::DropLedger,
            Self::OpenLedgers(_) => TruthTable::OpenLedgers,
            Self::LedgerCheckpoints { .. } => TruthTable::LedgerCheckpoints,
            Self::Accounts(_) => TruthTable::Accounts,
            Self::Creators(_) => TruthTable::Creators,
            Self::AccountEmails { .. } => TruthTable::AccountEmails,
            Self::CreatorHandles { .. } => TruthTable::CreatorHandles,
            Self::RefreshTokens(_) => TruthTable::RefreshTokens,
            Self::RequestIds { .. } => TruthTable::RequestIds,
            Self::Drops(_) => TruthTable::Drops,
            Self::Products(_) => TruthTable::Products,
            Self::FollowEdges(_) => TruthTable::FollowEdges,
            Self::FollowBuckets(_) => TruthTable::FollowBuckets,
            Self::PaymentAttempts { .. } => TruthTable::PaymentAttempts,
            Self::PaymentEvents { .. } => TruthTable::PaymentEvents,
            Self::Outbox(_) => TruthTable::Outbox,
            Self::Announced { .. } => TruthTable::Announced,
            Self::Jobs(_) => TruthTable::Jobs,
            Self::AuditLog(_) => TruthTable::AuditLog,
        }
    }

    /// Names it within its table, as [`TruthRow::group`] and what tells it apart there.
    #[must_use]
    pub fn key(&self) -> String {
        let group = self.group();
        match self {
            Self::DropLedger(record) => format!("{group}/{}", record.seq),
            Self::OpenLedgers(open) => format!("{group}/{}", open.process_id),
            Self::LedgerCheckpoints { consumer, .. } => format!("{group}/{consumer}"),
            Self::FollowBuckets(bucket) => format!("{group}/{}", bucket.number),
            Self::PaymentAttempts { attempt, .. } => format!("{group}/{attempt}"),
            Self::Outbox(intent) => {
                format!("{group}/{}/{}", intent.created_at.micros(), intent.op_id)
            }
            Self::AuditLog(entry) => format!("{group}/{}/{}", entry.at.micros(), entry.id),
            Self::Accounts(_)
            | Self::Creators(_)
            | Self::AccountEmails { .. }
            | Self::CreatorHandles { .. }
            | Self::RefreshTokens(_)
            | Self::RequestIds { .. }
            | Self::Drops(_)
            | Self::Products(_)
            | Self::FollowEdges(_)
            | Self::PaymentEvents { .. }
            | Self::Announced { .. }
            | Self::Jobs(_) => group,
        }
    }

    /// Rows of a table and a group get into each other's way in a database: put them one after the other.
    #[must_use]
    pub fn group(&self) -> String {
        match self {
            Self::DropLedger(record) => record.ledger_id.to_string(),
            Self::OpenLedgers(open) => open.ledger_id.to_string(),
            Self::LedgerCheckpoints { ledger_id, .. } => ledger_id.to_string(),
            Self::Accounts(account) => account.account_id.to_string(),
            Self::Creators(creator) => creator.creator_id.to_string(),
            Self::AccountEmails { email, .. } => email.clone(),
            Self::CreatorHandles { handle, .. } => handle.clone(),
            Self::RefreshTokens(session) => session.session_id.to_string(),
            Self::RequestIds {
                caller_id,
                method,
                request_id,
                ..
            } => {
                let caller = caller_id.map_or_else(|| "nobody".to_owned(), |id| id.to_string());
                format!("{caller}/{method}/{request_id}")
            }
            Self::Drops(drop) => drop.drop_id.to_string(),
            Self::Products(product) => product.product_id.to_string(),
            Self::FollowEdges(edge) => format!("{}/{}", edge.follower_id, edge.creator_id),
            Self::FollowBuckets(bucket) => {
                format!("{}/{:?}", bucket.list.owner_id, bucket.list.side)
            }
            Self::PaymentAttempts { order_id, .. } => order_id.to_string(),
            Self::PaymentEvents {
                provider, event_id, ..
            } => format!("{provider}/{event_id}"),
            Self::Outbox(intent) => intent.entity.id.to_string(),
            Self::Announced { entity, .. } => format!("{:?}/{}", entity.kind, entity.id),
            Self::Jobs(job) => job.job_id.clone(),
            Self::AuditLog(entry) => entry.subject.to_string(),
        }
    }
}

/// Where a scan goes on: the backend's own bytes, good for this process and this store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(pub Vec<u8>);

/// Some rows of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthPage {
    /// Which; perhaps none, though more follow.
    pub rows: Vec<TruthRow>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// The truth as a whole. For tools, while nothing else writes the store.
#[async_trait]
pub trait TruthStore: Send + Sync {
    /// A page of all rows of a table, in the backend's own order: at most `limit` (at least 1), and not many MiB. Every row that was there
    /// before the scan, and is not changed meanwhile, comes once. Request ids that have expired do not come.
    async fn scan_truth(
        &self,
        table: TruthTable,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<TruthPage>;

    /// Puts a row if there is none of its key. An equal one is as good: repeating is harmless. [`Put::Exists`] has what is there instead.
    /// A request id that is put is remembered from now on for its whole time.
    async fn put_truth(&self, row: &TruthRow) -> Result<Put<Box<TruthRow>>>;
}
