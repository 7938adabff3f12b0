//! How everything must stand in the end. First without touching anything: ledgers over the admin socket, which opens none, the provider's
//! file, and lists, which come from rows. Then in the store as a killed server leaves it, and at last by every read there is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use livedrop::v1;
use livedrop_server::{
    app::admin::client::RemoteLedgers,
    domain::{AccountId, DropId, OrderId, id::SHARDS, order::OrderState},
    env::{Env as _, SystemEnv},
    ledger::{
        DropView, Entry, Event, StockState,
        rows::SEGMENT,
        state::{Order, Phase},
        verify,
    },
    payments::test::{FILE_NAME, books},
    store::{
        LedgerStore, Order as Direction, PageRequest, SharedStore,
        outbox::{Entity, EntityKind},
    },
};

use super::{
    follows, products,
    stage::{End, Stage},
};

pub(super) type Seen<T = ()> = Result<T, String>;

/// A ledger and its orders.
struct Folded {
    state: StockState,
    orders: Vec<Arc<Order>>,
}

/// The running server's ledgers, for reading.
pub(super) async fn remote(stage: &Stage) -> RemoteLedgers {
    let remote = RemoteLedgers::connect(stage.data()).await.unwrap();
    remote.expect("the server runs")
}

/// All drops of a store.
pub(super) async fn drop_ids(store: &SharedStore) -> BTreeSet<DropId> {
    let drops = store.scan_drops(None, 100).await.unwrap();
    drops.iter().map(|drop| drop.drop_id).collect()
}

/// Whether the ledgers, the money and the lists stand as they must; opens no ledger.
pub(super) async fn seen(stage: &Stage, remote: &RemoteLedgers) -> Seen {
    let ledgers = fold(remote, &stage.drop_ids).await?;
    right(stage, &ledgers)?;
    for person in &stage.people {
        let ours = ledgers.iter().flat_map(|it| &it.orders);
        let ours = ours.filter(|order| order.buyer_id == person.account_id);
        let expected: BTreeMap<String, String> = ours
            .map(|order| (order.order_id.to_string(), order.state.as_str().to_owned()))
            .collect();
        let request = v1::ListOrdersRequest::default();
        let answer = stage.client(person).list_orders(request).await;
        let listed = answer.map_err(told)?.orders.into_iter();
        let listed: BTreeMap<String, String> = listed
            .map(|order| (order.order_id.clone(), state_name(&order)))
            .collect();
        same("a buyer's list", &listed, &expected)?;
    }
    Ok(())
}

/// Folds the ledgers of these drops, which checks them; leaves out those that have none.
async fn fold(store: &dyn LedgerStore, drop_ids: &BTreeSet<DropId>) -> Seen<Vec<Folded>> {
    let mut ledgers = Vec::new();
    for drop_id in drop_ids.iter().copied() {
        let mut ids: Vec<OrderId> = Vec::new();
        let held = |entry: &Entry| {
            let Event::Held { order_id, .. } = entry.event else {
                return None;
            };
            Some(order_id)
        };
        let report = verify::verify(store, drop_id, |_, entries| {
            ids.extend(entries.iter().filter_map(held));
        });
        let state = report.await.map_err(told)?.state;
        if state.seq() > 0 {
            let orders = ids.iter().filter_map(|id| state.order(*id).cloned());
            let orders = orders.collect();
            ledgers.push(Folded { state, orders });
        }
    }
    Ok(ledgers)
}

/// Orders as expected, units that add up, nothing left to do, and every cent where it belongs.
fn right(stage: &Stage, ledgers: &[Folded]) -> Seen {
    same("ledgers", &ledgers.len(), &stage.drops.count)?;
    for Folded { state, orders } in ledgers {
        let status = DropView::of(state).row(state.ledger_id(), state.recorded_at());
        same("drop", &status.state, &stage.drops.state)?;
        for item in state.items() {
            let units = |of: &dyn Fn(&Order) -> bool| -> i64 {
                let theirs = orders.iter().filter(|order| of(order));
                let lines = theirs.flat_map(|order| order.lines.iter());
                let lines = lines.filter(|line| line.item_id == item.item_id);
                lines.map(|line| i64::from(line.quantity)).sum()
            };
            same("units add up", &item.is_consistent(), &true)?;
            same("held", &item.held, &units(&|order| is_held(order.state)))?;
            // Refunded units are not put back here.
            same("sold", &item.sold, &units(&|order| order.paid_attempt > 0))?;
        }
        for attempt in state.unfinished() {
            let order = state.order(attempt.order_id).ok_or("no order")?;
            same("unfinished", &order.state, &OrderState::ActionRequired)?;
        }
        let has_open = orders.iter().any(|order| is_held(order.state));
        if state.phase().is_over() && !has_open {
            same("sealed", &matches!(state.phase(), Phase::Sealed(_)), &true)?;
        }
    }
    let orders: Vec<_> = ledgers.iter().flat_map(|it| &it.orders).collect();
    for order in &orders {
        let whose = |id: AccountId| stage.people.iter().any(|it| it.account_id == id);
        same("known buyer", &whose(order.buyer_id), &true)?;
    }
    for person in &stage.people {
        let mut theirs = orders
            .iter()
            .filter(|order| order.buyer_id == person.account_id);
        let found = theirs.next();
        same("one order at most", &theirs.count(), &0)?;
        as_expected(found.map(|order| &***order), person.end)?;
    }
    money(stage, &orders)?;
    webhooks(stage)
}

