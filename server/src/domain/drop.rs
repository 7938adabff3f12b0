//! What a drop offers: its terms, before and after they are frozen into the ledger.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AccountId, Currency, DropId, ItemId, Timestamp, product::ItemProduct};

/// From here on before `opens_at` the terms are frozen and the ledger rules.
pub const FREEZE_AHEAD: Duration = Duration::from_secs(600);

/// One thing that a drop offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The item's id.
    pub item_id: ItemId,
    /// What buyers read.
    pub title: String,
    /// Units offered at the start.
    pub stock: i64,
    /// Price of a unit, in minor units of the drop's currency.
    pub unit_price_minor: i64,
    /// Most units of this item that one buyer may hold and own; 0 = no limit.
    pub limit_per_buyer: i32,
    /// The variant that it is, if it is one. The ledger does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ItemProduct>,
}

/// A drop's row: the truth until the terms are frozen; afterwards the ledger is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The drop's id, also its ledger's.
    pub drop_id: DropId,
    /// Whose drop it is.
    pub creator_id: AccountId,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version, so that an unknown outcome can be settled by reading.
    pub op_id: uuid::Uuid,
    /// What people read.
    pub title: String,
    /// What people read below the title.
    pub description: String,
    /// Currency of all prices.
    pub currency: Currency,
    /// 1 to 100 items.
    pub items: Vec<Item>,
    /// Most units of all items together that one buyer may hold and own; 0 = no limit.
    pub limit_per_buyer: i32,
    /// When selling starts.
    pub opens_at: Timestamp,
    /// When selling stops.
    pub ends_at: Timestamp,
    /// How long an unpaid order keeps its units.
    pub hold: Duration,
    /// An item is low when this many units or fewer are available; 0 = never.
    pub low_stock_threshold: i64,
    /// When the drop was scheduled.
    pub created_at: Timestamp,
    /// When people last saw it change: the freeze leaves it.
    #[serde(default)]
    pub changed_at: Timestamp,
    /// Cancelled before the freeze: such a drop has no ledger.
    pub cancelled: bool,
    /// Set once, when the terms are frozen: the ledger's secret, from which the salts of its entries are made.
    pub secret: Option<LedgerSecret>,
}

impl Drop {
    /// Whether the ledger rules (or may by the clock).
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.secret.is_some()
    }

    /// Counts the changes that people can see: all but the freeze, which is therefore a change of its own.
    #[must_use]
    pub fn public_version(&self) -> i64 {
        self.version - i64::from(self.is_frozen())
    }

    /// Names the version that people see.
    #[must_use]
    pub fn etag(&self) -> String {
        self.public_version().to_string()
    }

    /// Whether the terms are to be frozen by the clock.
    #[must_use]
    pub fn is_freeze_due(&self, now: Timestamp) -> bool {
        !self.cancelled && now >= self.opens_at - FREEZE_AHEAD
    }
}

/// 32 random bytes of one ledger. Whoever has them can open the private halves of its entries.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerSecret(pub [u8; 32]);

impl std::fmt::Debug for LedgerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LedgerSecret(..)")
    }
}
