//! What a ledger answers, read from its fold after the record that the answer rests on is stored.

use std::sync::Arc;

use super::{
    command::{Outcome, Refusal},
    entry::Terms,
    state::{Attempt, DropChange, Item, Order, Phase, StockState},
};
use crate::domain::ItemId;

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An order in its present state.
    Order(Box<OrderView>),
    /// An attempt to pay, in its present state.
    Attempt(Box<AttemptView>),
    /// The drop in its present state.
    Drop(Arc<DropView>),
    /// Not done, and why.
    Refused(Refusal),
}

/// An order, with what a client wants beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// The order.
    pub order: Arc<Order>,
    /// The terms it was placed under.
    pub terms: Arc<Terms>,
    /// Units left of the ordered items, in the order of the lines.
    pub stock_left: Vec<(ItemId, i64)>,
    /// Hash of the record that holds the order's proof.
    pub proof_hash: [u8; 32],
}

/// An attempt to pay, with what its runner wants beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptView {
    /// The attempt.
    pub attempt: Arc<Attempt>,
    /// Its order.
    pub order: Arc<Order>,
    /// The terms the order was placed under.
    pub terms: Arc<Terms>,
    /// Where the drop's life stands.
    pub phase: Phase,
}

/// A drop as of its newest record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropView {
    /// That record.
    pub seq: u64,
    /// Where the drop's life stands.
    pub phase: Phase,
    /// Counts, ascending by item id.
    pub items: Vec<Item>,
    /// Nothing available, nothing held.
    pub is_sold_out: bool,
    /// The steps of its life up to that record, in the ledger's order; none if the view was made of a row.
    pub changes: Arc<Vec<DropChange>>,
}

impl DropView {
    /// The drop as the state has it.
    #[must_use]
    pub fn of(state: &StockState) -> Self {
        Self {
            seq: state.seq(),
            phase: state.phase(),
            items: state.items().to_vec(),
            is_sold_out: state.is_sold_out(),
            changes: state.changes().clone(),
        }
    }
}

impl Answer {
    /// The answer that an outcome has in this state; `None` if the state does not know what the outcome names.
    #[must_use]
    pub fn of(outcome: Outcome, state: &StockState, drop: &Arc<DropView>) -> Option<Self> {
        Some(match outcome {
            Outcome::Refused(refusal) => Self::Refused(refusal),
            Outcome::Drop => Self::Drop(drop.clone()),
            Outcome::Attempt(order_id, attempt) => Self::Attempt(Box::new(AttemptView {
                attempt: state.attempt(order_id, attempt)?.clone(),
                order: state.order(order_id)?.clone(),
                terms: state.terms()?.clone(),
                phase: state.phase(),
            })),
            Outcome::Order(order_id) => {
                let order = state.order(order_id)?.clone();
                let left = |line: &super::Line| {
                    (
                        line.item_id,
                        state.item(line.item_id).map_or(0, |it| it.available),
                    )
                };
                Self::Order(Box::new(OrderView {
                    terms: state.terms()?.clone(),
                    stock_left: order.lines.iter().map(left).collect(),
                    proof_hash: state.record_hash(order.proof.seq)?,
                    order,
                }))
            }
        })
    }
}
