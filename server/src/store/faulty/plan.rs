//! Which faults how often.

use std::time::Duration;

use super::Fault;

/// Every call of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the method of that name")]
pub enum Method {
    Append,
    ReadFrom,
    MarkOpen,
    UnmarkOpen,
    ListOpen,
    InsertDrop,
    GetDrop,
    UpdateDrop,
    PutDropTime,
    ListDropTimes,
    PutCreatorDrop,
    ListCreatorDrops,
    ScanDrops,
    InsertProduct,
    GetProduct,
    UpdateProduct,
    PutCreatorProduct,
    ListCreatorProducts,
    InsertAccount,
    GetAccount,
    UpdateAccount,
    InsertCreator,
    GetCreator,
    UpdateCreator,
    ClaimEmail,
    GetEmailClaim,
    TakeOverEmail,
    ReleaseEmail,
    ClaimHandle,
    GetHandleClaim,
    TakeOverHandle,
    GetFollow,
    GetFollows,
    UpdateFollow,
    PutFollowRows,
    ListFollowRows,
    ListFollowBuckets,
    UpdateFollowBucket,
    InsertSession,
    GetSession,
    UpdateSession,
    PutEndedAccount,
    ListEndedAccounts,
    PutSearchChange,
    ListSearchChanges,
    ClaimRequest,
    GetRequest,
    PutOrders,
    PutOrderRefs,
    GetOrder,
    ListBuyerOrders,
    ListDropOrders,
    GetCheckpoints,
    PutCheckpoint,
    PutDropStatus,
    GetDropStatus,
    TruncateDerived,
    PutAttempt,
    GetAttempt,
    PutPaymentEvent,
    GetPaymentEvent,
    PutIntent,
    RemoveIntent,
    ListIntents,
    GetAnnounced,
    PutAnnounced,
    GetJob,
    UpdateJob,
    PutAudit,
    ListAudit,
    ScanTruth,
    PutTruth,
    Beat,
    ListProcesses,
    ReadClocks,
    Leave,
}

/// Calls that share their odds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Appends to ledgers.
    Append,
    /// All other changes.
    Write,
    /// Reads.
    Read,
}

impl Method {
    /// The method's class.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Append => Class::Append,
            Self::MarkOpen
            | Self::UnmarkOpen
            | Self::InsertDrop
            | Self::UpdateDrop
            | Self::PutDropTime
            | Self::InsertProduct
            | Self::UpdateProduct
            | Self::PutCreatorProduct
            | Self::InsertAccount
            | Self::UpdateAccount
            | Self::InsertCreator
            | Self::UpdateCreator
            | Self::ClaimEmail
            | Self::TakeOverEmail
            | Self::ReleaseEmail
            | Self::ClaimHandle
            | Self::TakeOverHandle
            | Self::UpdateFollow
            | Self::PutFollowRows
            | Self::UpdateFollowBucket
            | Self::InsertSession
            | Self::UpdateSession
            | Self::PutEndedAccount
            | Self::PutSearchChange
            | Self::ClaimRequest
            | Self::PutCreatorDrop
            | Self::PutOrders
            | Self::PutOrderRefs
            | Self::PutCheckpoint
            | Self::PutDropStatus
            | Self::TruncateDerived
            | Self::PutAttempt
            | Self::PutPaymentEvent
            | Self::PutIntent
            | Self::RemoveIntent
            | Self::PutAnnounced
            | Self::UpdateJob
            | Self::PutAudit
            | Self::PutTruth
            | Self::Beat
            | Self::Leave => Class::Write,
            Self::ReadFrom
            | Self::ListOpen
            | Self::GetDrop
            | Self::ListDropTimes
            | Self::GetAccount
            | Self::GetCreator
            | Self::GetEmailClaim
            | Self::GetHandleClaim
            | Self::GetFollow
            | Self::GetFollows
            | Self::ListFollowRows
            | Self::ListFollowBuckets
            | Self::GetSession
            | Self::ListEndedAccounts
            | Self::ListSearchChanges
            | Self::GetRequest
            | Self::ListCreatorDrops
            | Self::ScanDrops
            | Self::GetProduct
            | Self::ListCreatorProducts
            | Self::GetOrder
            | Self::ListBuyerOrders
            | Self::ListDropOrders
            | Self::GetCheckpoints
            | Self::GetDropStatus
            | Self::GetAttempt
            | Self::GetPaymentEvent
            | Self::ListIntents
            | Self::GetAnnounced
            | Self::GetJob
            | Self::ListAudit
            | Self::ScanTruth
            | Self::ListProcesses
            | Self::ReadClocks => Class::Read,
        }
    }
}

/// Chances of a call, each from 0 to 1. At most one of the faults happens, so they must not sum to more than 1; a delay may come on top.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Odds {
    /// Of [`Fault::Refuse`].
    pub refuse: f64,
    /// Of [`Fault::Lose`].
    pub lose: f64,
    /// Of [`Fault::HideOutcome`].
    pub hide_outcome: f64,
    /// Of [`Fault::Duplicate`].
    pub duplicate: f64,
    /// Of [`Fault::Late`].
    pub late: f64,
    /// Of waiting before anything else.
    pub delay: f64,
}

impl Odds {
    /// The fault that `draw`, from 0 to 1, falls on.
    pub(super) fn pick(&self, mut draw: f64) -> Option<Fault> {
        let faults = [
            (self.refuse, Fault::Refuse),
            (self.lose, Fault::Lose),
            (self.hide_outcome, Fault::HideOutcome),
            (self.duplicate, Fault::Duplicate),
            (self.late, Fault::Late),
        ];
        for (chance, fault) in faults {
            if draw < chance {
                return Some(fault);
            }
            draw -= chance;
        }
        None
    }
}

/// Odds of each class. The default never fails.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FaultPlan {
    /// Of appends.
    pub append: Odds,
    /// Of other changes.
    pub write: Odds,
    /// Of reads.
    pub read: Odds,
    /// Longest delay, also of a late append; each is drawn evenly from zero up.
    pub delay_max: Duration,
}

impl FaultPlan {
    /// The same odds for everything.
    #[must_use]
    pub const fn uniform(odds: Odds, delay_max: Duration) -> Self {
        Self {
            append: odds,
            write: odds,
            read: odds,
            delay_max,
        }
    }

    pub(super) const fn odds(&self, class: Class) -> &Odds {
        match class {
            Class::Append => &self.append,
            Class::Write => &self.write,
            Class::Read => &self.read,
        }
    }
}