fn as_expected(order: Option<&Order>, end: End) -> Seen {
    let has_error = order.is_some_and(|order| order.payment_error.is_some());
    let state = order.map(|order| order.state);
    let is_right = match end {
        End::NoOrder => state.is_none(),
        End::Is(expected) => state == Some(expected),
        End::IsIfAny(expected) => state.is_none_or(|state| state == expected),
        End::Declined => state == Some(OrderState::Held) && has_error,
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("order: {state:?}, expected {end:?}"))
    }
}

/// Captured minus refunded is what a paid order costs, and nothing for all others, by the provider's own file.
fn money(stage: &Stage, orders: &[&Arc<Order>]) -> Seen {
    let books = books::read(&stage.data().join(FILE_NAME)).map_err(told)?;
    let kept: BTreeMap<OrderId, i64> = books
        .orders()
        .into_iter()
        .map(|(id, sums)| (id, sums.captured_minor - sums.refunded_minor))
        .filter(|(_, kept)| *kept != 0)
        .collect();
    let paid = orders.iter().filter(|it| it.state == OrderState::Paid);
    let owed: BTreeMap<OrderId, i64> = paid.map(|it| (it.order_id, it.total_minor)).collect();
    same("money", &kept, &owed)
}

/// Whatever the provider had to tell was taken, if perhaps only by the server that came back.
fn webhooks(stage: &Stage) -> Seen {
    let file = std::fs::read_to_string(stage.data().join(FILE_NAME)).map_err(told)?;
    let mut owed: BTreeSet<String> = BTreeSet::new();
    // The last line may be half written.
    for line in file.lines().filter(|line| line.ends_with('}')) {
        let line: serde_json::Value = serde_json::from_str(line).map_err(told)?;
        let Some(event) = line["event"].as_str() else {
            continue;
        };
        if line["fact"] == "webhook_delivered" {
            owed.remove(event);
        } else {
            owed.insert(event.to_owned());
        }
    }
    same("webhooks owed", &owed.len(), &0)
}

const fn is_held(state: OrderState) -> bool {
    use OrderState::{ActionRequired, Held, PaymentPending, PaymentUnknown};
    matches!(
        state,
        Held | PaymentPending | PaymentUnknown | ActionRequired
    )
}

/// What must be in the store in the end: rows, lists, checkpoints, announcements, and no open ends.
pub(super) async fn stored(stage: &Stage, store: &SharedStore) -> Seen {
    let ledgers = fold(&**store, &stage.drop_ids).await?;
    right(stage, &ledgers)?;
    for ledger in &ledgers {
        rows(stage, store, ledger).await?;
    }
    for person in &stage.people {
        listed(store, person.account_id, &ledgers).await?;
    }
    follows::listed(store).await?;
    products::listed(store).await?;
    open_ends(stage, store, &ledgers).await
}

/// Everything that a ledger is projected into is as its fold says, and as new.
async fn rows(stage: &Stage, store: &SharedStore, Folded { state, orders }: &Folded) -> Seen {
    let drop_id = state.ledger_id();
    let terms = state.terms().ok_or("no terms")?;
    let mut listed = Vec::new();
    for segment in 0..=state.seq() / SEGMENT {
        let page = store.list_drop_orders(drop_id, segment, all()).await;
        listed.extend(page.map_err(told)?);
    }
    let mut expected: Vec<_> = orders.iter().map(|order| order.order_id).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    same("a drop's list", &listed, &expected)?;
    for order in orders {
        let row = store.get_order(order.order_id).await.map_err(told)?;
        same("a row", &row, &Some(order.row(drop_id, terms)))?;
    }
    let status = store.get_drop_status(drop_id).await.map_err(told)?;
    let expected = DropView::of(state).row(drop_id, state.recorded_at());
    same("a drop's status", &status, &Some(expected))?;
    let checkpoints = store.get_checkpoints(drop_id).await.map_err(told)?;
    let names: Vec<_> = checkpoints.iter().map(|(name, _)| name.as_str()).collect();
    same("consumers", &names, &vec!["drop_status", "orders"])?;
    for (name, checkpoint) in &checkpoints {
        let at = (checkpoint.seq, checkpoint.hash);
        same(name, &at, &(state.seq(), state.head_hash()))?;
    }
    let creator_id = terms.creator_id;
    let drops = store.list_creator_drops(creator_id, all()).await;
    let is_listed = drops.map_err(told)?.iter().any(|(_, id)| *id == drop_id);
    same("a creator's list", &is_listed, &true)?;
    let version = stage.drops.version;
    announced(store, EntityKind::Drop, drop_id.uuid(), version).await
}

