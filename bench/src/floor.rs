//! What a call costs before it does anything: `PlaceOrder` answered at once by a bare tonic server, under the load of `rush --plain`.
//! The difference to the rush is what Live Drop itself spends.

use std::{
    io::Write as _,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use clap::Args;
use livedrop::v1::{
    self,
    order_service_client::OrderServiceClient,
    order_service_server::{OrderService, OrderServiceServer},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::Instant,
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};
use uuid::Uuid;

use crate::rush::cpu_of;

/// Measures what a bare tonic server spends on a `PlaceOrder` that does nothing: the floor under the rush's figure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Calls to make
    #[arg(long, default_value_t = 200_000)]
    calls: u64,
    /// Calls in flight
    #[arg(long, default_value_t = 100)]
    in_flight: u32,
    /// Connections that they share
    #[arg(long, default_value_t = 64)]
    connections: u16,
    /// Be the server: print the address and serve until killed
    #[arg(long, hide = true)]
    serve: bool,
}

/// Answers every order with one of the usual size.
struct Bare;

fn answer() -> v1::PlaceOrderResponse {
    let id = || Uuid::now_v7().to_string();
    let euro = |amount_minor| v1::Money {
        currency_code: "EUR".into(),
        amount_minor,
    };
    let time = || Some(std::time::SystemTime::now().into());
    let line = v1::OrderLine {
        item_id: id(),
        quantity: 1,
        unit_price: Some(euro(100)),
    };
    let order = v1::Order {
        order_id: id(),
        drop_id: id(),
        buyer_id: id(),
        lines: vec![line],
        total: Some(euro(100)),
        state: v1::OrderState::Held.into(),
        hold_expires_at: time(),
        created_at: time(),
        updated_at: time(),
        seq: 1,
        ..Default::default()
    };
    let left = v1::StockLeft {
        item_id: id(),
        available: 1,
    };
    let receipt = v1::ReceiptRef {
        ledger_id: id(),
        seq: 1,
        index: 0,
        record_hash: vec![7; 32].into(),
    };
    v1::PlaceOrderResponse {
        order: Some(order),
        stock_left: vec![left],
        receipt: Some(receipt),
    }
}

#[tonic::async_trait]
impl OrderService for Bare {
    async fn place_order(
        &self,
        _: Request<v1::PlaceOrderRequest>,
    ) -> Result<Response<v1::PlaceOrderResponse>, Status> {
        Ok(Response::new(answer()))
    }

    async fn pay_order(
        &self,
        _: Request<v1::PayOrderRequest>,
    ) -> Result<Response<v1::PayOrderResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn refund_order(
        &self,
        _: Request<v1::RefundOrderRequest>,
    ) -> Result<Response<v1::RefundOrderResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_orders(
        &self,
        _: Request<v1::ListOrdersRequest>,
    ) -> Result<Response<v1::ListOrdersResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_drop_orders(
        &self,
        _: Request<v1::ListDropOrdersRequest>,
    ) -> Result<Response<v1::ListDropOrdersResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchOrderStream = futures::stream::Empty<Result<v1::WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        _: Request<v1::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn cancel_order(
        &self,
        _: Request<v1::CancelOrderRequest>,
    ) -> Result<Response<v1::CancelOrderResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_order(
        &self,
        _: Request<v1::GetOrderRequest>,
    ) -> Result<Response<v1::GetOrderResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_receipt(
        &self,
        _: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn serve() -> anyhow::Result<bool> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    println!("{}", incoming.local_addr()?);
    std::io::stdout().flush()?;
    tonic::transport::Server::builder()
        .add_service(OrderServiceServer::new(Bare))
        .serve_with_incoming(incoming)
        .await?;
    Ok(true)
}

/// Runs the measurement, and prints it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    if options.serve {
        return serve().await;
    }
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .args(["floor", "--serve"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let process = server.id().context("the server has ended")?.to_string();
    let told = server.stdout.take().context("no output")?;
    let mut address = String::new();
    BufReader::new(told).read_line(&mut address).await?;

    let mut channels = Vec::new();
    for _ in 0..options.connections {
        let endpoint = tonic::transport::Endpoint::new(format!("http://{}", address.trim()))?;
        channels.push(endpoint.tcp_nodelay(true).connect().await?);
    }
    let request = v1::PlaceOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        drop_id: Uuid::now_v7().to_string(),
        lines: vec![v1::PlaceOrderLine {
            item_id: Uuid::now_v7().to_string(),
            quantity: 1,
        }],
        ..Default::default()
    };
    let left = Arc::new(AtomicU64::new(options.calls));
    let (started, cpu_before) = (Instant::now(), cpu_of(&process));
    let callers = channels
        .into_iter()
        .cycle()
        .take(options.in_flight as usize);
    let callers = callers.map(|channel| {
        let (left, request) = (left.clone(), request.clone());
        let mut client = OrderServiceClient::new(channel);
        tokio::spawn(async move {
            let take = |left| u64::checked_sub(left, 1);
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
            {
                // As long as a token, for the header has its price.
                let mut request = Request::new(request.clone());
                let token = "x".repeat(400).parse()?;
                request.metadata_mut().insert("authorization", token);
                client.place_order(request).await?;
            }
            anyhow::Ok(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    let (took, cpu) = (started.elapsed(), cpu_of(&process) - cpu_before);
    println!(
        "bare tonic: {:.0} calls/s, server CPU per call {:.1} µs ({} calls, {} in flight, {} connections)",
        options.calls as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / options.calls as f64,
        options.calls,
        options.in_flight,
        options.connections,
    );
    Ok(true)
}
