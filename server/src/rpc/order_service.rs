//! `OrderService`: check, call, answer.

use livedrop_proto::v1::{self, order_service_server::OrderService};
use tonic::{Request, Response, Status};

use super::{caller, order_answer, order_request, time_left};
use crate::service::{Context, orders};

/// Serves orders.
#[derive(Debug)]
pub struct OrderRpc {
    /// What the use cases work with.
    pub ctx: Context,
}

#[tonic::async_trait]
impl OrderService for OrderRpc {
    async fn place_order(
        &self,
        request: Request<v1::PlaceOrderRequest>,
    ) -> Result<Response<v1::PlaceOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let wish = order_request::place(request.into_inner())?;
        let placed = orders::place(&self.ctx, caller.account_id, wish, left).await?;
        Ok(Response::new(order_answer::placed(&placed)))
    }

    async fn pay_order(
        &self,
        request: Request<v1::PayOrderRequest>,
    ) -> Result<Response<v1::PayOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let wish = order_request::pay(request.get_ref())?;
        let order = orders::pay(&self.ctx, caller.account_id, wish, left).await?;
        Ok(Response::new(v1::PayOrderResponse {
            order: Some(order_answer::order(&order)),
        }))
    }

    async fn refund_order(
        &self,
        request: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let wish = order_request::refund(request.into_inner())?;
        let order = orders::refund(&self.ctx, caller.account_id, wish, left).await?;
        Ok(Response::new(v1::RefundOrderResponse {
            order: Some(order_answer::order(&order)),
        }))
    }

    async fn list_orders(
        &self,
        _request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        Err(super::status::unimplemented())
    }

    async fn list_drop_orders(
        &self,
        _request: Request<v1::ListDropOrdersRequest>,
    ) -> Result<Response<v1::ListDropOrdersResponse>, Status> {
        Err(super::status::unimplemented())
    }

    type WatchOrderStream = futures::stream::Empty<Result<v1::WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        _request: Request<v1::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        Err(super::status::unimplemented())
    }

    async fn cancel_order(
        &self,
        request: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (drop_id, order_id) =
            order_request::ids(&request.get_ref().drop_id, &request.get_ref().order_id)?;
        let order = orders::cancel(&self.ctx, caller.account_id, drop_id, order_id, left).await?;
        Ok(Response::new(v1::CancelOrderResponse {
            order: Some(order_answer::order(&order)),
        }))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (drop_id, order_id, min_seq) = order_request::get(request.get_ref())?;
        let caller = caller.account_id;
        let order = orders::get(&self.ctx, caller, drop_id, order_id, min_seq, left).await?;
        Ok(Response::new(v1::GetOrderResponse {
            order: Some(order_answer::order(&order)),
        }))
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (drop_id, order_id) =
            order_request::ids(&request.get_ref().drop_id, &request.get_ref().order_id)?;
        let receipt =
            orders::receipt(&self.ctx, caller.account_id, drop_id, order_id, left).await?;
        Ok(Response::new(v1::GetReceiptResponse {
            receipt: Some(order_answer::receipt(receipt)),
        }))
    }
}
