//! All services of the contract, over one context.

use livedrop_proto::v1::{
    account_service_server::AccountServiceServer, auth_service_server::AuthServiceServer,
    catalog_service_server::CatalogServiceServer, drop_service_server::DropServiceServer,
    follow_service_server::FollowServiceServer, order_service_server::OrderServiceServer,
};
use tonic::service::{Routes, RoutesBuilder};

use super::{
    Limits, account_service::AccountRpc, auth_service::AuthRpc, catalog_service::CatalogRpc,
    drop_service::DropRpc, follow_service::FollowRpc, order_service::OrderRpc, stream::Streams,
};
use crate::{service::Context, sized};

/// What [`App`](super::App) serves.
#[must_use]
pub fn services(ctx: &Context, limits: &Limits) -> Routes {
    let mut routes = RoutesBuilder::default();
    let streams = Streams::new(limits);
    let ctx = || ctx.clone();
    routes.add_service(sized!(AuthServiceServer::new(AuthRpc { ctx: ctx() })));
    routes.add_service(sized!(AccountServiceServer::new(AccountRpc { ctx: ctx() })));
    routes.add_service(sized!(CatalogServiceServer::new(CatalogRpc { ctx: ctx() })));
    routes.add_service(sized!(DropServiceServer::new(DropRpc {
        ctx: ctx(),
        streams: streams.clone(),
    })));
    routes.add_service(sized!(FollowServiceServer::new(FollowRpc { ctx: ctx() })));
    routes.add_service(sized!(OrderServiceServer::new(OrderRpc::new(
        ctx(),
        streams
    ))));
    routes.routes()
}
