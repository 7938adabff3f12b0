//! `OrderService`: check, call, answer.

use livedrop_proto::v1::{self, order_service_server::OrderService};
use tonic::{Request, Response, Status};

use super::{
    caller, order_answer, order_request, order_stream, page_token,
    stream::{Frames, Streams},
    time_left,
};
use crate::service::{Context, order_lists, order_payments, order_watch::OrderWatch, orders};

/// Serves orders.
#[derive(Debug)]
pub struct OrderRpc {
    ctx: Context,
    streams: Streams,
}

impl OrderRpc {
    pub(super) const fn new(ctx: Context, streams: Streams) -> Self {
        Self { ctx, streams }
    }
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
        let caller = caller.account_id;
        let order = order_payments::pay(&self.ctx, caller, wish, left).await?;
        Ok(Response::new(v1::PayOrderResponse {
            order: Some(order_answer::order(caller, &order)),
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (drop_id, order_id) =
            order_request::ids(&request.get_ref().drop_id, &request.get_ref().order_id)?;
        let caller = caller.account_id;
        let order = orders::cancel(&self.ctx, caller, drop_id, order_id, left).await?;
        Ok(Response::new(v1::CancelOrderResponse {
            order: Some(order_answer::order(caller, &order)),
        }))
    }

    async fn refund_order(
        &self,
        request: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let wish = order_request::refund(request.into_inner())?;
        let caller = caller.account_id;
        let order = order_payments::refund(&self.ctx, caller, wish, left).await?;
        Ok(Response::new(v1::RefundOrderResponse {
            order: Some(order_answer::order(caller, &order)),
        }))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (caller, ctx) = (caller.account_id, &self.ctx);
        let (drop_id, order_id, min_seq) = order_request::get(request.get_ref())?;
        let order = orders::get(ctx, caller, drop_id, order_id, min_seq, left).await?;
        Ok(Response::new(v1::GetOrderResponse {
            order: Some(order_answer::order(caller, &order)),
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

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let (caller, keys) = (caller(&request)?.account_id, &self.ctx.keys);
        let (after, size) = page_token::orders_page(keys, caller, request.get_ref())?;
        let page = order_lists::of_buyer(&self.ctx, caller, after, size).await?;
        Ok(Response::new(order_answer::orders(keys, caller, &page)))
    }

    async fn list_drop_orders(
        &self,
        request: Request<v1::ListDropOrdersRequest>,
    ) -> Result<Response<v1::ListDropOrdersResponse>, Status> {
        let (caller, keys) = (caller(&request)?.account_id, &self.ctx.keys);
        let asked = page_token::drop_orders_page(keys, caller, request.get_ref())?;
        let (drop_id, after) = (asked.drop_id, asked.after);
        let page = order_lists::of_drop(&self.ctx, caller, drop_id, after, asked.size).await?;
        let answer = order_answer::drop_orders(keys, caller, drop_id, &page);
        Ok(Response::new(answer))
    }

    type WatchOrderStream = Frames<v1::WatchOrderResponse>;

    async fn watch_order(
        &self,
        request: Request<v1::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let (caller, left) = (caller(&request)?.account_id, time_left(&request));
        let ctx = &self.ctx;
        let (resume, after) = order_request::watch(&ctx.keys, caller, request.get_ref())?;
        let open = self.streams.open(&request, ctx.env.now())?;
        let (drop_id, order_id) = (resume.drop_id, resume.order_id);
        let watch = OrderWatch::begin(ctx, caller, drop_id, order_id, left).await?;
        let watch = match after {
            Some(place) => watch.starting_after(place)?,
            None => watch,
        };
        let frames = order_stream::frames(ctx, open, resume, after, watch);
        Ok(Response::new(frames))
    }
}
