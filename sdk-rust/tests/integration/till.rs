//! A server that sells one unit at a time, remembers request ids as the real one does, and can be made to fall silent at any point.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use livedrop::v1::{self, OrderState, watch_order_response::Frame};
use livedrop_proto::v1::order_service_server::{OrderService, OrderServiceServer};
use tokio::{net::TcpListener, sync::Notify};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt};

/// What a payment method does.
pub(crate) const OK: &str = "ok";
pub(crate) const DECLINED: &str = "declined";
/// Is pending, and captures as soon as somebody looks.
pub(crate) const SLOW: &str = "slow";
/// Waits for [`Till::approve`].
pub(crate) const CONFIRM: &str = "confirm";

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) orders: Vec<v1::Order>,
    /// What request ids stand for; `None` is void.
    placed: HashMap<String, Option<usize>>,
    paid: HashMap<String, Option<usize>>,
    pub(crate) captures: usize,
    pub(crate) is_sold_out: bool,
    pub(crate) lets_no_streams_through: bool,
    /// An earlier payment comes through just before the next is asked for.
    pub(crate) captures_late: bool,
    /// Payments that come too soon.
    pub(crate) too_soon: usize,
    /// (request id, retry count) of each call that places or pays, as it came.
    pub(crate) seen: Vec<(String, i32)>,
    points: usize,
    silent_at: Option<usize>,
}

/// The server's side of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Till {
    books: Arc<Mutex<Books>>,
    silent: Arc<Notify>,
    watched: Arc<Notify>,
    approved: Arc<Notify>,
}

impl Till {
    pub(crate) async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = OrderServiceServer::new(self.clone());
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Falls silent once, at this point: each call has one before it does anything, and one before it answers.
    pub(crate) fn fall_silent_at(&self, point: usize) {
        let mut books = self.books();
        books.silent_at = Some(books.points + point);
    }

    pub(crate) fn stay_awake(&self) {
        self.books().silent_at = None;
    }

    pub(crate) async fn has_fallen_silent(&self) {
        self.silent.notified().await;
    }

    /// Somebody follows an order.
    pub(crate) async fn has_watcher(&self) {
        self.watched.notified().await;
    }

    /// The buyer confirms the payment.
    pub(crate) fn approve(&self) {
        let mut books = self.books();
        let Books {
            orders, captures, ..
        } = &mut *books;
        for order in orders {
            if order.state() == OrderState::ActionRequired {
                order.set_state(OrderState::Paid);
                order.seq += 1;
                *captures += 1;
            }
        }
        self.approved.notify_waiters();
    }

