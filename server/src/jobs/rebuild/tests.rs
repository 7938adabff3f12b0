//! A shop with orders in every state is rebuilt to the byte, whatever was wrong with its derived rows.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    app::{App, Parts, StartError},
    config::{Config, Profile},
    domain::{AccountId, ProcessId, order::OrderState},
    events::{RecordingSink, Sinks},
    jobs::Outbox,
    ledger::{Answer, Call, Command, Line, Method, PayBy, Registry, Report, entry::WaitReason},
    projectors,
    service::{
        Context, accounts, drops, orders,
        testing::{self, TestEnv, signed_up},
    },
    store::{
        AuditStore as _, OrderStore as _, ProjectionStore as _,
        embedded::{
            EmbeddedStore,
            raw::{self, RawRow},
        },
        faulty::{Fault, FaultPlan, Faulty, Method as StoreMethod},
        outbox::{Entity, EntityKind},
        projections::Checkpoint,
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

struct Shop {
    ctx: Context,
    env: Arc<TestEnv>,
    raw: Arc<EmbeddedStore>,
    sink: Arc<RecordingSink>,
    drops: Vec<DropId>,
    people: Vec<AccountId>,
}

fn sinks(sink: &Arc<RecordingSink>) -> Sinks {
    Sinks::new(vec![Arc::<RecordingSink>::clone(sink)])
}

impl Shop {
    /// Two creators, then buyers.
    async fn new() -> Self {
        let (ctx, env) = testing::context();
        let raw = Arc::new(EmbeddedStore::in_memory().unwrap());
        let store: SharedStore = Arc::<EmbeddedStore>::clone(&raw);
        let sink = Arc::new(RecordingSink::default());
        let ctx = Context {
            ledgers: ledgers(&ctx.env, &store, &sinks(&sink)),
            outbox: Outbox::new(ctx.env.clone(), store.clone(), sinks(&sink)),
            store,
            ..ctx
        };
        let mut people = Vec::new();
        for name in ["ann", "ben", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"] {
            people.push(signed_up(&ctx, name).await.account.account_id);
        }
        for (creator, handle) in people.iter().zip(["ann_shop", "ben_shop"]) {
            let profile = accounts::CreatorProfile {
                handle: handle.to_owned(),
                display_name: handle.to_owned(),
                bio: String::new(),
            };
            accounts::become_creator(&ctx, *creator, profile)
                .await
                .unwrap();
        }
        Self {
            ctx,
            env,
            raw,
            sink,
            drops: Vec::new(),
            people,
        }
    }

    fn time(&self) {
        self.env.advance(Duration::from_millis(1_234));
    }

    /// A drop with ten units at this price, which opens so much later; by one creator or the other.
    async fn drop(&mut self, price: i64, opens_in: Duration) -> DropId {
        self.time();
        let now = self.ctx.env.now();
        let item = drops::ScheduleItem {
            title: "a thing".to_owned(),
            stock: 10,
            unit_price_minor: price,
            limit_per_buyer: 0,
        };
        let wish = drops::ScheduleDrop {
            request_id: crate::domain::RequestId::new(self.ctx.env.uuid()),
            title: "a drop".to_owned(),
            description: String::new(),
            currency: "EUR".parse().unwrap(),
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
    fn creator(&self) -> AccountId {
        self.people[self.drops.len() % 2]
    }

    async fn place(&self, drop_id: DropId, buyer: usize) -> crate::domain::OrderId {
        self.time();
        let drop = self.ctx.store.get_drop(drop_id).await.unwrap().unwrap();
        let wish = orders::PlaceOrder {
            request_id: crate::domain::RequestId::new(self.ctx.env.uuid()),
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

    async fn tell(&self, drop_id: DropId, command: Command) {
        self.time();
        let (_, answer) = self
            .ctx
            .ledgers
            .call(drop_id, command, PATIENCE)
            .await
            .unwrap();
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
    }

    /// Begins to pay, and has the provider say this.
    async fn pay(&self, drop_id: DropId, buyer: usize, report: Report) -> crate::domain::OrderId {
        let order_id = self.place(drop_id, buyer).await;
        let call = Call {
            caller_id: self.people[buyer],
            method: Method::PayOrder,
            request_id: Some(crate::domain::RequestId::new(self.ctx.env.uuid())),
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

    async fn report(&self, drop_id: DropId, order_id: crate::domain::OrderId, report: Report) {
        let report = Command::ReportPayment {
            call: None,
            order_id,
            attempt: 1,
            report,
        };
        self.tell(drop_id, report).await;
    }

    async fn refund(&self, drop_id: DropId, order_id: crate::domain::OrderId, restock: bool) {
        let drop = self.ctx.store.get_drop(drop_id).await.unwrap().unwrap();
        let wish = orders::RefundOrder {
            request_id: crate::domain::RequestId::new(self.ctx.env.uuid()),
            drop_id,
            order_id,
            reason: "broken".to_owned(),
            restock,
        };
        orders::refund(&self.ctx, drop.creator_id, wish, PATIENCE)
            .await
            .unwrap();
    }

    /// Stops the ledgers once everything is projected and announced.
    async fn close(&self) {
        self.ctx.ledgers.shutdown().await;
        for drop_id in &self.drops {
            let entity = Entity {
                kind: EntityKind::Drop,
                id: drop_id.uuid(),
            };
            self.ctx.outbox.finish(entity).await.unwrap();
        }
    }

    fn tables(&self) -> Vec<(String, Vec<RawRow>)> {
        use redb::TableHandle as _;
        let rows = |table: &redb::TableDefinition<'static, _, _>| {
            (table.name().to_owned(), self.raw.raw_rows(*table))
        };
        raw::DERIVED.iter().map(rows).collect()
    }

    async fn rebuild(&self) -> Rebuilt {
        let consumers = projectors::consumers(&self.ctx.store, &Sinks::default());
        rebuild(&self.ctx.env, &self.ctx.store, &consumers, |_| ())
            .await
            .unwrap()
    }
}

fn ledgers(env: &SharedEnv, store: &SharedStore, sinks: &Sinks) -> Registry {
    let consumers = projectors::consumers(store, sinks);
    Registry::new(
        env.clone(),
        store.clone(),
        ProcessId::new(env.uuid()),
        consumers,
    )
}

/// Orders in every state; drops live, ended, cancelled late and early, and not frozen yet.
async fn busy_shop() -> Shop {
    let mut shop = Shop::new().await;
    let failed = Report::Failed(crate::domain::payment::FailReason::Declined);
    let now = Duration::ZERO;
    let live = shop.drop(500, now).await;
    shop.place(live, 2).await;
    shop.env.advance(Duration::from_secs(120));
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
    let request_id = || crate::domain::RequestId::new(shop.ctx.env.uuid());
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
    shop.time();
    let second = crate::domain::RequestId::new(shop.ctx.env.uuid());
    drops::cancel(&shop.ctx, ann, second, early, PATIENCE)
        .await
        .unwrap();
    shop.drop(100, 2 * day).await;
    shop.close().await;
    shop
}

#[tokio::test]
async fn rows_are_the_same_after_a_rebuild() {
    let shop = busy_shop().await;
    let before = shop.tables();
    let counts: Vec<_> = before.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(counts, [17, 17, 17, 4, 6, 6, 12], "{counts:?}");
    let states: std::collections::BTreeSet<_> = {
        let mut states = std::collections::BTreeSet::new();
        for (key, _) in &before[0].1 {
            let id = crate::domain::OrderId::from_slice(key).unwrap();
            states.insert(shop.raw.get_order(id).await.unwrap().unwrap().state);
        }
        states
    };
    use OrderState as S;
    let expected = [
        S::Held,
        S::ActionRequired,
        S::PaymentUnknown,
        S::Paid,
        S::Cancelled,
        S::Expired,
        S::RefundPending,
        S::Refunded,
    ];
    assert_eq!(states, expected.into());
    let told = shop.sink.ids().len();

    let done = shop.rebuild().await;
    assert_eq!((done.drops, done.ledgers, done.orders), (6, 4, 17));
    assert_eq!(done.wrong, []);
    assert_eq!(shop.tables(), before);
    assert!(!is_unfinished(&shop.ctx.store).await.unwrap());

    // A server that follows them up has nothing to do, and tells nothing twice.
    let next = ledgers(&shop.ctx.env, &shop.ctx.store, &sinks(&shop.sink));
    for drop_id in &shop.drops[..4] {
        next.ledger(*drop_id).await.unwrap();
    }
    next.shutdown().await;
    let ids = shop.sink.ids();
    let twice = ids[told..].iter().filter(|id| ids[..told].contains(id));
    assert_eq!(twice.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn whatever_is_wrong_with_derived_rows_is_healed() {
    let shop = busy_shop().await;
    let before = shop.tables();
    for (table, (name, rows)) in raw::DERIVED.into_iter().zip(&before) {
        let is_checkpoints = name == "ledger_checkpoints";
        // Those of other consumers can't be made again.
        let mut own = rows.iter().filter(|(key, _)| !key.ends_with(b"events"));
        let mut next = || own.next().unwrap().clone();
        let (key, _) = next();
        shop.raw.put_raw_row(table, key, None).await;
        let (key, _) = next();
        shop.raw
            .put_raw_row(table, key, Some(b"junk".to_vec()))
            .await;
        let (key, mut row) = next();
        // Pretends to be newer than all that will ever be.
        row.splice(..row.len().min(8), [0xff; 8]);
        shop.raw.put_raw_row(table, key, Some(row)).await;
        if !is_checkpoints {
            let key = [&rows[0].0[..], b"x"].concat();
            shop.raw.put_raw_row(table, key, Some(Vec::new())).await;
        }
    }
    assert!(
        shop.tables()
            .iter()
            .zip(&before)
            .all(|(now, then)| now != then)
    );
    shop.rebuild().await;
    for (now, then) in shop.tables().iter().zip(&before) {
        assert_eq!(now, then);
    }
}

#[tokio::test]
async fn checkpoints_of_others_stay_unless_they_are_of_another_ledger() {
    let shop = busy_shop().await;
    let (store, [kept, lost]) = (&shop.ctx.store, [shop.drops[0], shop.drops[1]]);
    let of = async |drop_id| {
        let all = store.get_checkpoints(drop_id).await.unwrap();
        let found = |name| all.iter().find(|(it, _)| it == name).unwrap().1;
        (found("orders"), found("events"))
    };
    let first = store.read_from(kept, 1, 1).await.unwrap().remove(0);
    let behind = Checkpoint {
        seq: 1,
        hash: first.hash,
    };
    store.put_checkpoint(kept, "events", behind).await.unwrap();
    let unknown = Checkpoint {
        seq: 1,
        hash: [7; 32],
    };
    store.put_checkpoint(lost, "events", unknown).await.unwrap();
    shop.rebuild().await;
    assert_eq!(of(kept).await.1, behind, "what was not told yet is told");
    let (orders, events) = of(lost).await;
    assert_eq!(events, orders, "told up to the head");
}

#[tokio::test]
async fn a_rebuild_that_was_cut_off_has_to_be_run_again() {
    let shop = busy_shop().await;
    let before = shop.tables();
    let faulty = Faulty::new(
        Arc::clone(&shop.raw),
        shop.ctx.env.clone(),
        FaultPlan::default(),
        1,
    );
    let faulty = Arc::new(faulty);
    let store: SharedStore = Arc::<Faulty<EmbeddedStore>>::clone(&faulty);
    let consumers = projectors::consumers(&store, &Sinks::default());
    for method in [
        StoreMethod::ScanDrops,
        StoreMethod::PutCreatorDrop,
        StoreMethod::PutOrderRefs,
    ] {
        faulty.force(method, Fault::Refuse);
        let cut_off = rebuild(&shop.ctx.env, &store, &consumers, |_| ()).await;
        assert!(matches!(
            cut_off,
            Err(RebuildError::Store(_) | RebuildError::Ledger(..))
        ));
        assert!(is_unfinished(&store).await.unwrap());
        let parts = Parts {
            store: Some(store.clone()),
            ..Parts::default()
        };
        let mut config = Config::new(Profile::Dev);
        config.server.listen = ([127, 0, 0, 1], 0).into();
        let started = App::start_with(&config, parts).await;
        assert!(
            matches!(started, Err(StartError::HalfRebuilt)),
            "{method:?}"
        );
    }
    shop.rebuild().await;
    assert!(!is_unfinished(&store).await.unwrap());
    assert_eq!(shop.tables(), before);
}

/// The others have to be served.
#[tokio::test]
async fn a_wrong_ledger_is_told_and_does_not_hold_up_the_others() {
    let shop = busy_shop().await;
    let before = shop.tables();
    let wrong = shop.drops[0];
    let rows = shop.raw.raw_rows(raw::DROP_LEDGER);
    let mut of_wrong = rows
        .into_iter()
        .filter(|(key, _)| key.starts_with(wrong.as_bytes()));
    let (key, mut row) = of_wrong.nth(4).unwrap();
    *row.last_mut().unwrap() ^= 1;
    shop.raw.put_raw_row(raw::DROP_LEDGER, key, Some(row)).await;

    let done = shop.rebuild().await;
    assert_eq!((done.drops, done.ledgers), (6, 3));
    let told: Vec<_> = done.wrong.iter().map(|(id, _)| *id).collect();
    assert_eq!(told, [wrong]);
    assert!(!is_unfinished(&shop.ctx.store).await.unwrap());
    let checkpoints = shop.raw.get_checkpoints(wrong).await.unwrap();
    let (_, orders) = checkpoints
        .iter()
        .find(|(name, _)| name == "orders")
        .unwrap();
    assert_eq!(orders.seq, 4, "projected up to where it is wrong");
    let others = |tables: &[(String, Vec<RawRow>)]| -> Vec<RawRow> {
        let statuses = tables[3].1.iter();
        statuses
            .filter(|(key, _)| key != wrong.as_bytes())
            .cloned()
            .collect()
    };
    assert_eq!(others(&shop.tables()), others(&before));
    assert_eq!(shop.raw.list_audit(wrong.uuid()).await.unwrap(), []);
}
