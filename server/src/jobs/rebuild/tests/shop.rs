//! A shop whose drops and orders are in every state.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        AccountId, DropId, OrderId, ProcessId, ProductId, RequestId, payment::FailReason,
        product::Product,
    },
    env::SharedEnv,
    events::{RecordingSink, Sinks},
    jobs::{
        Outbox, Timer,
        rebuild::{Rebuilt, rebuild},
    },
    ledger::{
        Answer, Call, Command, Line, Method, PayBy, Registry, Report,
        entry::WaitReason,
        testing::{SimEnv, buyer_id},
    },
    projectors,
    service::{Context, drops, follows, order_payments, orders, testing},
    store::{
        SharedStore,
        accounts::Creator,
        conformance::samples,
        embedded::{
            EmbeddedStore,
            raw::{self, RawRow},
        },
        outbox::{Entity, EntityKind},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Shop {
    pub(crate) ctx: Context,
    pub(crate) raw: Arc<EmbeddedStore>,
    pub(crate) sink: Arc<RecordingSink>,
    pub(crate) drops: Vec<DropId>,
    products: Vec<ProductId>,
    pub(crate) people: Vec<AccountId>,
}

pub(crate) fn sinks(sink: &Arc<RecordingSink>) -> Sinks {
    Sinks::new(vec![Arc::<RecordingSink>::clone(sink)])
}

impl Shop {
    /// Two creators, then buyers.
    pub(crate) async fn new() -> Self {
        let (ctx, _) = testing::context();
        let env = SimEnv::new(tokio::time::Instant::now(), 0, 1);
        let shared: SharedEnv = Arc::<SimEnv>::clone(&env);
        let raw = Arc::new(EmbeddedStore::in_memory().unwrap());
        let store: SharedStore = Arc::<EmbeddedStore>::clone(&raw);
        let sink = Arc::new(RecordingSink::default());
        let ctx = Context {
            ledgers: ledgers(&shared, &store, &sinks(&sink)),
            timer: Timer::new(shared.clone()),
            outbox: Outbox::new(shared.clone(), store.clone(), sinks(&sink)),
            env: shared,
            store,
            ..ctx
        };
        let people: Vec<_> = (0..10).map(buyer_id).collect();
        for creator_id in &people[..2] {
            let creator = Creator {
                creator_id: *creator_id,
                version: 1,
                op_id: ctx.env.uuid(),
                handle: creator_id.to_string(),
                display_name: "A shop".to_owned(),
                bio: String::new(),
                created_at: ctx.env.now(),
            };
            ctx.store.insert_creator(&creator).await.unwrap();
        }
        let mut products = Vec::new();
        for _ in 0..3 {
            let product = Product {
                creator_id: people[0],
                ..samples::product()
            };
            ctx.store.insert_product(&product).await.unwrap();
            products.push(product.product_id);
        }
        Self {
            ctx,
            raw,
            products,
            sink,
            drops: Vec::new(),
            people,
        }
    }

    /// Some time goes by.
    async fn time(&self) {
        self.wait(Duration::from_millis(1_234)).await;
    }

    async fn wait(&self, span: Duration) {
        self.ctx.env.sleep(span).await;
    }

    /// A drop with ten units at this price, which opens so much later; by one creator or the other.
    pub(crate) async fn drop(&mut self, price: i64, opens_in: Duration) -> DropId {
        self.time().await;
        let now = self.ctx.env.now();
        let item = drops::ScheduleItem {
            title: Some("a thing".to_owned()),
            stock: 10,
            unit_price_minor: Some(price),
            limit_per_buyer: 0,
            product: None,
        };
        let wish = drops::ScheduleDrop {
            request_id: RequestId::new(self.ctx.env.uuid()),
            title: "a drop".to_owned(),
            description: String::new(),
            currency: Some("EUR".parse().unwrap()),
            items: vec![item],
            limit_per_buyer: 0,
            opens_at: (!opens_in.is_zero()).then(|| now + opens_in),
            ends_at: now + opens_in + Duration::from_secs(3_600),
            hold: Duration::from_secs(60),
            low_stock_threshold: 3,
        };
        let creator = self.creator();
        let made = drops::schedule(&self.ctx, creator, wish, PATIENCE).await;
        let drop_id = made.unwrap().drop.drop_id;
        self.drops.push(drop_id);
        drop_id
    }

    /// Whose drop the next one is.
    pub(crate) fn creator(&self) -> AccountId {
        self.people[self.drops.len() % 2]
    }

    pub(crate) async fn place(&self, drop_id: DropId, buyer: usize) -> OrderId {
        self.time().await;
        let drop = self.ctx.store.get_drop(drop_id).await.unwrap().unwrap();
        let wish = orders::PlaceOrder {
            request_id: RequestId::new(self.ctx.env.uuid()),
            drop_id,
            lines: vec![Line {
                item_id: drop.items[0].item_id,
                quantity: 1,
            }],
            expected_total: None,
            payment_method: None,
            retry_count: 0,
        };
        let placed = orders::place(&self.ctx, self.people[buyer], wish, PATIENCE).await;
        placed.unwrap().order.order_id
    }

    pub(crate) async fn tell(&self, drop_id: DropId, command: Command) {
        self.time().await;
        let (_, answer) = self
            .ctx
            .ledgers
            .call(drop_id, command, PATIENCE)
            .await
            .unwrap();
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
    }

    /// Begins to pay, and has the provider say this.
    pub(crate) async fn pay(&self, drop_id: DropId, buyer: usize, report: Report) -> OrderId {
        let order_id = self.place(drop_id, buyer).await;
        let call = Call {
            caller_id: self.people[buyer],
            method: Method::PayOrder,
            request_id: Some(RequestId::new(self.ctx.env.uuid())),
            fingerprint: [1; 32],
        };
        let pay_by = PayBy {
            provider: "paper".to_owned(),
            method: "pm_paper".parse().unwrap(),
        };
        let pay = Command::PayOrder {
            call,
            order_id,
            pay_by,
            retry_count: 0,
        };
        self.tell(drop_id, pay).await;
        self.report(drop_id, order_id, report).await;
        order_id
    }

    pub(crate) async fn report(&self, drop_id: DropId, order_id: OrderId, report: Report) {
        let report = Command::ReportPayment {
            call: None,
            order_id,
            attempt: 1,
            report,
        };
        self.tell(drop_id, report).await;
    }

    pub(crate) async fn refund(&self, drop_id: DropId, order_id: OrderId, restock: bool) {
        let drop = self.ctx.store.get_drop(drop_id).await.unwrap().unwrap();
        let wish = order_payments::RefundOrder {
            request_id: RequestId::new(self.ctx.env.uuid()),
            drop_id,
            order_id,
            reason: "broken".to_owned(),
            restock,
        };
        order_payments::refund(&self.ctx, drop.creator_id, wish, PATIENCE)
            .await
            .unwrap();
    }

    /// Stops the ledgers once everything is projected and announced.
    pub(crate) async fn close(&self) {
        self.ctx.ledgers.shutdown().await;
        for drop_id in &self.drops {
            let entity = Entity {
                kind: EntityKind::Drop,
                id: drop_id.uuid(),
            };
            self.ctx.outbox.finish(entity).await.unwrap();
        }
        for product_id in &self.products {
            let entity = Entity {
                kind: EntityKind::Product,
                id: product_id.uuid(),
            };
            self.ctx.outbox.finish(entity).await.unwrap();
        }
        for follower in &self.people {
            for creator in &self.people[..2] {
                let entity = Entity {
                    kind: EntityKind::FollowEdge(*creator),
                    id: follower.uuid(),
                };
                self.ctx.outbox.finish(entity).await.unwrap();
            }
        }
    }

    pub(crate) fn tables(&self) -> Vec<(String, Vec<RawRow>)> {
        use redb::TableHandle as _;
        let rows = |table: &redb::TableDefinition<'static, _, _>| {
            (table.name().to_owned(), self.raw.raw_rows(*table))
        };
        raw::DERIVED.iter().map(rows).collect()
    }

    pub(crate) async fn rebuild(&self) -> Rebuilt {
        let consumers = projectors::consumers(&self.ctx.env, &self.ctx.store, &Sinks::default());
        rebuild(&self.ctx.env, &self.ctx.store, &consumers, |_| ())
            .await
            .unwrap()
    }
}