/// A person's list of orders, and that the person was announced.
async fn listed(store: &SharedStore, account_id: AccountId, ledgers: &[Folded]) -> Seen {
    let ours = ledgers.iter().flat_map(|ledger| {
        let drop_id = ledger.state.ledger_id();
        ledger.orders.iter().map(move |order| order.listed(drop_id))
    });
    let expected: Vec<_> = ours.filter(|it| it.buyer_id == account_id).collect();
    let month = SystemEnv.now().month();
    let mut found = Vec::new();
    // A scenario may begin in one month and end in the next.
    for month in [month - 1, month] {
        let page = store.list_buyer_orders(account_id, month, all()).await;
        found.extend(page.map_err(told)?);
    }
    same("a buyer's list", &found, &expected)?;
    announced(store, EntityKind::Account, account_id.uuid(), 1).await?;
    match store.get_creator(account_id).await.map_err(told)? {
        Some(_) => announced(store, EntityKind::Creator, account_id.uuid(), 1).await,
        None => Ok(()),
    }
}

async fn announced(
    store: &SharedStore,
    kind: EntityKind,
    id: livedrop::Uuid,
    expected: i64,
) -> Seen {
    announced_at(store, Entity { kind, id }, expected).await
}

/// A row was announced last at this version.
pub(super) async fn announced_at(store: &SharedStore, entity: Entity, version: i64) -> Seen {
    let found = store.get_announced(entity).await;
    same("announced", &found.map_err(told)?, &version)
}

/// Ledgers are noted as open where something is open, by one process only unless others may wake up; intents are left only where the relay can't know what came
/// of them.
async fn open_ends(stage: &Stage, store: &SharedStore, ledgers: &[Folded]) -> Seen {
    let hour = SystemEnv.now().hour();
    let (mut noted, mut intents) = (Vec::new(), Vec::new());
    for shard in 0..SHARDS {
        noted.extend(store.list_open(shard, None, 100).await.map_err(told)?);
        for hour in [hour - 1, hour] {
            let page = store.list_intents(shard, hour, all()).await;
            intents.extend(page.map_err(told)?);
        }
    }
    let mut ids: Vec<_> = noted.iter().map(|it| it.ledger_id).collect();
    ids.dedup();
    if store.is_exclusive() {
        same("dead processes' notes", &noted.len(), &ids.len())?;
    }
    for ledger in ledgers {
        let is_noted = ids.contains(&ledger.state.ledger_id());
        let has_open = ledger.orders.iter().any(|order| is_held(order.state));
        same("open and not noted", &(has_open && !is_noted), &false)?;
    }
    // A drop's may lie under the freeze: the relay then can't tell that it came, and keeps it for ten minutes.
    intents.retain(|intent| intent.entity.kind != EntityKind::Drop);
    same("intents", &intents.len(), &stage.lost_changes)
}

/// Every read of a running server answers the same.
pub(super) async fn readable(stage: &Stage) {
    let remote = remote(stage).await;
    for Folded { state, orders } in fold(&remote, &stage.drop_ids).await.unwrap() {
        let drop_id = state.ledger_id().to_string();
        let creator_id = state.terms().unwrap().creator_id;
        let clients: BTreeMap<AccountId, _> = stage
            .people
            .iter()
            .map(|person| (person.account_id, stage.client(person)))
            .collect();
        let creator = &clients[&creator_id];
        let request = v1::ListDropOrdersRequest {
            drop_id: drop_id.clone(),
            ..Default::default()
        };
        let listed = creator.list_drop_orders(request).await.unwrap().orders;
        assert_eq!(listed.len(), orders.len(), "{}", stage.name);
        for order in &orders {
            let request = v1::GetOrderRequest {
                drop_id: drop_id.clone(),
                order_id: order.order_id.to_string(),
                min_seq: 0,
            };
            let buyer = &clients[&order.buyer_id];
            let mut read = buyer.get_order(request).await.unwrap().order.unwrap();
            assert_eq!(state_name(&read), order.state.as_str(), "{}", stage.name);
            // The creator, who lists, does not see it.
            read.action_url.clear();
            assert!(listed.contains(&read), "{}", stage.name);
        }
        let request = v1::GetDropRequest { drop_id };
        let read = creator.get_drop(request).await.unwrap().drop.unwrap();
        for (read, item) in read.items.iter().zip(state.items()) {
            let stock = read.stock.unwrap();
            let of = |stock: &v1::ItemStock| (stock.available, stock.held, stock.sold);
            let expected = (item.available, item.held, item.sold);
            assert_eq!(of(&stock), expected, "{}", stage.name);
        }
    }
}

pub(super) fn all<K>() -> PageRequest<K> {
    PageRequest {
        after: None,
        limit: 100,
        order: Direction::Ascending,
    }
}

fn state_name(order: &v1::Order) -> String {
    let name = order.state().as_str_name();
    name.strip_prefix("ORDER_STATE_").unwrap().to_owned()
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Seen {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?}, expected {expected:?}"))
    }
}

pub(super) fn told(error: impl std::error::Error) -> String {
    error.to_string()
}
