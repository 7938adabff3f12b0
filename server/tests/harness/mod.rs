//! A real server on a port of its own, and people to use it. With `LIVEDROP_TEST_CQL=HOST:PORT` its store is a keyspace of the database
//! there, otherwise an embedded one.
#![allow(
    dead_code,
    reason = "each test binary that is built with it uses a part"
)]

pub(crate) mod home;
pub(crate) mod keyspace;
pub(crate) mod process;
pub(crate) mod seats;

use std::time::{Duration, SystemTime};

use livedrop::{Client, Code, Error, RetryPolicy, Uuid, v1};
use livedrop_server::{
    app::{App, Parts},
    config::{Config, Profile},
    rpc::Limits,
    store::SharedStore,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use self::{home::Home, keyspace::Keyspace};

/// A server of one test.
pub(crate) struct Server {
    app: App,
}

impl Server {
    /// On a store of its own that goes with it, with generous limits.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With the limits of `serve`.
    pub(crate) async fn strict() -> Self {
        Self::start_with(|config| config.limits = Limits::strict()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with_parts(change, Parts::default()).await
    }

    pub(crate) async fn start_with_parts(change: impl FnOnce(&mut Config), parts: Parts) -> Self {
        let mut config = config();
        if let Some(database) = keyspace::database() {
            Keyspace::take(database).await.configure(&mut config);
        }
        change(&mut config);
        Self::run(&config, parts).await
    }

    /// In a home where others were before, or will be after it.
    pub(crate) async fn at(home: &Home) -> Self {
        Self::at_with(home, |_| ()).await
    }

    pub(crate) async fn at_with(home: &Home, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        home.configure(&mut config);
        change(&mut config);
        Self::run(&config, Parts::default()).await
    }

    /// In memory, with keys of its own: somebody else's server.
    pub(crate) async fn foreign() -> Self {
        Self::run(&config(), Parts::default()).await
    }

    async fn run(config: &Config, parts: Parts) -> Self {
        Self {
            app: App::start_with(config, parts).await.unwrap(),
        }
    }

    /// What the server stores.
    pub(crate) fn store(&self) -> SharedStore {
        self.app.ctx.store.clone()
    }

    pub(crate) fn endpoint(&self) -> String {
        self.app.endpoint()
    }

    /// Nobody signed in; each call is tried once, so that tests see every answer.
    pub(crate) fn stranger(&self) -> Client {
        Client::builder(self.endpoint())
            .retry(RetryPolicy::never())
            .build()
            .unwrap()
    }

    /// Somebody new, signed in.
    pub(crate) async fn person(&self) -> Client {
        let client = self.patient();
        client.sign_up(sign_up_request()).await.unwrap();
        self.stranger().with_tokens(client.tokens().unwrap())
    }

    /// Somebody new with a creator's profile.
    pub(crate) async fn creator(&self) -> Client {
        let client = self.patient();
        client.sign_up(sign_up_request()).await.unwrap();
        client.become_creator(profile_request()).await.unwrap();
        self.stranger().with_tokens(client.tokens().unwrap())
    }

    /// Tries again, for what a test is not about: a database that is busy answers some calls too late.
    fn patient(&self) -> Client {
        Client::builder(self.endpoint()).build().unwrap()
    }

    pub(crate) async fn stop(self) {
        self.app.shutdown(Duration::from_secs(10)).await.unwrap();
    }
}

fn config() -> Config {
    let mut config = Config::new(Profile::Dev);
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.metrics_listen = None;
    config
}

pub(crate) fn request_id() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn sign_up_request() -> v1::SignUpRequest {
    v1::SignUpRequest {
        request_id: request_id(),
        email: format!("{}@example.com", Uuid::now_v7().simple()),
        password: "correct horse".into(),
        display_name: "Somebody".into(),
    }
}

pub(crate) fn profile_request() -> v1::BecomeCreatorRequest {
    // The last digits of a UUIDv7 are its random ones.
    let id = Uuid::now_v7().simple().to_string();
    v1::BecomeCreatorRequest {
        handle: format!("c{}", &id[8..]),
        display_name: "Creator".into(),
        bio: String::new(),
    }
}

pub(crate) fn after(span: Duration) -> Option<livedrop::prost_types::Timestamp> {
    Some((SystemTime::now() + span).into())
}

pub(crate) fn item(amount_minor: i64, stock: i64) -> v1::ScheduleDropItem {
    let unit_price = Some(v1::Money {
        currency_code: "EUR".into(),
        amount_minor,
    });
    v1::ScheduleDropItem {
        title: "Thing".into(),
        unit_price,
        stock,
        ..Default::default()
    }
}

/// A product with two variants.
pub(crate) fn product_request() -> v1::CreateProductRequest {
    let attribute = |name: &str, value: &str| v1::ProductAttribute {
        name: name.into(),
        value: value.into(),
    };
    let euros = |amount_minor| v1::Money {
        currency_code: "EUR".into(),
        amount_minor,
    };
    let variant = |size: &str, price| v1::ProductVariant {
        title: size.into(),
        sku: format!("SHIRT-{size}"),
        options: vec![attribute("size", size)],
        price,
        ..Default::default()
    };
    v1::CreateProductRequest {
        request_id: request_id(),
        title: "Shirt".into(),
        description: "Two lines\nof text".into(),
        tags: vec!["shirt".into(), "cotton".into()],
        attributes: vec![attribute("material", "cotton")],
        price: Some(euros(1_999)),
        variants: vec![variant("M", None), variant("L", Some(euros(2_199)))],
        image_ids: Vec::new(),
    }
}

pub(crate) async fn create_product(
    creator: &Client,
    request: v1::CreateProductRequest,
) -> v1::Product {
    let created = answered(|| creator.create_product(request.clone())).await;
    created.unwrap().product.unwrap()
}

/// A database that is busy answers some calls too late: these are repeated, as every client would. A file has no such excuse.
pub(crate) async fn answered<T, F: Future<Output = Result<T, Error>>>(
    mut call: impl FnMut() -> F,
) -> Result<T, Error> {
    let mut tries = if keyspace::database().is_some() {
        10
    } else {
        1
    };
    loop {
        tries -= 1;
        match Box::pin(call()).await {
            Err(error) if error.code() == Code::Unavailable && tries > 0 => {
                tokio::time::sleep(error.retry_after().unwrap_or_default()).await;
            }
            answer => return answer,
        }
    }
}

/// A drop that opens now and sells for an hour.
pub(crate) fn drop_request(items: Vec<v1::ScheduleDropItem>) -> v1::ScheduleDropRequest {
    v1::ScheduleDropRequest {
        request_id: request_id(),
        title: "A drop".into(),
        description: "Two lines\nof text".into(),
        items,
        ends_at: after(Duration::from_secs(3600)),
        ..Default::default()
    }
}

/// Opens a drop with these (price, stock) items.
pub(crate) async fn open_drop(creator: &Client, items: &[(i64, i64)]) -> v1::Drop {
    let items = items
        .iter()
        .map(|&(price, stock)| item(price, stock))
        .collect();
    schedule(creator, drop_request(items)).await
}

pub(crate) async fn schedule(creator: &Client, request: v1::ScheduleDropRequest) -> v1::Drop {
    let scheduled = answered(|| creator.schedule_drop(request.clone())).await;
    scheduled.unwrap().drop.unwrap()
}

pub(crate) async fn get_drop(client: &Client, drop: &v1::Drop) -> v1::Drop {
    let request = v1::GetDropRequest {
        drop_id: drop.drop_id.clone(),
    };
    let found = answered(|| client.get_drop(request.clone())).await;
    found.unwrap().drop.unwrap()
}

/// An order of (item's place, quantity) lines.
pub(crate) fn order_request(drop: &v1::Drop, lines: &[(usize, i32)]) -> v1::PlaceOrderRequest {
    let line = |&(item, quantity): &(usize, i32)| v1::PlaceOrderLine {
        item_id: drop.items[item].item_id.clone(),
        quantity,
    };
    v1::PlaceOrderRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
        lines: lines.iter().map(line).collect(),
        ..Default::default()
    }
}

pub(crate) async fn place(
    buyer: &Client,
    drop: &v1::Drop,
    lines: &[(usize, i32)],
) -> Result<v1::Order, Error> {
    let request = order_request(drop, lines);
    let placed = answered(|| buyer.place_order(request.clone())).await?;
    Ok(placed.order.unwrap())
}

pub(crate) async fn get_order(buyer: &Client, order: &v1::Order) -> Result<v1::Order, Error> {
    let request = v1::GetOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        min_seq: 0,
    };
    let found = answered(|| buyer.get_order(request.clone())).await?;
    Ok(found.order.unwrap())
}

