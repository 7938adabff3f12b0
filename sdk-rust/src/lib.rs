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
//! # A tour
//! Connect, and sign in. The connection is made by the first call, and made again whenever it is gone. `https` trusts the web's
//! authorities unless [`Builder::tls`] says otherwise.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use livedrop::{Client, RetryPolicy, v1};
//!
//! # async fn tour() -> Result<(), livedrop::Error> {
//! let client = Client::builder("https://api.example.com")
//!     .user_agent("shop/1.2")
//!     .attempt_timeout(Duration::from_secs(5))
//!     .retry(RetryPolicy::default().attempts(4))
//!     .build()?;
//! let (email, password) = ("ann@example.com".into(), "correct horse".into());
//! client.sign_in(v1::SignInRequest { email, password }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each call of the contract is a method that takes the contract's request and gives its response.
//!
//! ```no_run
//! # use livedrop::{Client, v1};
//! # async fn tour(client: Client, creator_id: String) -> Result<(), livedrop::Error> {
//! client.follow(v1::FollowRequest { creator_id }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! **Buy.** A [`Purchase`] has the request ids that make it harmless to repeat. Keep it until it is over: who reads it after a crash and buys
//! again has one order, paid once.
//!
//! ```no_run
//! use livedrop::{Client, Purchase, v1::{self, ErrorReason, OrderState}};
//!
//! # async fn tour(client: Client, drop_id: String, item_id: String) -> Result<(), Box<dyn std::error::Error>> {
//! let line = v1::PlaceOrderLine { item_id, quantity: 1 };
//! let mut purchase = Purchase::new(drop_id, [line]).paying_with("pm_test_ok");
//! // keep(serde_json::to_string(&purchase)?);
//!
//! match client.buy(&mut purchase).await {
//!     Ok(order) if order.state() == OrderState::Paid => println!("yours: {}", order.order_id),
//!     Ok(order) if order.state() == OrderState::Held => {
//!         println!("not paid: {:?}", order.payment_error);
//!         purchase.pay_with("another_card"); // and buy again, while the hold lasts
//!     }
//!     Ok(order) => println!("{:?}; confirm the payment at: {}", order.state(), order.action_url),
//!     Err(error) if error.reason() == Some(ErrorReason::SoldOut) => println!("too late"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Prove it.** A receipt is checked against nothing but itself, and found again in the drop's public ledger, which [`ledger::Verifier`]
//! recounts.
//!
//! ```no_run
//! # use livedrop::{Client, receipt, v1};
//! # async fn tour(client: Client, order: v1::Order) -> Result<(), Box<dyn std::error::Error>> {
//! let v1::Order { drop_id, order_id, .. } = order;
//! let answer = client.get_receipt(v1::GetReceiptRequest { drop_id, order_id }).await?;
//! let proof = receipt::verify(&answer.receipt.unwrap_or_default())?;
//! println!("order {} is in record {} of the ledger", proof.order_id, proof.seq);
//! # Ok(())
//! # }
//! ```
//!
//! **Watch.** A watch outlives its streams: it goes on after broken connections, restarts of the server and the end of an access token,
//! without a gap. [`OrderWatch`] follows an order, [`DropWatch`] a drop with its stock. `into_stream` makes a `Stream` of either.
//!
//! ```no_run
//! # use livedrop::Client;
//! # async fn tour(client: Client, drop_id: String) -> Result<(), livedrop::Error> {
//! let mut watch = client.watch_drop(drop_id);
//! loop {
//!     let news = watch.next().await?;
//!     println!("{:?}, sold out: {}", news.drop.state(), news.drop.sold_out);
//! }
//! # }
//! ```
//!
//! **Read lists.** [`Items`] come one by one, [`Pages`] page by page, fetched when they are asked for; both are `Stream`s. The calls that
//! give a single page are there too, such as [`Client::list_orders`].
//!
//! ```no_run
//! # use livedrop::Client;
//! # async fn tour(client: Client) -> Result<(), livedrop::Error> {
//! let mut orders = client.orders();
//! while let Some(order) = orders.next().await? {
//!     println!("{}: {:?}", order.order_id, order.state());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Whole programs are in `examples/`: `buyer`, `creator`, `watcher` and `back_office`.
//!
//! # Errors
//! Every call fails with the one [`Error`]. [`Error::reason`] is for programs, and [`v1::ErrorReason`] tells what each means and which
//! [`Error::metadata`] comes with it; [`Error::correlation_id`] is for support.
//!
//! | what | repeated by the client |
//! |---|---|
//! | `UNAVAILABLE`, `DEADLINE_EXCEEDED`, a broken connection | yes, after a random delay, or the one that the server asks for |
//! | `RESOURCE_EXHAUSTED` with a delay, as `RATE_LIMITED` | yes, after that delay |
//! | `UNAUTHENTICATED` | once, after an exchange of tokens |
//! | anything else | no |
//!
//! [`RetryPolicy`] bounds the attempts of a call and, by a budget, the repeats of all calls together. Three timeouts bound the time: to
//! connect, for an attempt, and for the call with everything.
//!
//! # Request ids
//! Calls that must not happen twice carry a `request_id`. Left empty, the client fills it, once per call of a method, and keeps it
//! across its own repeats. An app that wants to go on after a crash or a lost answer sets the id itself and keeps it (for buying, a
//! [`Purchase`] does that); after an error it finds the id in [`Error::request_id`]. [`Error::may_have_taken_effect`] tells whether to
//! repeat with the same id. After a definite refusal the next try takes a new one.
//!
//! # Without a server
//! [`receipt`] checks a purchase's proof and [`ledger`] a drop's whole ledger. With `default-features = false` the crate has
//! these two and the contract's types in [`v1`], and brings no network code.
//!
//! # Beyond this crate
//! `Client::raw_orders` and its like give the generated clients on the same connection; [`Client::authorize`] signs a request made by
//! hand. Requests and statuses are those of the re-exported [`tonic`].

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
mod purchase;
#[cfg(feature = "client")]
mod retry;
#[cfg(feature = "client")]
mod session;

#[cfg(feature = "client")]
pub use {
    client::{Builder, Client, DropNews, DropWatch, Items, OrderWatch, Pages},
    error::{Error, Violation},
    purchase::Purchase,
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
