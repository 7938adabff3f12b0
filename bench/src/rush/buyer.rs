//! One buyer: an account, a way to behave, and notes.

mod check_out;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use livedrop::{
    Client,
    v1::{CancelOrderRequest, PlaceOrderLine, PlaceOrderRequest},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Request;
use uuid::Uuid;

use super::{
    notes::{Answer, Cancel, Placed, Purchase},
    persona::{Persona, draw_lines},
    shop::{Fate, Shop},
    wallet::Wallet,
    wire::{self, CALL_TIMEOUT, Reply},
};

/// Tries for what is not open yet or sold out, or after a void request id; each with a new request id.
const ATTEMPTS_MAX: u32 = 4;
/// One of so many buyers with an order sends the request once more, as an app does that was started anew.
const ASKS_AGAIN_ONE_IN: u32 = 3;

/// An account that can buy.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// The account.
    pub(crate) account_id: String,
    /// One of the shared connections, signed in.
    pub(crate) client: Client,
}

/// One buyer.
#[derive(Debug)]
pub(crate) struct Buyer {
    /// Who it is.
    pub(crate) login: Login,
    /// Everything that was wanted and answered.
    pub(crate) notes: Vec<Purchase>,
    shop: Arc<Shop>,
    rng: SmallRng,
}

impl Buyer {
    /// Buyer `number`; the seed decides what they do.
    pub(crate) fn new(shop: Arc<Shop>, login: Login, number: usize, seed: u64) -> Self {
        let rng =
            SmallRng::seed_from_u64(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self {
            login,
            notes: Vec::new(),
            shop,
            rng,
        }
    }

    /// Orders one unit of an item, so many times, and keeps it.
    pub(crate) async fn order_plainly(mut self, item: usize, orders: u32) -> Self {
        sleep_until(self.shop.opens_at).await;
        for _ in 0..orders {
            self.buy(vec![(item, 1)], Wallet::EMPTY).await;
        }
        self.shop.tally.finished.fetch_add(1, Relaxed);
        self
    }

    /// Behaves as drawn.
    pub(crate) async fn rush(mut self) -> Self {
        let persona = Persona::draw(&mut self.rng);
        let early = if persona == Persona::Early {
            self.millis(1..1000)
        } else {
            Duration::ZERO
        };
        let opens_at = self.shop.opens_at;
        sleep_until(opens_at.checked_sub(early).unwrap_or(opens_at)).await;
        let within = self.shop.arrive_within;
        if self.shop.fate == Fate::IsLeft {
            sleep(within).await;
            self.order(vec![(0, 1)], Wallet::EMPTY).await;
        } else {
            sleep(within.mul_f64(self.rng.random())).await;
            self.behave(persona).await;
        }
        self.shop.tally.finished.fetch_add(1, Relaxed);
        self
    }

    async fn behave(&mut self, persona: Persona) {
        let item_count = self.shop.items.len();
        let mut lines = draw_lines(item_count, &mut self.rng);
        let wallet = self.wallet();
        match persona {
            Persona::Keeper | Persona::Early => self.buy(lines, wallet).await,
            Persona::Hopeful => {
                for _ in 0..ATTEMPTS_MAX {
                    self.buy(lines.clone(), wallet).await;
                    let last = self.notes.last();
                    if !last.is_some_and(|purchase| purchase.is_refused_as("SOLD_OUT")) {
                        break;
                    }
                    sleep(self.millis(200..2000)).await;
                    lines = vec![(self.rng.random_range(0..item_count), 1)];
                }
            }
            Persona::Canceller => self.buy_and_cancel(lines).await,
            Persona::Fickle => {
                self.buy_and_cancel(lines).await;
                let lines = draw_lines(item_count, &mut self.rng);
                self.buy(lines, wallet).await;
            }
            Persona::Twin => self.buy_twice(lines, wallet).await,
            Persona::Quitter => {
                let patience = self.millis(1..40);
                self.try_to_buy(lines, wallet, patience).await;
                self.check_out_last().await;
            }
            Persona::Greedy => {
                self.buy(vec![(0, self.shop.limit_per_buyer + 1)], wallet)
                    .await;
                self.buy(lines.clone(), wallet).await;
                self.buy(lines, wallet).await;
            }
        }
    }

    /// Finds out what became of the requests, payments and cancellations without an answer, by repeating them; then pays as planned.
    pub(crate) async fn settle(mut self) -> Self {
        for mut purchase in std::mem::take(&mut self.notes) {
            if purchase.is_open {
                let answer = self.send(&mut purchase, CALL_TIMEOUT).await;
                purchase.note([answer]);
                self.check_out(&mut purchase).await;
            }
            if purchase.cancel == Cancel::Open {
                self.cancel(&mut purchase).await;
            }
            self.notes.push(purchase);
        }
        self
    }

    /// Whether an answer is missing.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.notes.iter().any(Purchase::is_unsettled)
    }

