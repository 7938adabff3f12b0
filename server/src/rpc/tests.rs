//! A real server on a real socket, with a service that does what the request's drop id says.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use livedrop_proto::v1::{
    self, order_service_client::OrderServiceClient, order_service_server as server,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, service::Routes, transport::Channel};

use super::*;
use crate::{
    auth::Caller,
    domain::{AccountId, Timestamp},
};

mod calls;
mod connections;
mod http1;
mod logs;

const BUYER: uuid::Uuid = uuid::Uuid::from_u128(7);

/// What a test sees of its service.
#[derive(Debug, Default)]
struct Seen {
    calls: AtomicUsize,
    arrived: Notify,
    go_on: Notify,
}

#[derive(Debug)]
struct Orders(Arc<Seen>);

#[tonic::async_trait]
impl server::OrderService for Orders {
    async fn place_order(
        &self,
        request: Request<v1::PlaceOrderRequest>,
    ) -> Result<Response<v1::PlaceOrderResponse>, Status> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        self.0.arrived.notify_one();
        assert_eq!(caller(&request)?.account_id, AccountId::new(BUYER));
        assert!(time_left(&request) > Duration::ZERO);
        match request.get_ref().drop_id.as_str() {
            "panic" => panic!("the secret of ann"),
            "wait" => self.0.go_on.notified().await,
            "huge" => {
                let order = v1::Order {
                    drop_id: "x".repeat(REPLY_BYTES_MAX),
                    ..Default::default()
                };
                return Ok(Response::new(v1::PlaceOrderResponse {
                    order: Some(order),
                    ..Default::default()
                }));
            }
            _ => {}
        }
        Ok(Response::new(Default::default()))
    }

    async fn cancel_order(
        &self,
        _: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_order(
        &self,
        _: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_receipt(
        &self,
        _: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn pay_order(
        &self,
        _: Request<v1::PayOrderRequest>,
    ) -> Result<Response<v1::PayOrderResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn refund_order(
        &self,
        _: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_orders(
        &self,
        _: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_drop_orders(
        &self,
        _: Request<v1::ListDropOrdersRequest>,
    ) -> Result<Response<v1::ListDropOrdersResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    type WatchOrderStream = stream::Frames<v1::WatchOrderResponse>;

    async fn watch_order(
        &self,
        _: Request<v1::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        Err(status::unimplemented())
    }
}

/// A server of a test; it stops when dropped.
struct Running {
    address: SocketAddr,
    seen: Arc<Seen>,
    readiness: Readiness,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

fn verify(token: &str) -> Option<Caller> {
    let caller = Caller {
        account_id: AccountId::new(BUYER),
        session_id: uuid::Uuid::from_u128(1),
        expires_at: Timestamp::MAX,
    };
    (token == "good").then_some(caller)
}

fn setup(limits: Limits) -> Setup {
    Setup {
        limits,
        verify: Arc::new(verify),
        readiness: Readiness::default(),
        jwks: serde_json::json!({"keys": []}),
        web: axum::Router::new(),
        allowed_origins: Origins::parse(&["https://shop.example"]).unwrap(),
    }
}

async fn start(limits: Limits) -> Running {
    start_with(limits, None).await
}

async fn start_with(limits: Limits, tls: Option<Arc<rustls::ServerConfig>>) -> Running {
    let setup = setup(limits);
    let (seen, readiness) = (Arc::new(Seen::default()), setup.readiness.clone());
    let routes = Routes::new(crate::sized!(server::OrderServiceServer::new(Orders(
        seen.clone()
    ))));
    let app = App::new(routes, setup).await.unwrap();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), app, tls).unwrap();
    let address = server.local_addr().unwrap();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(server.serve(stop.clone()));
    Running {
        address,
        seen,
        readiness,
        stop,
        ended,
    }
}

impl Running {
    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    async fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.channel().await)
    }

    /// Sends bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        read_all(&mut stream).await
    }

    /// An HTTP/1.1 request with the lines of `head` after the first.
    async fn http1(&self, request: &str, head: &[&str], body: &[u8]) -> String {
        let mut bytes =
            format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
        for line in head {
            bytes.extend_from_slice(format!("{line}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        self.raw(&bytes).await
    }

    /// A grpc-web call; what comes back of headers, messages and trailers, as text.
    async fn web_call(&self, path: &str, head: &[&str], message: &[u8]) -> String {
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend_from_slice(message);
        let head = [
            &["content-type: application/grpc-web+proto", "x-grpc-web: 1"],
            head,
        ]
        .concat();
        self.http1(&format!("POST {path}"), &head, &body).await
    }
}

/// All until the end of the stream, a reset included.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let reading = stream.read_to_end(&mut read);
    let _ = tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("the server closes the connection");
    String::from_utf8_lossy(&read).into_owned()
}

fn order(drop_id: &str) -> Request<v1::PlaceOrderRequest> {
    let mut request = Request::new(v1::PlaceOrderRequest {
        drop_id: drop_id.to_owned(),
        ..Default::default()
    });
    request
        .metadata_mut()
        .insert("authorization", "Bearer good".parse().unwrap());
    request
}

fn reason(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    status
        .get_details_error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"))
        .reason
}