pub(crate) fn ledgers(env: &SharedEnv, store: &SharedStore, sinks: &Sinks) -> Registry {
    let consumers = projectors::consumers(env, store, sinks);
    Registry::new(
        env.clone(),
        store.clone(),
        ProcessId::new(env.uuid()),
        consumers,
    )
}

/// Orders in every state; drops live, ended, cancelled late and early, and not frozen yet.
pub(crate) async fn busy_shop() -> Shop {
    let mut shop = Shop::new().await;
    let failed = Report::Failed(FailReason::Declined);
    let now = Duration::ZERO;
    let live = shop.drop(500, now).await;
    shop.place(live, 2).await;
    shop.wait(Duration::from_secs(120)).await;
    // The first has expired; the others are in all other states.
    shop.pay(live, 3, Report::Captured).await;
    let refunded = shop.pay(live, 4, Report::Captured).await;
    shop.refund(live, refunded, true).await;
    shop.report(live, refunded, Report::Refunded).await;
    let refunding = shop.pay(live, 5, Report::Captured).await;
    shop.refund(live, refunding, false).await;
    shop.pay(live, 6, failed.clone()).await;
    let url = "https://bank.example/3ds".to_owned();
    shop.pay(live, 7, Report::Waiting(WaitReason::ActionRequired, url))
        .await;
    shop.pay(live, 8, Report::Waiting(WaitReason::Unknown, String::new()))
        .await;
    let cancelled = shop.place(live, 9).await;
    orders::cancel(&shop.ctx, shop.people[9], live, cancelled, PATIENCE)
        .await
        .unwrap();

    let free = shop.drop(0, now).await;
    for buyer in 2..8 {
        shop.place(free, buyer).await;
    }
    let off = shop.drop(300, now).await;
    shop.pay(off, 2, Report::Captured).await;
    shop.place(off, 3).await;
    let request_id = || RequestId::new(shop.ctx.env.uuid());
    let (ann, first) = (shop.people[0], request_id());
    drops::cancel(&shop.ctx, ann, first, off, PATIENCE)
        .await
        .unwrap();

    let day = Duration::from_secs(86_400);
    let over = shop.drop(100, now).await;
    shop.pay(over, 2, Report::Captured).await;
    drops::end(&shop.ctx, shop.people[1], over, PATIENCE)
        .await
        .unwrap();
    let early = shop.drop(100, day).await;
    shop.time().await;
    let second = RequestId::new(shop.ctx.env.uuid());
    drops::cancel(&shop.ctx, ann, second, early, PATIENCE)
        .await
        .unwrap();
    shop.drop(100, 2 * day).await;
    // All but one go on.
    for (follower, creator) in [(2, 0), (3, 0), (4, 0), (5, 0), (2, 1), (5, 0)] {
        shop.time().await;
        let (follower, creator) = (shop.people[follower], shop.people[creator]);
        follows::follow(&shop.ctx, follower, creator).await.unwrap();
    }
    follows::unfollow(&shop.ctx, shop.people[3], ann)
        .await
        .unwrap();
    shop.close().await;
    shop
}
