//! A server that gives scripted answers and remembers what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use livedrop::{Client, RetryPolicy, v1};
use livedrop_proto::v1::{
    auth_service_server::{AuthService, AuthServiceServer},
    order_service_server::{OrderService, OrderServiceServer},
};
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::Instant,
};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt};

/// One call as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) request_id: String,
    pub(crate) retry_count: i32,
    pub(crate) authorization: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) at: Instant,
}

/// What a stream tells, and whether it ends then.
pub(crate) type Stream = (Vec<Result<v1::WatchOrderResponse, Status>>, End);

/// How a scripted stream goes on after its last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It ends with OK.
    Closed,
    /// It stays silent.
    Silent,
}

#[derive(Debug, Default)]
struct Script {
    orders: VecDeque<Status>,
    streams: VecDeque<Stream>,
    watched: Vec<(String, Option<String>)>,
    pages: VecDeque<(Vec<v1::Order>, String)>,
    page_tokens: Vec<String>,
    paid: Vec<(String, i32)>,
    refreshes: VecDeque<Status>,
    placed: Vec<Seen>,
    refreshed: Vec<String>,
    /// Access tokens that are good; empty = any.
    good: Option<String>,
    tokens_made: u32,
    life: Duration,
}

/// The server's side of a test. Calls beyond the script succeed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted(Arc<Mutex<Script>>, Arc<Notify>);

impl Scripted {
    pub(crate) fn refuse_orders(&self, answers: impl IntoIterator<Item = Status>) {
        self.0.lock().unwrap().orders.extend(answers);
    }

    /// The next streams of `WatchOrder`; one beyond them is refused.
    pub(crate) fn tell(&self, streams: impl IntoIterator<Item = Stream>) {
        self.0.lock().unwrap().streams.extend(streams);
    }

    /// Resume token and `authorization` of each `WatchOrder`.
    pub(crate) fn watched(&self) -> Vec<(String, Option<String>)> {
        self.0.lock().unwrap().watched.clone()
    }

    /// The next pages of orders, each with the token of the one after.
    pub(crate) fn list(&self, pages: impl IntoIterator<Item = (Vec<v1::Order>, String)>) {
        self.0.lock().unwrap().pages.extend(pages);
    }

    /// The page tokens that came.
    pub(crate) fn page_tokens(&self) -> Vec<String> {
        self.0.lock().unwrap().page_tokens.clone()
    }

    /// Request id and retry count of each `PayOrder`.
    pub(crate) fn paid(&self) -> Vec<(String, i32)> {
        self.0.lock().unwrap().paid.clone()
    }

    pub(crate) fn refuse_refreshes(&self, answers: impl IntoIterator<Item = Status>) {
        self.0.lock().unwrap().refreshes.extend(answers);
    }

    /// From now on only the newest access token is good, and it lives this long.
    pub(crate) fn demand_tokens(&self, life: Duration) {
        let mut script = self.0.lock().unwrap();
        script.good = Some("none yet".into());
        script.life = life;
    }

    pub(crate) fn placed(&self) -> Vec<Seen> {
        self.0.lock().unwrap().placed.clone()
    }

    pub(crate) fn refreshed(&self) -> Vec<String> {
        self.0.lock().unwrap().refreshed.clone()
    }

    /// Waits for a `GetOrder`, which is never answered.
    pub(crate) async fn arrived(&self) {
        self.1.notified().await;
    }

