//! Everything between the socket and the services: connections, layers, policy, statuses. Nothing else knows tonic.
//!
//! The way of a call: [`serve`] accepts its connection, `layers` let it pass, a tonic service of this module checks, converts, calls its
//! use case and answers; [`status`] turns errors into what the client sees.

pub mod account_service;
pub mod auth_service;
pub mod call;
pub mod catalog_service;
pub mod drop_service;
pub mod follow_service;
pub mod health;
pub mod limits;
pub mod link;
pub mod order_service;
pub mod origins;
pub mod policy;
pub mod serve;
pub mod status;

mod account_answer;
mod account_request;
mod catalog_answer;
mod catalog_request;
mod drop_answer;
mod drop_embeds;
mod drop_list_request;
mod drop_request;
mod drop_stream;
mod drop_update_request;
mod field_mask;
mod fields;
mod follow_answer;
mod follow_request;
mod layers;
mod ledger_answer;
mod metrics;
mod order_answer;
mod order_request;
mod order_stream;
mod page_token;
mod product_page;
mod reflection;
mod resume_token;
mod seal;
mod search_request;
mod services;
mod stream;

use std::sync::Arc;

use tonic::service::{Routes, RoutesBuilder};

use self::layers::{authenticate::Verify, flood::Flood, front::Front, front::SharedFront};
pub use self::{
    call::{caller, network, time_left},
    health::Readiness,
    layers::authenticate::VerifyFn,
    limits::{Limits, Rate},
    origins::Origins,
    serve::Server,
    services::services,
    status::to_status,
};

/// The largest request message, in bytes: 100 items with their texts fit four times.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// The largest answer, in bytes: a page of ledger records.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Sets the message limits of a generated server: `sized!(OrderServiceServer::new(service))`. Without it requests may have 4 MiB.
#[macro_export]
macro_rules! sized {
    ($server:expr) => {
        $server
            .max_decoding_message_size($crate::rpc::REQUEST_BYTES_MAX)
            .max_encoding_message_size($crate::rpc::REPLY_BYTES_MAX)
    };
}

/// What the public port needs besides its services.
#[derive(Clone)]
pub struct Setup {
    /// All bounds.
    pub limits: Limits,
    /// Checks access tokens.
    pub verify: Arc<VerifyFn>,
    /// Whether calls may come.
    pub readiness: Readiness,
    /// The public keys, served as they are.
    pub jwks: serde_json::Value,
    /// More plain HTTP routes for the public port.
    pub web: axum::Router,
    /// Whose pages may call. The server's own origin needs no entry.
    pub allowed_origins: Origins,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The public port can't be put together. All of these are mistakes in code or configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The policy table and the contract disagree.
    #[error("policy does not fit the contract")]
    Policy(#[from] policy::Mismatch),
    /// A descriptor set can't be read.
    #[error("reflection can't read the contract")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A rate with a zero.
    #[error("a rate's burst and period must be above zero")]
    Rate,
}

/// The public port's services and layers, ready to be served by [`Server::serve`].
#[derive(Clone)]
pub struct App {
    front: SharedFront,
    flood: Flood,
    limits: Limits,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Puts layers around `services` and adds health, reflection and plain HTTP. Install the metrics first. Needs a tokio runtime.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub async fn new(services: Routes, setup: Setup) -> Result<Self, SetupError> {
        policy::check(livedrop_proto::FILE_DESCRIPTOR_SET)?;
        let (health, follow) = health::service(&setup.readiness).await;
        let mut routes = RoutesBuilder::from(services);
        routes.add_service(sized!(health));
        reflection::add_to(&mut routes)?;
        let flood = Flood::new(&setup.limits).ok_or(SetupError::Rate)?;
        let grpc = layers::stack(
            routes.routes().prepare(),
            &setup.limits,
            &flood,
            Verify(setup.verify),
        );
        let web = crate::web::router(setup.readiness, &setup.jwks).merge(setup.web);
        let front = Front::new(grpc, web, setup.allowed_origins, setup.limits.deadline_max);
        // Ends when the last handle on the readiness is gone.
        tokio::spawn(follow);
        Ok(Self {
            front: Arc::new(front),
            flood,
            limits: setup.limits,
        })
    }
}

#[cfg(test)]
mod tests;
