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
        let drop_id = wish.drop_id;
        let view = orders::place(&self.ctx, caller.account_id, wish, left).await?;
        Ok(Response::new(order_answer::placed(drop_id, &view)))
    }

    async fn cancel_order(
        &self,
        request: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (drop_id, order_id) =
            order_request::ids(&request.get_ref().drop_id, &request.get_ref().order_id)?;
        let view = orders::cancel(&self.ctx, caller.account_id, drop_id, order_id, left).await?;
        Ok(Response::new(v1::CancelOrderResponse {
            order: Some(order_answer::order(drop_id, &view)),
        }))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (drop_id, order_id) = order_request::get(request.get_ref())?;
        let view = orders::get(&self.ctx, caller.account_id, drop_id, order_id, left).await?;
        Ok(Response::new(v1::GetOrderResponse {
            order: Some(order_answer::order(drop_id, &view)),
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