    async fn point(&self) {
        let is_silent = {
            let mut books = self.books();
            books.points += 1;
            books.silent_at == Some(books.points - 1)
        };
        if is_silent {
            self.silent.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

fn refusal(reason: &str, facts: &[(&str, &str)]) -> Status {
    let facts = facts
        .iter()
        .copied()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let facts: HashMap<String, String> = facts.collect();
    let details = ErrorDetails::with_error_info(reason, "livedrop.dev", facts);
    Status::with_error_details(Code::FailedPrecondition, "a refusal", details)
}

impl Books {
    pub(crate) fn place(&mut self, request: v1::PlaceOrderRequest) -> Result<v1::Order, Status> {
        self.seen
            .push((request.request_id.clone(), request.retry_count));
        match self.placed.get(&request.request_id) {
            Some(Some(order)) => return Ok(self.orders[*order].clone()),
            Some(None) => return Err(refusal("REQUEST_ID_VOID", &[])),
            None => {}
        }
        if self.is_sold_out {
            if request.retry_count > 0 {
                self.placed.insert(request.request_id, None);
            }
            return Err(refusal("SOLD_OUT", &[]));
        }
        let place = self.orders.len();
        self.placed.insert(request.request_id, Some(place));
        self.orders.push(v1::Order {
            order_id: place.to_string(),
            drop_id: request.drop_id,
            state: OrderState::Held.into(),
            seq: 1,
            ..Default::default()
        });
        if !request.payment_method.is_empty() {
            self.begin(place, &request.payment_method);
        }
        Ok(self.orders[place].clone())
    }

    fn pay(&mut self, request: v1::PayOrderRequest) -> Result<v1::Order, Status> {
        self.seen
            .push((request.request_id.clone(), request.retry_count));
        match self.paid.get(&request.request_id) {
            Some(Some(order)) => return Ok(self.orders[*order].clone()),
            Some(None) => return Err(refusal("REQUEST_ID_VOID", &[])),
            None => {}
        }
        let place: usize = request.order_id.parse().unwrap();
        if self.captures_late {
            let order = &mut self.orders[place];
            order.set_state(OrderState::Paid);
            order.payment_error = None;
            self.captures += 1;
        }
        let refused = if self.orders[place].state() != OrderState::Held {
            Some(refusal("ORDER_STATE", &[]))
        } else if self.too_soon > 0 {
            self.too_soon -= 1;
            let retry_at = ("retryAt", "2026-01-01T00:00:00Z");
            Some(refusal("TOO_MANY_ATTEMPTS", &[retry_at]))
        } else {
            None
        };
        if let Some(refused) = refused {
            if request.retry_count > 0 {
                self.paid.insert(request.request_id, None);
            }
            return Err(refused);
        }
        self.paid.insert(request.request_id, Some(place));
        self.begin(place, &request.payment_method);
        Ok(self.orders[place].clone())
    }

    fn begin(&mut self, place: usize, method: &str) {
        let order = &mut self.orders[place];
        (order.attempts, order.seq, order.payment_error) =
            (order.attempts + 1, order.seq + 1, None);
        match method {
            OK => {
                order.set_state(OrderState::Paid);
                self.captures += 1;
            }
            SLOW => order.set_state(OrderState::PaymentPending),
            CONFIRM => {
                order.set_state(OrderState::ActionRequired);
                order.action_url = "http://127.0.0.1/confirm".into();
            }
            _ => order.payment_error = Some(v1::PaymentError::default()),
        }
    }

    /// The order, and what it becomes when somebody looks.
    fn look(&mut self, order_id: &str) -> (v1::Order, v1::Order) {
        let order = &mut self.orders[order_id.parse::<usize>().unwrap()];
        let before = order.clone();
        if order.state() == OrderState::PaymentPending {
            order.set_state(OrderState::Paid);
            order.seq += 1;
            self.captures += 1;
        }
        (before, order.clone())
    }
}

fn told(frame: Frame) -> Result<v1::WatchOrderResponse, Status> {
    Ok(v1::WatchOrderResponse {
        resume_token: "token".into(),
        server_time: None,
        frame: Some(frame),
    })
}

fn change(order: v1::Order) -> Result<v1::WatchOrderResponse, Status> {
    told(Frame::Change(v1::OrderChange {
        event_id: order.seq.to_string(),
        order: Some(order),
    }))
}

#[tonic::async_trait]
impl OrderService for Till {
    async fn place_order(
        &self,
        request: Request<v1::PlaceOrderRequest>,
    ) -> Result<Response<v1::PlaceOrderResponse>, Status> {
        self.point().await;
        let answer = self.books().place(request.into_inner());
        self.point().await;
        Ok(Response::new(v1::PlaceOrderResponse {
            order: Some(answer?),
            ..Default::default()
        }))
    }

    async fn pay_order(
        &self,
        request: Request<v1::PayOrderRequest>,
    ) -> Result<Response<v1::PayOrderResponse>, Status> {
        self.point().await;
        let answer = self.books().pay(request.into_inner());
        self.point().await;
        let order = Some(answer?);
        Ok(Response::new(v1::PayOrderResponse { order }))
    }

    async fn get_order(
        &self,
        request: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        self.point().await;
        let (_, order) = self.books().look(&request.into_inner().order_id);
        self.point().await;
        let order = Some(order);
        Ok(Response::new(v1::GetOrderResponse { order }))
    }

    type WatchOrderStream = stream::BoxStream<'static, Result<v1::WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        request: Request<v1::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        self.point().await;
        let order_id = request.into_inner().order_id;
        if self.books().lets_no_streams_through {
            return Err(Status::unimplemented("a proxy that knows no streams"));
        }
        let mut approved = Box::pin(self.approved.clone().notified_owned());
        approved.as_mut().enable();
        self.watched.notify_one();
        let (before, after) = self.books().look(&order_id);
        self.point().await;
        let snapshot = v1::OrderSnapshot {
            order: Some(before.clone()),
            heartbeat_interval: Some(Duration::from_secs(15).try_into().unwrap()),
        };
        let mut frames = vec![told(Frame::Snapshot(snapshot))];
        if after != before {
            frames.push(change(after));
        }
        let till = self.clone();
        let confirmed = stream::once(async move {
            approved.await;
            change(till.books().look(&order_id).1)
        });
        let frames = stream::iter(frames).chain(confirmed);
        Ok(Response::new(frames.chain(stream::pending()).boxed()))
    }

    async fn refund_order(
        &self,
        _: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        Err(Status::unimplemented("no part of buying"))
    }

    async fn cancel_order(
        &self,
        _: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        Err(Status::unimplemented("no part of buying"))
    }

    async fn get_receipt(
        &self,
        _: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        Err(Status::unimplemented("no part of buying"))
    }

    async fn list_orders(
        &self,
        _: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        Err(Status::unimplemented("no part of buying"))
    }

    async fn list_drop_orders(
        &self,
        _: Request<v1::ListDropOrdersRequest>,
    ) -> Result<Response<v1::ListDropOrdersResponse>, Status> {
        Err(Status::unimplemented("no part of buying"))
    }
}
