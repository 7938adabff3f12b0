//! The server's ledger engine: a registry, a writer, a real store; no network, no accounts.

use std::time::Duration;

use anyhow::{bail, ensure};
use livedrop_server::{
    domain::{
        AccountId, DropId, ItemId, OrderId, ProcessId, RequestId, Timestamp,
        drop::{Drop, Item},
    },
    env::{Env as _, SharedEnv, SystemEnv},
    events::Sinks,
    ledger::{Answer, Call, Command, LedgerError, Line, Method, Registry},
    projectors,
    store::{Put, SharedStore},
    telemetry,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::{
    log::Log,
    turn::{EngineTurn, Orders, Turn, Window},
};
use crate::rush::cpu_of;

/// More than any turn can sell.
const STOCK: i64 = 1_000_000_000;
/// Nothing expires during a turn.
const HOLD: Duration = Duration::from_secs(1800);
const DAY: Duration = Duration::from_secs(86_400);
/// As long as a server gives a `PlaceOrder`.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waiting for the store is counted in it.
const WAITED: &str = "livedrop_ledger_append_seconds_sum ";

/// The engine on a store.
#[derive(Debug)]
pub(super) struct Engine {
    store: SharedStore,
    is_projecting: bool,
    metrics: Metrics,
}

/// The metrics of this process, as a server would show them.
struct Metrics(Box<dyn Fn() -> String + Send + Sync>);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics(..)")
    }
}

impl Metrics {
    /// Seconds that writers have waited for the store so far.
    fn waited(&self) -> f64 {
        let shown = (self.0)();
        let found = shown.lines().find_map(|line| line.strip_prefix(WAITED));
        found.and_then(|value| value.parse().ok()).unwrap_or(0.0)
    }
}

impl Engine {
    /// Counts from now on. At most one may be made in a process.
    pub(super) fn new(store: SharedStore, is_projecting: bool) -> anyhow::Result<Self> {
        let handle = telemetry::install_metrics()?;
        Ok(Self {
            store,
            is_projecting,
            metrics: Metrics(Box::new(move || handle.render())),
        })
    }

    /// Sells a new drop to `buyers` at once until the window is over.
    pub(super) async fn sell(&self, buyers: u32, window: Window) -> anyhow::Result<Turn> {
        let drop = row()?;
        ensure!(self.store.insert_drop(&drop).await? == Put::Done);
        let env: SharedEnv = std::sync::Arc::new(SystemEnv);
        let consumers = match self.is_projecting {
            true => projectors::consumers(&env, &self.store, &Sinks::default()),
            false => Vec::new(),
        };
        let process_id = ProcessId::new(env.uuid());
        let registry = Registry::new(env, self.store.clone(), process_id, consumers);
        registry.ledger(drop.drop_id).await?;

        let mut crowd = JoinSet::new();
        for _ in 0..buyers {
            crowd.spawn(buy(registry.clone(), drop.clone(), window));
        }
        let watch = async {
            sleep_until(window.from).await;
            let before = (SystemEnv.now(), self.metrics.waited(), cpu_of("self"));
            sleep_until(window.until).await;
            let after = (SystemEnv.now(), self.metrics.waited(), cpu_of("self"));
            (before, after)
        };
        let (all, (before, after)) = tokio::join!(crowd.join_all(), watch);
        let orders = Orders::join(all.into_iter().collect::<anyhow::Result<Vec<_>>>()?);
        let ended = Instant::now();
        // Waits for the projectors.
        registry.shutdown().await;
        let projected_after = ended.elapsed();

        let log = Log::read(&*self.store, drop.drop_id, before.0, after.0).await?;
        let possible = orders.answered..=orders.answered + orders.unknown;
        let stored = log.holds_ever;
        ensure!(
            possible.contains(&stored),
            "{} orders were answered, the ledger has {stored}",
            orders.answered
        );
        let engine = EngineTurn {
            log,
            waited: (after.1 - before.1) / window.span().as_secs_f64(),
            cpu: after.2.saturating_sub(before.2),
            projected_after,
        };
        Ok(Turn {
            span: window.span(),
            orders,
            engine: Some(engine),
        })
    }
}

/// Places one order after the other, each as another person.
async fn buy(registry: Registry, drop: Drop, window: Window) -> anyhow::Result<Orders> {
    let mut orders = Orders::default();
    let mut items = drop.items.iter().cycle();
    while let Some(item) = items.next()
        && !window.is_over()
    {
        let begun = Instant::now();
        match registry.call(drop.drop_id, order(item), PATIENCE).await {
            Ok((_, Answer::Order(_))) => orders.answered(begun, Instant::now(), &window),
            Ok((_, answer)) => bail!("an order is answered by {answer:?}"),
            Err(LedgerError::Unavailable(_)) => orders.unknown += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(orders)
}

/// The order of somebody who never came before.
pub(super) fn order(item: &Item) -> Command {
    Command::PlaceOrder {
        call: Call {
            caller_id: AccountId::new(Uuid::now_v7()),
            method: Method::PlaceOrder,
            request_id: Some(RequestId::new(Uuid::now_v7())),
            fingerprint: [5; 32],
        },
        order_id: OrderId::new(Uuid::now_v7()),
        lines: vec![Line {
            item_id: item.item_id,
            quantity: 1,
        }],
        expected_total: None,
        pay_by: None,
        retry_count: 0,
    }
}

/// A drop of three items, open since yesterday.
pub(super) fn row() -> anyhow::Result<Drop> {
    let now = SystemEnv.now();
    let item = |number| Item {
        item_id: ItemId::new(Uuid::now_v7()),
        title: format!("item {number}"),
        stock: STOCK,
        unit_price_minor: 1999,
        limit_per_buyer: 0,
        product: None,
    };
    Ok(Drop {
        drop_id: DropId::new(Uuid::now_v7()),
        creator_id: AccountId::new(Uuid::now_v7()),
        version: 1,
        op_id: Uuid::new_v4(),
        title: "measured".to_owned(),
        description: String::new(),
        currency: "EUR".parse()?,
        items: (1..=3).map(item).collect(),
        limit_per_buyer: 4,
        opens_at: now - DAY,
        ends_at: now + DAY,
        hold: HOLD,
        low_stock_threshold: 0,
        created_at: now - DAY,
        changed_at: Timestamp::default(),
        cancelled: false,
        secret: None,
    })
}
