//! Drawn wishes, made into commands that fit what has happened so far.

use super::{
    Trio,
    op::{BUYERS, Op},
};
use crate::{
    domain::{AccountId, Money, OrderId, order::OrderState},
    ledger::{
        Command, Line, Method,
        command::{PayBy, Report},
        state::{AttemptState, tests::reference::Reference},
        testing::{buyer_id, call, creator_id, item_id, order_id, request_id},
    },
};

impl Trio {
    pub(super) fn command(&mut self, op: &Op, draft: &Reference) -> Command {
        let line = |&(item, quantity): &(usize, i32)| Line {
            item_id: item_id(item),
            quantity,
        };
        match op {
            Op::Place {
                buyer,
                lines,
                request,
                fingerprint,
                retry_count,
                expects,
                pays,
            } => {
                self.orders += 1;
                Command::PlaceOrder {
                    call: call(
                        buyer_id(*buyer),
                        Method::PlaceOrder,
                        Some(request_id(*request)),
                        *fingerprint,
                    ),
                    order_id: order_id(self.orders),
                    lines: lines.iter().map(line).collect(),
                    pay_by: pays.then(|| pay_by(*request)),
                    expected_total: expects.map(|amount_minor| Money {
                        currency: self.terms.currency,
                        amount_minor,
                    }),
                    retry_count: *retry_count,
                }
            }
            Op::Said {
                order_id,
                attempt,
                report,
            } => Command::ReportPayment {
                call: None,
                order_id: *order_id,
                attempt: *attempt,
                report: report.clone(),
            },
            Op::Pay { .. } | Op::Refund { .. } | Op::Report { .. } | Op::GetAttempt { .. } => {
                money_command(op, draft)
            }
            Op::Cancel { buyer, order } => Command::CancelOrder {
                call: call(buyer_id(*buyer), Method::CancelOrder, None, 0),
                order_id: order_id(self.orders.saturating_sub(*order / 4)),
            },
            Op::Get { buyer, order } => Command::GetOrder {
                caller_id: if *buyer == BUYERS {
                    creator_id()
                } else {
                    buyer_id(*buyer)
                },
                order_id: order_id(self.orders.saturating_sub(*order)),
            },
            Op::Restock {
                request,
                item,
                units,
            } => Command::RestockDrop {
                call: call(
                    creator_id(),
                    Method::RestockDrop,
                    Some(request_id(*request)),
                    u8::from(*units == 3),
                ),
                item_id: item_id(*item),
                units: *units,
                reason: String::new(),
            },
            Op::End => Command::EndDrop {
                call: call(creator_id(), Method::EndDrop, None, 0),
            },
            Op::CancelDrop {
                request,
                fingerprint,
            } => Command::CancelDrop {
                call: call(
                    creator_id(),
                    Method::CancelDrop,
                    Some(request_id(*request)),
                    *fingerprint,
                ),
            },
            Op::GetDrop => Command::GetDrop,
        }
    }
}

/// The nth youngest order, those first that the command is likely to move, and its buyer; one that nobody placed if there are too few.
fn aged(draft: &Reference, age: usize, is_apt: impl Fn(OrderId) -> bool) -> (OrderId, AccountId) {
    let orders = draft.orders();
    let apt = orders.iter().rev().filter(|it| is_apt(it.0));
    let nth = apt.chain(orders.iter().rev()).nth(age).copied();
    nth.unwrap_or((order_id(0), buyer_id(0)))
}

/// The attempt of this number; for 0 the newest that the report is likely to move, else the newest.
fn numbered(draft: &Reference, order_id: OrderId, attempt: i32, report: Option<&Report>) -> i32 {
    let attempts = draft.attempts(order_id);
    let is_apt = |state: &AttemptState| report.is_some_and(|report| is_apt(*state, report));
    let newest = attempts.iter().rposition(is_apt);
    match attempt {
        0 => i32::try_from(newest.map_or(attempts.len(), |at| at + 1)).unwrap(),
        _ => attempt,
    }
}

fn is_apt(state: AttemptState, report: &Report) -> bool {
    match report {
        Report::Waiting(..) | Report::Failed(_) => matches!(state, AttemptState::Open(_)),
        Report::Captured => matches!(state, AttemptState::Open(_) | AttemptState::Failed),
        Report::Refunded => matches!(state, AttemptState::Refunding { .. }),
    }
}

fn pay_by(request: u128) -> PayBy {
    PayBy {
        provider: "test".to_owned(),
        method: format!("pm_{request}").parse().unwrap(),
    }
}

fn money_command(op: &Op, draft: &Reference) -> Command {
    match op {
        Op::Pay {
            age,
            by,
            request,
            fingerprint,
            retry_count,
        } => {
            let is_held = |id| draft.state_of(id) == Some(OrderState::Held);
            let (order_id, buyer) = aged(draft, *age, is_held);
            let caller = by.map_or(buyer, buyer_id);
            let id = Some(request_id(*request));
            Command::PayOrder {
                call: call(caller, Method::PayOrder, id, *fingerprint),
                order_id,
                pay_by: pay_by(*request),
                retry_count: *retry_count,
            }
        }
        Op::Refund {
            age,
            is_creator,
            request,
            fingerprint,
            restock,
        } => {
            let is_paid = |id| draft.state_of(id) == Some(OrderState::Paid);
            let (order_id, buyer) = aged(draft, *age, is_paid);
            let caller = if *is_creator { creator_id() } else { buyer };
            let id = Some(request_id(*request));
            Command::RefundOrder {
                call: call(caller, Method::RefundOrder, id, *fingerprint),
                order_id,
                reason: "too small".to_owned(),
                restock: *restock,
            }
        }
        Op::Report {
            age,
            attempt,
            report,
            settled,
        } => {
            let has_apt = |id| draft.attempts(id).iter().any(|it| is_apt(*it, report));
            let (order_id, _) = aged(draft, *age, has_apt);
            let operator =
                |n: u128| call(creator_id(), Method::SettleOrder, Some(request_id(n)), 0);
            Command::ReportPayment {
                call: settled.map(operator),
                order_id,
                attempt: numbered(draft, order_id, *attempt, Some(report)),
                report: report.clone(),
            }
        }
        Op::GetAttempt { age, attempt } => {
            let (order_id, _) = aged(draft, *age, |_| true);
            let attempt = numbered(draft, order_id, *attempt, None);
            Command::GetAttempt { order_id, attempt }
        }
        _ => panic!("{op:?} is not about money"),
    }
}
