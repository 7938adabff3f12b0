//! The client: a session on a connection.

use std::{fmt, sync::Arc};

use livedrop_proto::v1;
use tokio::time::timeout_at;
use tonic::{Code, transport::Channel};

use crate::{
    call::{Access, Call},
    connection::Connection,
    error::Error,
    session::{Session, TokenChanges},
};

mod account;
mod auth;
mod builder;
mod buy;
mod catalog;
mod drop_lists;
mod drop_watch;
mod drops;
mod follows;
mod order_lists;
mod order_watch;
mod orders;
mod pages;
mod resuming;
mod search;
mod watch_stream;

pub use builder::Builder;
pub use drop_watch::{DropNews, DropWatch};
pub use order_watch::OrderWatch;
pub use pages::{Items, Pages};

/// A user's view of one server. Cheap to clone; clones share connection and tokens.
#[derive(Clone)]
pub struct Client {
    connection: Arc<Connection>,
    session: Arc<Session>,
}

impl Client {
    /// Starts a client of the server at `endpoint`, such as `https://api.example.com` or `http://127.0.0.1:7400`.
    pub fn builder(endpoint: impl Into<String>) -> Builder {
        Builder::new(endpoint.into())
    }

    /// A client on the same connection where nobody is signed in. Retry budget and connection are shared, tokens are not.
    #[must_use]
    pub fn new_session(&self) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
            session: Session::new(None),
        }
    }

    /// A client on the same connection with tokens that the app kept.
    #[must_use]
    pub fn with_tokens(&self, tokens: v1::Tokens) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
            session: Session::new(Some(tokens)),
        }
    }

    /// The present tokens; `None` if nobody is signed in. They are secrets.
    #[must_use]
    pub fn tokens(&self) -> Option<v1::Tokens> {
        self.session.tokens()
    }

    /// Replaces the tokens of this client and its clones; `None` forgets them without telling the server.
    pub fn set_tokens(&self, tokens: Option<v1::Tokens>) {
        self.session.set(tokens, false);
    }

    /// Tells each later change of the tokens.
    #[must_use]
    pub fn token_changes(&self) -> TokenChanges {
        self.session.changes()
    }

    /// The connection, for the generated clients in [`v1`]. Calls made by hand have no retries; [`Self::authorize`] signs them.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.connection.channel.clone()
    }

    /// Puts the user's access token, refreshed if it has ended, on a request made by hand. Without a user it stays as it is.
    pub async fn authorize<T>(&self, request: &mut tonic::Request<T>) {
        let credential = self.session.credential(&self.connection).await;
        if let Some(bearer) = credential.and_then(|it| it.bearer.clone()) {
            request.metadata_mut().insert("authorization", bearer);
        }
    }

    /// The generated client of the auth service.
    #[must_use]
    pub fn raw_auth(&self) -> v1::auth_service_client::AuthServiceClient<Channel> {
        v1::auth_service_client::AuthServiceClient::new(self.channel())
    }

    /// The generated client of the account service.
    #[must_use]
    pub fn raw_accounts(&self) -> v1::account_service_client::AccountServiceClient<Channel> {
        v1::account_service_client::AccountServiceClient::new(self.channel())
    }

    /// The generated client of the catalog service.
    #[must_use]
    pub fn raw_catalog(&self) -> v1::catalog_service_client::CatalogServiceClient<Channel> {
        v1::catalog_service_client::CatalogServiceClient::new(self.channel())
    }

    /// The generated client of the drop service.
    #[must_use]
    pub fn raw_drops(&self) -> v1::drop_service_client::DropServiceClient<Channel> {
        v1::drop_service_client::DropServiceClient::new(self.channel())
    }

    /// The generated client of the follow service.
    #[must_use]
    pub fn raw_follows(&self) -> v1::follow_service_client::FollowServiceClient<Channel> {
        v1::follow_service_client::FollowServiceClient::new(self.channel())
    }

    /// The generated client of the order service.
    #[must_use]
    pub fn raw_orders(&self) -> v1::order_service_client::OrderServiceClient<Channel> {
        v1::order_service_client::OrderServiceClient::new(self.channel())
    }

    /// Makes a call in the user's name, with one forced exchange of tokens if the server refuses them.
    async fn call<C: Call>(&self, request: C) -> Result<C::Response, Error> {
        let connection = &self.connection;
        let mut sending = connection.start(request, connection.operation_timeout);
        let deadline = sending.deadline;
        let in_time = timeout_at(deadline, self.credential_for(C::ACCESS)).await;
        let Ok(credential) = in_time else {
            return Err(sending.fail(not_refreshed()));
        };
        let bearer = credential.as_ref().and_then(|it| it.bearer.as_ref());
        let error = match connection.send(&mut sending, bearer).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let Some(stale) = credential.filter(|_| error.code() == Code::Unauthenticated) else {
            return Err(error);
        };
        let exchange = timeout_at(deadline, self.session.exchange(connection, &stale)).await;
        match exchange.unwrap_or_else(|_| Err(not_refreshed())) {
            Ok(()) => {}
            // Anyone may make this call, so it needs no session.
            Err(_) if C::ACCESS == Access::Public => {}
            // The server's own words about this call say more.
            Err(why) if why.code() == Code::Unauthenticated => return Err(error),
            Err(why) => return Err(sending.fail(why)),
        }
        let fresh = self.session.current().filter(|it| !Arc::ptr_eq(it, &stale));
        let bearer = fresh.as_ref().and_then(|it| it.bearer.as_ref());
        connection.send(&mut sending, bearer).await
    }

    async fn credential_for(&self, access: Access) -> Option<Arc<crate::session::Credential>> {
        match access {
            Access::Anonymous => None,
            Access::Public | Access::SignedIn => self.session.credential(&self.connection).await,
        }
    }
}

fn not_refreshed() -> Error {
    Error::local(Code::Unavailable, "tokens could not be refreshed in time")
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.connection.endpoint)
            .field("signed_in", &self.session.current().is_some())
            .finish_non_exhaustive()
    }
}
