//! Drops as the contract shows them.

use livedrop_proto::v1;

use super::fields::{to_money, to_span, to_time};
use crate::{
    domain::{DropId, drop::Item},
    ledger::{
        entry::CloseReason,
        state::{self, ChangeKind, DropChange, Phase, Position},
    },
    service::drops::DropDetails,
};

/// The drop, its stock from the ledger, or from the row while that rules.
pub(super) fn drop(details: &DropDetails) -> v1::Drop {
    let (drop, ledger) = (&*details.drop, details.ledger.as_deref());
    v1::Drop {
        drop_id: drop.drop_id.to_string(),
        creator_id: drop.creator_id.to_string(),
        title: drop.title.clone(),
        description: drop.description.clone(),
        state: state(
            drop.cancelled,
            ledger.map_or(Phase::Empty, |view| view.phase),
        )
        .into(),
        items: drop
            .items
            .iter()
            .map(|item| self::item(details, item))
            .collect(),
        limit_per_buyer: drop.limit_per_buyer,
        opens_at: Some(to_time(drop.opens_at)),
        ends_at: Some(to_time(drop.ends_at)),
        hold_duration: Some(to_span(drop.hold)),
        low_stock_threshold: drop.low_stock_threshold,
        sold_out: ledger.is_some_and(|view| view.is_sold_out),
        created_at: Some(to_time(drop.created_at)),
        etag: drop.etag(),
        frozen: drop.is_frozen(),
        seq: ledger.map_or(0, |view| i64::try_from(view.seq).unwrap_or(i64::MAX)),
        // `drop_embeds` fills them in.
        creator: None,
        products: Vec::new(),
    }
}

/// The stock of all items.
pub(super) fn stock(details: &DropDetails) -> v1::DropStock {
    let v1::Drop {
        seq,
        sold_out,
        items,
        ..
    } = drop(details);
    let item = |v1::DropItem { item_id, stock, .. }| v1::DropStockItem { item_id, stock };
    v1::DropStock {
        seq,
        sold_out,
        items: items.into_iter().map(item).collect(),
    }
}

/// A step of the drop's life.
pub(super) fn change(drop_id: DropId, change: &DropChange) -> v1::DropChange {
    use v1::DropChangeKind as Kind;
    let Position {
        seq,
        index,
        recorded_at,
    } = change.at;
    let (kind, item_id, unit_count) = match change.kind {
        ChangeKind::WentLive => (Kind::WentLive, None, 0),
        ChangeKind::LowStock(item_id) => (Kind::LowStock, Some(item_id), 0),
        ChangeKind::SoldOut => (Kind::SoldOut, None, 0),
        ChangeKind::Restocked { item_id, units } => (Kind::Restocked, Some(item_id), units),
        ChangeKind::Closed(CloseReason::Cancelled) => (Kind::Cancelled, None, 0),
        ChangeKind::Closed(CloseReason::Ended | CloseReason::EndedEarly) => (Kind::Ended, None, 0),
    };
    v1::DropChange {
        event_id: format!("{drop_id}/{seq}/{index}"),
        kind: kind.into(),
        state: state(false, change.phase).into(),
        sold_out: change.is_sold_out,
        seq: i64::try_from(seq).unwrap_or(i64::MAX),
        occurred_at: Some(to_time(recorded_at)),
        item_id: item_id.map(|id| id.to_string()).unwrap_or_default(),
        unit_count,
        drop: None,
    }
}

/// A change of the drop's row: of its description or terms, or that it was called off before it had a ledger.
pub(super) fn row_change(details: &DropDetails) -> v1::DropChange {
    let row = &*details.drop;
    let kind = if row.cancelled {
        v1::DropChangeKind::Cancelled
    } else {
        v1::DropChangeKind::Updated
    };
    let drop = drop(details);
    v1::DropChange {
        event_id: format!("{}/row/{}", row.drop_id, row.public_version()),
        kind: kind.into(),
        state: drop.state,
        sold_out: drop.sold_out,
        seq: drop.seq,
        occurred_at: Some(to_time(row.changed_at)),
        item_id: String::new(),
        unit_count: 0,
        drop: Some(drop),
    }
}

fn state(is_cancelled: bool, phase: Phase) -> v1::DropState {
    match phase {
        Phase::Empty if is_cancelled => v1::DropState::Cancelled,
        Phase::Empty | Phase::Scheduled => v1::DropState::Scheduled,
        Phase::Live => v1::DropState::Live,
        Phase::Closed(CloseReason::Cancelled) | Phase::Sealed(CloseReason::Cancelled) => {
            v1::DropState::Cancelled
        }
        Phase::Closed(_) | Phase::Sealed(_) => v1::DropState::Ended,
    }
}

fn item(details: &DropDetails, item: &Item) -> v1::DropItem {
    let counts = details
        .ledger
        .as_ref()
        .and_then(|view| view.items.iter().find(|it| it.item_id == item.item_id));
    let stock = match counts {
        Some(&state::Item {
            initial,
            restocked,
            available,
            held,
            sold,
            ..
        }) => v1::ItemStock {
            initial,
            restocked,
            available,
            held,
            sold,
        },
        None => v1::ItemStock {
            initial: item.stock,
            available: item.stock,
            ..v1::ItemStock::default()
        },
    };
    let product = item.product;
    v1::DropItem {
        item_id: item.item_id.to_string(),
        title: item.title.clone(),
        unit_price: Some(to_money(details.drop.currency, item.unit_price_minor)),
        limit_per_buyer: item.limit_per_buyer,
        stock: Some(stock),
        product_id: product
            .map(|it| it.product_id.to_string())
            .unwrap_or_default(),
        variant_id: product
            .map(|it| it.variant_id.to_string())
            .unwrap_or_default(),
    }
}