    fn wallet(&mut self) -> Wallet {
        if self.shop.is_paid {
            Wallet::draw(&mut self.rng)
        } else {
            Wallet::EMPTY
        }
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(range))
    }

    fn request_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    /// Buys and pays.
    async fn buy(&mut self, lines: Vec<(usize, i32)>, wallet: Wallet) {
        self.order(lines, wallet).await;
        self.perhaps_ask_again().await;
        self.check_out_last().await;
    }

    /// Sends the request of an order once more, as if for the first time, from another device.
    async fn perhaps_ask_again(&mut self) {
        if !self.rng.random_ratio(1, ASKS_AGAIN_ONE_IN) {
            return;
        }
        let Some(mut purchase) = self.notes.pop_if(|purchase| purchase.order().is_some()) else {
            return;
        };
        let mut again = Purchase {
            sent: 0,
            ..purchase.clone()
        };
        let answer = self.other_device().send(&mut again, CALL_TIMEOUT).await;
        purchase.note_again(answer);
        self.notes.push(purchase);
    }

    /// Orders. If the drop is not open yet, again when it is; if the request id is void, with a new one.
    async fn order(&mut self, lines: Vec<(usize, i32)>, wallet: Wallet) {
        self.try_to_buy(lines.clone(), wallet, CALL_TIMEOUT).await;
        for _ in 1..ATTEMPTS_MAX {
            let is_refused_as = |reason| {
                let last = self.notes.last();
                last.is_some_and(|purchase| purchase.is_refused_as(reason))
            };
            if !is_refused_as("DROP_NOT_OPEN") && !is_refused_as("REQUEST_ID_VOID") {
                break;
            }
            sleep_until(self.shop.opens_at).await;
            // Clocks may differ by a little.
            sleep(self.millis(50..200)).await;
            self.try_to_buy(lines.clone(), wallet, CALL_TIMEOUT).await;
        }
    }

    async fn try_to_buy(&mut self, lines: Vec<(usize, i32)>, wallet: Wallet, patience: Duration) {
        let mut purchase = Purchase::new(self.request_id(), lines, wallet);
        let answer = self.send(&mut purchase, patience).await;
        purchase.note([answer]);
        self.notes.push(purchase);
    }

    /// Sends the same request from two devices at once.
    async fn buy_twice(&mut self, lines: Vec<(usize, i32)>, wallet: Wallet) {
        let mut purchase = Purchase::new(self.request_id(), lines, wallet);
        let (mut mine, mut theirs) = (purchase.clone(), purchase.clone());
        let mut other = self.other_device();
        let answers = tokio::join!(
            self.send(&mut mine, CALL_TIMEOUT),
            other.send(&mut theirs, CALL_TIMEOUT)
        );
        purchase.sent = mine.sent + theirs.sent;
        purchase.note([answers.0, answers.1]);
        self.check_out(&mut purchase).await;
        self.notes.push(purchase);
    }

    /// Orders, perhaps with a card that fails, and cancels.
    async fn buy_and_cancel(&mut self, lines: Vec<(usize, i32)>) {
        let wallet = if self.shop.is_paid {
            Wallet::draw_failing(&mut self.rng)
        } else {
            Wallet::EMPTY
        };
        self.order(lines, wallet).await;
        let Some(mut purchase) = self.notes.pop_if(|purchase| purchase.order().is_some()) else {
            return;
        };
        sleep(self.millis(0..500)).await;
        self.cancel(&mut purchase).await;
        self.notes.push(purchase);
    }

    async fn check_out_last(&mut self) {
        if let Some(mut purchase) = self.notes.pop() {
            self.check_out(&mut purchase).await;
            self.notes.push(purchase);
        }
    }

    /// Sends a purchase until it is answered, with one request id. A call not answered within `patience` is dropped and not repeated.
    async fn send(&mut self, purchase: &mut Purchase, patience: Duration) -> Answer {
        let shop = Arc::clone(&self.shop);
        let Ok(_permit) = shop.gate.acquire().await else {
            return Answer::Unknown;
        };
        let request = self.request(purchase);
        let client = &self.login.client;
        let call = |sent| {
            let mut request = Request::new(PlaceOrderRequest {
                retry_count: retry_count(sent),
                ..request.clone()
            });
            async move {
                client.authorize(&mut request).await;
                client.raw_orders().place_order(request).await
            }
        };
        let reply = wire::repeat(&shop, &mut self.rng, &mut purchase.sent, patience, call).await;
        let (answer, took) = match reply {
            Reply::Done(response, took) => {
                let placed = Placed::of(response, shop.opens_at.elapsed());
                (Answer::Placed(placed), took)
            }
            Reply::Refused(refused, took) => (Answer::Refused(refused), took),
            Reply::Unknown => return Answer::Unknown,
        };
        let is_paying = purchase.wallet.at_once.is_some() && shop.total(&purchase.lines) > 0;
        shop.tally.answered(&answer, is_paying, took);
        answer
    }

    /// Cancels the order of a purchase, until that is answered.
    async fn cancel(&mut self, purchase: &mut Purchase) {
        let Some(order_id) = purchase.order().map(|placed| placed.order_id.clone()) else {
            return;
        };
        let shop = Arc::clone(&self.shop);
        let client = &self.any_device();
        purchase.cancel = Cancel::Open;
        let call = |_| {
            let mut request = Request::new(CancelOrderRequest {
                drop_id: shop.drop_id.clone(),
                order_id: order_id.clone(),
            });
            async move {
                client.authorize(&mut request).await;
                client.raw_orders().cancel_order(request).await
            }
        };
        // Cancelling is idempotent: a try without an answer is no reason to give up.
        loop {
            let reply = wire::repeat(&shop, &mut self.rng, &mut 0, CALL_TIMEOUT, call).await;
            purchase.cancel = match reply {
                Reply::Done(..) => Cancel::Done,
                Reply::Refused(refused, _) => {
                    purchase.note_refusal("CancelOrder", &refused.reason);
                    Cancel::Refused
                }
                Reply::Unknown if Instant::now() < shop.deadline => continue,
                Reply::Unknown => Cancel::Open,
            };
            return;
        }
    }

    /// The same account on another connection.
    fn other_device(&mut self) -> Self {
        let connections = &self.shop.connections;
        let connection = connections
            .get(self.rng.random_range(0..connections.len()))
            .unwrap_or(&self.login.client);
        let client = connection.new_session();
        client.set_tokens(self.login.client.tokens());
        let login = Login {
            client,
            account_id: self.login.account_id.clone(),
        };
        Self::new(Arc::clone(&self.shop), login, 0, self.rng.random())
    }

    /// This device or another one: buyers switch.
    fn any_device(&mut self) -> Client {
        if self.rng.random() {
            self.other_device().login.client
        } else {
            self.login.client.clone()
        }
    }

    fn request(&self, purchase: &Purchase) -> PlaceOrderRequest {
        let line = |(item, quantity): &(usize, i32)| {
            let item_id = self
                .shop
                .items
                .get(*item)
                .map(|item| item.item_id.clone())
                .unwrap_or_default();
            PlaceOrderLine {
                item_id,
                quantity: *quantity,
            }
        };
        let token = |card| self.shop.provider.token(card).to_owned();
        PlaceOrderRequest {
            request_id: purchase.request_id.to_string(),
            drop_id: self.shop.drop_id.clone(),
            lines: purchase.lines.iter().map(line).collect(),
            expected_total: None,
            payment_method: purchase.wallet.at_once.map(token).unwrap_or_default(),
            retry_count: 0,
        }
    }
}

fn retry_count(sent: u32) -> i32 {
    i32::try_from(sent).unwrap_or(i32::MAX)
}
