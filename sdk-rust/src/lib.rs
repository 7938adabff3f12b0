//! Rust SDK of Live Drop.
//!
//! A [`Client`] speaks to one server and keeps one user signed in. It makes request ids, repeats what is safe to repeat with the same
//! id, refreshes tokens, and turns answers into typed errors. It is cheap to clone; [`Client::new_session`] gives another user on the
//! same connection.
//!
//! ```toml
//! [dependencies]
//! livedrop = { path = "PATH/TO/THE/REPOSITORY/sdk-rust" }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! ```no_run
//! use livedrop::{Client, receipt, v1};
//!
//! # async fn tour(drop_id: String, item_id: String) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("http://127.0.0.1:7400").build()?;
//! client
//!     .sign_in(v1::SignInRequest { email: "ann@example.com".into(), password: "correct horse".into() })
//!     .await?;
//!
//! let line = v1::PlaceOrderLine { item_id, quantity: 1 };
//! let wish = v1::PlaceOrderRequest {
//!     drop_id: drop_id.clone(),
//!     lines: vec![line],
//!     payment_method: "pm_test_ok".into(),
//!     ..Default::default()
//! };
//! let order = match client.place_order(wish).await {
//!     Ok(answer) => answer.order.unwrap_or_default(),
//!     Err(error) if error.reason() == Some(v1::ErrorReason::SoldOut) => return Ok(println!("too late")),
//!     Err(error) => return Err(error.into()),
//! };
//!
//! // A payment may take its time, and the buyer may have to confirm it.
//! let mut watch = client.watch_order(&drop_id, &order.order_id).until_final();
//! while let Some(order) = watch.next().await? {
//!     println!("order is {:?}; confirm the payment at: {}", order.state(), order.action_url);
//! }
//!
//! let wish = v1::GetReceiptRequest { drop_id, order_id: order.order_id };
//! let proof = receipt::verify(&client.get_receipt(wish).await?.receipt.unwrap_or_default())?;
//! println!("order {} is record {} of the ledger", proof.order_id, proof.seq);
//! # Ok(())
//! # }
//! ```
//!
//! # Request ids
//! Calls that must not happen twice carry a `request_id`. Left empty, the client fills it, once per call of a method, and keeps it
//! across its own repeats. An app that wants to go on after a crash or a lost answer sets the id itself and keeps it; after an error it
//! finds the id in [`Error::request_id`]. [`Error::may_have_taken_effect`] tells whether to repeat with the same id. After a definite
//! refusal the next try takes a new one.
//!
//! # Without a server
//! [`receipt`] checks a purchase's proof and [`ledger`] a drop's whole ledger. With `default-features = false` the crate has
//! these two and the contract's types in [`v1`], and brings no network code.
//!
//! # Beyond this crate
//! [`Client::channel`], [`Client::authorize`] and the generated clients in [`v1`] make any call by hand, with the requests and statuses of
//! the re-exported [`tonic`].

pub use livedrop_proto::v1;
pub use prost_types;
pub use uuid::Uuid;

mod hash;
pub mod ledger;
pub mod receipt;

#[cfg(feature = "client")]
mod call;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod connection;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod retry;
#[cfg(feature = "client")]
mod session;

#[cfg(feature = "client")]
pub use {
    client::{
        Builder, Client, DropNews, DropPages, DropWatch, FollowerPages, FollowingPages,
        LedgerPages, OrderPages, OrderWatch,
    },
    error::{Error, Violation},
    retry::RetryPolicy,
    session::TokenChanges,
    tonic::{
        self, Code,
        transport::{Certificate, Channel, ClientTlsConfig, Identity},
    },
};

/// The README's code is compiled with the SDK's own.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
pub struct Readme;
