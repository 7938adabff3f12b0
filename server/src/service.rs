//! Use cases: one file per family. They own all branching, talk to traits, and know neither tonic nor a backend.

pub mod accounts;
pub mod catalog;
mod claims;
pub mod context;
pub mod delete_account;
pub mod drop_embeds;
pub mod drop_items;
pub mod drop_lists;
mod drop_rows;
pub mod drop_update;
pub mod drop_watch;
pub mod drops;
pub mod ended_accounts;
pub mod error;
pub mod follow_buckets;
pub mod follow_lists;
pub mod follower_counts;
pub mod follows;
pub mod images;
pub mod ledger_records;
pub mod operator;
pub mod order_lists;
pub mod order_payments;
pub mod order_watch;
pub mod orders;
pub mod product_lists;
pub mod product_update;
pub mod profile;
mod refusals;
pub mod requests;
pub mod search;
pub mod sessions;
#[cfg(test)]
pub(crate) mod testing;
pub mod violations;
pub mod webhooks;

pub use context::Context;
pub use drop_embeds::DropEmbeds;
pub use drop_watch::{DropWatch, DropWatches};
pub use error::{Error, Violation};
pub use follow_buckets::BucketRule;
pub use follower_counts::FollowerCounts;
pub use operator::Operator;
pub use order_watch::OrderWatch;
pub use violations::Violations;

/// Short for what every use case returns.
pub type Result<T> = std::result::Result<T, Error>;
