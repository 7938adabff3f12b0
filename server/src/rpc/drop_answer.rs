//! Drops as the contract shows them.

use livedrop_proto::v1;

use super::fields::{to_money, to_span, to_time};
use crate::{
    domain::drop::Item,
    ledger::{
        DropView,
        entry::CloseReason,
        state::{self, Phase},
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
        state: state(drop.cancelled, ledger).into(),
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
        etag: drop.version.to_string(),
        frozen: drop.is_frozen(),
        seq: ledger.map_or(0, |view| i64::try_from(view.seq).unwrap_or(i64::MAX)),
    }
}

fn state(is_cancelled: bool, ledger: Option<&DropView>) -> v1::DropState {
    match ledger.map_or(Phase::Empty, |view| view.phase) {
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
    v1::DropItem {
        item_id: item.item_id.to_string(),
        title: item.title.clone(),
        unit_price: Some(to_money(details.drop.currency, item.unit_price_minor)),
        limit_per_buyer: item.limit_per_buyer,
        stock: Some(stock),
    }
}