pub(crate) async fn cancel_order(buyer: &Client, order: &v1::Order) -> Result<v1::Order, Error> {
    let request = v1::CancelOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
    };
    let cancelled = answered(|| buyer.cancel_order(request.clone())).await?;
    Ok(cancelled.order.unwrap())
}

/// A free unit, sold to its creator; the drop's id.
pub(crate) async fn sell_one(client: &Client) -> String {
    client.sign_up(sign_up_request()).await.unwrap();
    client.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(client, &[(0, 5)]).await;
    place(client, &drop, &[(0, 1)]).await.unwrap();
    drop.drop_id
}

/// An order whose buyer is asked to confirm, and never does.
pub(crate) async fn stuck_order(buyer: &Client, drop: &v1::Drop) -> v1::Order {
    let request = v1::PlaceOrderRequest {
        payment_method: "pm_test_3ds".into(),
        ..order_request(drop, &[(0, 1)])
    };
    let order = buyer.place_order(request).await.unwrap().order.unwrap();
    let waits = async || {
        let order = get_order(buyer, &order).await.unwrap();
        (order.state() == v1::OrderState::ActionRequired).then_some(order)
    };
    eventually(waits).await
}

/// Presses the button on the page that an order's buyer is sent to. The server may have another port than the page's address says.
pub(crate) async fn approve(endpoint: &str, action_url: &str) {
    let path = action_url.splitn(4, '/').nth(3).unwrap();
    let host = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "POST /{path}/approve HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A server that dies of it may not answer.
    let _ = stream.read_to_string(&mut answer).await;
    let is_fine = answer.is_empty() || answer.starts_with("HTTP/1.1 303");
    assert!(is_fine, "{answer}");
}

/// (available, held, sold) of an item.
pub(crate) fn stock(drop: &v1::Drop, item: usize) -> (i64, i64, i64) {
    let stock = drop.items[item].stock.unwrap();
    (stock.available, stock.held, stock.sold)
}

/// The error's reason as sent.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer
        .unwrap_err()
        .reason_text()
        .unwrap_or("none")
        .to_owned()
}

/// Asks again until it holds; the caller's bound is generous, for machines are slow.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(
            std::time::Instant::now() < until,
            "did not come true in time"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
