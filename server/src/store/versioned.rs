//! What compare-and-set has to know of a row.

use uuid::Uuid;

use super::{
    accounts::{Account, Claim, Creator},
    follows::{FollowBucket, FollowEdge},
    jobs::Job,
    sessions::Session,
};
use crate::domain::{drop::Drop, product::Product};

/// A row that is replaced as a whole, if its version is the one before.
pub(super) trait Versioned {
    /// Counts the row's changes.
    fn version(&self) -> i64;
    /// Names the change that made this version.
    fn op_id(&self) -> Uuid;
}

impl Versioned for Account {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for Claim {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.claim_id
    }
}

impl Versioned for Creator {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for Drop {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for FollowBucket {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for FollowEdge {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for Job {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for Product {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}

impl Versioned for Session {
    fn version(&self) -> i64 {
        self.version
    }

    fn op_id(&self) -> Uuid {
        self.op_id
    }
}
