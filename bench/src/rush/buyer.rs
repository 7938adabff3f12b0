//! One buyer: an account, a way to behave, and notes.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use livedrop::{
    Client,
    v1::{CancelOrderRequest, PlaceOrderLine, PlaceOrderRequest},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::Request;

use super::{
    notes::{Answer, Cancel, Placed, Purchase, Refused},
    persona::{Persona, draw_lines},
    shop::Shop,
    wire::{CALL_TIMEOUT, Failure},
};

/// Tries for what is not open yet or sold out, or after a void request id; each with a new request id.
const ATTEMPTS_MAX: u32 = 4;

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
            self.buy(vec![(item, 1)]).await;
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
        sleep_until(
            self.shop
                .opens_at
                .checked_sub(early)
                .unwrap_or(self.shop.opens_at),
        )
        .await;
        let item_count = self.shop.items.len();
        let mut lines = draw_lines(item_count, &mut self.rng);
        match persona {
            Persona::Keeper | Persona::Early => self.buy(lines).await,
            Persona::Hopeful => {
                for _ in 0..ATTEMPTS_MAX {
                    self.buy(lines.clone()).await;
                    if !self
                        .notes
                        .last()
                        .is_some_and(|purchase| purchase.is_refused_as("SOLD_OUT"))
                    {
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
                self.buy(lines).await;
            }
            Persona::Twin => self.buy_twice(lines).await,
            Persona::Quitter => {
                let patience = self.millis(1..40);
                self.try_to_buy(lines, patience).await;
            }
            Persona::Greedy => {
                self.buy(vec![(0, self.shop.limit_per_buyer + 1)]).await;
                self.buy(lines.clone()).await;
                self.buy(lines).await;
            }
        }
        self.shop.tally.finished.fetch_add(1, Relaxed);
        self
    }

    /// Finds out what became of the requests and cancellations without an answer, by repeating them.
    pub(crate) async fn settle(mut self) -> Self {
        for mut purchase in std::mem::take(&mut self.notes) {
            if purchase.is_open {
                let answer = self.send(&mut purchase, CALL_TIMEOUT).await;
                purchase.note([answer]);
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
        self.notes
            .iter()
            .any(|purchase| purchase.is_open || purchase.cancel == Cancel::Open)
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.rng.random_range(range))
    }

    fn wish(&mut self, lines: Vec<(usize, i32)>) -> Purchase {
        Purchase::new(
            uuid::Builder::from_random_bytes(self.rng.random()).into_uuid(),
            lines,
        )
    }

    /// Buys. If the drop is not open yet, again when it is; if the request id is void, with a new one.
    async fn buy(&mut self, lines: Vec<(usize, i32)>) {
        self.try_to_buy(lines.clone(), CALL_TIMEOUT).await;
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
            self.try_to_buy(lines.clone(), CALL_TIMEOUT).await;
        }
    }

    async fn try_to_buy(&mut self, lines: Vec<(usize, i32)>, patience: Duration) {
        let mut purchase = self.wish(lines);
        let answer = self.send(&mut purchase, patience).await;
        purchase.note([answer]);
        self.notes.push(purchase);
    }

    /// Sends the same request from two devices at once.
    async fn buy_twice(&mut self, lines: Vec<(usize, i32)>) {
        let mut purchase = self.wish(lines);
        let (mut mine, mut theirs) = (purchase.clone(), purchase.clone());
        let mut other = self.other_device();
        let answers = tokio::join!(
            self.send(&mut mine, CALL_TIMEOUT),
            other.send(&mut theirs, CALL_TIMEOUT)
        );
        purchase.sent = mine.sent + theirs.sent;
        purchase.note([answers.0, answers.1]);
        self.notes.push(purchase);
    }

    async fn buy_and_cancel(&mut self, lines: Vec<(usize, i32)>) {
        self.buy(lines).await;
        let Some(mut purchase) = self.notes.pop_if(|purchase| purchase.order().is_some()) else {
            return;
        };
        sleep(self.millis(0..500)).await;
        self.cancel(&mut purchase).await;
        self.notes.push(purchase);
    }

    /// Sends a purchase until it is answered, with one request id. A call not answered within `patience` is dropped and not repeated.
    async fn send(&mut self, purchase: &mut Purchase, patience: Duration) -> Answer {
        let shop = Arc::clone(&self.shop);
        let Ok(_permit) = shop.gate.acquire().await else {
            return Answer::Unknown;
        };
        let mut client = self.login.client.raw_orders();
        while Instant::now() < shop.deadline {
            let mut request = Request::new(self.request(purchase));
            self.login.client.authorize(&mut request).await;
            let tried = purchase.sent;
            purchase.sent += 1;
            let start = Instant::now();
            let Ok(result) = timeout(patience, client.place_order(request)).await else {
                return Answer::Unknown;
            };
            let failure = match result {
                Ok(response) => {
                    let answer =
                        Answer::Placed(Placed::of(response.into_inner(), shop.opens_at.elapsed()));
                    shop.tally.answered(&answer, start.elapsed());
                    return answer;
                }
                Err(status) => Failure::of(&status),
            };
            let Some(pause) = failure.pause(tried, &mut self.rng) else {
                let Failure::Refused(reason) = failure else {
                    return Answer::Unknown;
                };
                let answer = Answer::Refused(Refused {
                    reason,
                    is_promise: tried > 0,
                });
                shop.tally.answered(&answer, start.elapsed());
                return answer;
            };
            shop.tally.retries.fetch_add(1, Relaxed);
            sleep(pause).await;
        }
        Answer::Unknown
    }

    /// Cancels the order of a purchase, until that is answered.
    async fn cancel(&mut self, purchase: &mut Purchase) {
        let Some(order_id) = purchase.order().map(|placed| placed.order_id.clone()) else {
            return;
        };
        let shop = Arc::clone(&self.shop);
        let mut client = self.login.client.raw_orders();
        let mut tried = 0;
        purchase.cancel = Cancel::Open;
        while Instant::now() < shop.deadline {
            let message = CancelOrderRequest {
                drop_id: shop.drop_id.clone(),
                order_id: order_id.clone(),
            };
            let mut request = Request::new(message);
            self.login.client.authorize(&mut request).await;
            let failure = match timeout(CALL_TIMEOUT, client.cancel_order(request)).await {
                Ok(Ok(_)) => {
                    purchase.cancel = Cancel::Done;
                    return;
                }
                Ok(Err(status)) => Failure::of(&status),
                Err(_) => Failure::Unknown(None),
            };
            let Some(pause) = failure.pause(tried, &mut self.rng) else {
                purchase.cancel = Cancel::Refused;
                return;
            };
            tried += 1;
            shop.tally.retries.fetch_add(1, Relaxed);
            sleep(pause).await;
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
        PlaceOrderRequest {
            request_id: purchase.request_id.to_string(),
            drop_id: self.shop.drop_id.clone(),
            lines: purchase.lines.iter().map(line).collect(),
            expected_total: None,
            payment_method: String::new(),
            retry_count: i32::try_from(purchase.sent).unwrap_or(i32::MAX),
        }
    }
}
