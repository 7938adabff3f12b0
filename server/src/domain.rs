//! Pure types and rules: ids, time, money, reasons. No I/O, no tonic, no CQL, nothing of ours from outside this module.

pub mod account;
pub mod drop;
pub mod id;
pub mod image;
pub mod money;
pub mod order;
pub mod payment;
pub mod product;
pub mod reason;
pub mod text;
pub mod time;

pub use id::{
    AccountId, DropId, ImageId, ItemId, OrderId, ProcessId, ProductId, RequestId, VariantId,
};
pub use money::{Currency, Money};
pub use time::Timestamp;