    /// Serves at the address until the handle is stopped.
    pub(crate) async fn serve(&self, address: SocketAddr) -> Running {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = Server::builder()
            .add_service(AuthServiceServer::new(self.clone()))
            .add_service(OrderServiceServer::new(self.clone()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
                // Without its handle the server runs as long as the test.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            });
        let task = tokio::spawn(async move { server.await.unwrap() });
        Running {
            address,
            stop,
            task,
        }
    }

    pub(crate) async fn start(&self) -> Running {
        self.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }

    /// A client that waits little between attempts.
    pub(crate) fn client(&self, policy: RetryPolicy) -> Client {
        let brief = Duration::from_millis(5);
        let policy = policy.delays(brief, brief);
        let builder = Client::builder(format!("http://{}", self.address));
        builder.retry(policy).build().unwrap()
    }
}

/// An error as the real server builds it.
pub(crate) fn refusal(code: Code, reason: &str, delay: Option<Duration>) -> Status {
    let facts = [("dropId".to_owned(), "d1".to_owned())];
    let mut details = ErrorDetails::with_error_info(reason, "livedrop.dev", facts);
    if let Some(delay) = delay {
        details.set_retry_info(Some(delay));
    }
    let mut status = Status::with_error_details(code, "a refusal", details);
    let correlation_id = "c0ffee".parse().unwrap();
    status
        .metadata_mut()
        .insert("x-correlation-id", correlation_id);
    status
}

pub(crate) fn unavailable() -> Status {
    refusal(Code::Unavailable, "UNAVAILABLE", None)
}

/// What the tests buy.
pub(crate) fn wish() -> v1::PlaceOrderRequest {
    v1::PlaceOrderRequest {
        drop_id: "d1".into(),
        ..Default::default()
    }
}

impl Scripted {
    fn page(&self, page_token: String) -> Result<(Vec<v1::Order>, String), Status> {
        let mut script = self.0.lock().unwrap();
        script.page_tokens.push(page_token);
        if let Some(status) = script.orders.pop_front() {
            return Err(status);
        }
        Ok(script.pages.pop_front().unwrap_or_default())
    }
}

impl Script {
    fn tokens(&mut self) -> v1::Tokens {
        self.tokens_made += 1;
        let access_token = format!("access-{}", self.tokens_made);
        if self.good.is_some() {
            self.good = Some(access_token.clone());
        }
        v1::Tokens {
            access_token,
            refresh_token: format!("refresh-{}", self.tokens_made),
            access_token_expires_at: Some((SystemTime::now() + self.life).into()),
            refresh_token_expires_at: None,
        }
    }
}

fn header<T>(request: &Request<T>, name: &str) -> Option<String> {
    let value = request.metadata().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

#[tonic::async_trait]
impl OrderService for Scripted {
    async fn place_order(
        &self,
        request: Request<v1::PlaceOrderRequest>,
    ) -> Result<Response<v1::PlaceOrderResponse>, Status> {
        let mut script = self.0.lock().unwrap();
        let authorization = header(&request, "authorization");
        let bearer = script.good.as_ref().map(|good| format!("Bearer {good}"));
        script.placed.push(Seen {
            request_id: request.get_ref().request_id.clone(),
            retry_count: request.get_ref().retry_count,
            authorization: authorization.clone(),
            timeout: header(&request, "grpc-timeout"),
            at: Instant::now(),
        });
        if bearer.is_some() && bearer != authorization {
            return Err(refusal(Code::Unauthenticated, "UNAUTHENTICATED", None));
        }
        match script.orders.pop_front() {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::PlaceOrderResponse::default())),
        }
    }

    async fn pay_order(
        &self,
        request: Request<v1::PayOrderRequest>,
    ) -> Result<Response<v1::PayOrderResponse>, Status> {
        let mut script = self.0.lock().unwrap();
        let request = request.into_inner();
        script.paid.push((request.request_id, request.retry_count));
        match script.orders.pop_front() {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::PayOrderResponse::default())),
        }
    }

    async fn refund_order(
        &self,
        _: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn list_orders(
        &self,
        request: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        let (orders, next_page_token) = self.page(request.into_inner().page_token)?;
        Ok(Response::new(v1::ListOrdersResponse {
            orders,
            next_page_token,
        }))
    }

    async fn list_drop_orders(
        &self,
        request: Request<v1::ListDropOrdersRequest>,
    ) -> Result<Response<v1::ListDropOrdersResponse>, Status> {
        let (orders, next_page_token) = self.page(request.into_inner().page_token)?;
        Ok(Response::new(v1::ListDropOrdersResponse {
            orders,
            next_page_token,
        }))
    }

    type WatchOrderStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::WatchOrderResponse, Status>> + Send>>;

    async fn watch_order(
        &self,
        request: Request<v1::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let mut script = self.0.lock().unwrap();
        let authorization = header(&request, "authorization");
        let resume_token = request.into_inner().resume_token;
        let bearer = script.good.as_ref().map(|good| format!("Bearer {good}"));
        let is_good = bearer.is_none() || bearer == authorization;
        script.watched.push((resume_token, authorization));
        if !is_good {
            return Err(refusal(Code::Unauthenticated, "UNAUTHENTICATED", None));
        }
        let Some((frames, end)) = script.streams.pop_front() else {
            return Err(refusal(Code::NotFound, "ORDER_NOT_FOUND", None));
        };
        let frames = tokio_stream::iter(frames);
        Ok(Response::new(match end {
            End::Closed => Box::pin(frames),
            End::Silent => Box::pin(frames.chain(tokio_stream::pending())),
        }))
    }

    async fn cancel_order(
        &self,
        _: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn get_order(
        &self,
        _: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        self.1.notify_one();
        // Longer than any test's timeout.
        std::future::pending().await
    }

    async fn get_receipt(
        &self,
        _: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }
}

#[tonic::async_trait]
impl AuthService for Scripted {
    async fn sign_up(
        &self,
        _: Request<v1::SignUpRequest>,
    ) -> Result<Response<v1::SignUpResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn sign_in(
        &self,
        _: Request<v1::SignInRequest>,
    ) -> Result<Response<v1::SignInResponse>, Status> {
        let tokens = Some(self.0.lock().unwrap().tokens());
        let answer = v1::SignInResponse {
            account: None,
            tokens,
        };
        Ok(Response::new(answer))
    }

    async fn refresh_token(
        &self,
        request: Request<v1::RefreshTokenRequest>,
    ) -> Result<Response<v1::RefreshTokenResponse>, Status> {
        let mut script = self.0.lock().unwrap();
        script.refreshed.push(request.into_inner().refresh_token);
        if let Some(status) = script.refreshes.pop_front() {
            return Err(status);
        }
        let tokens = Some(script.tokens());
        Ok(Response::new(v1::RefreshTokenResponse { tokens }))
    }

    async fn sign_out(
        &self,
        _: Request<v1::SignOutRequest>,
    ) -> Result<Response<v1::SignOutResponse>, Status> {
        Ok(Response::new(v1::SignOutResponse {}))
    }
}
