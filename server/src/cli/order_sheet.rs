//! An order and its payments for people. The payment method's token is nowhere in it.

use std::fmt::Write as _;

use crate::{
    domain::Money,
    service::operator::{AttemptSheet, OrderSheet},
};

/// The sheet as lines.
pub(super) fn render(sheet: &OrderSheet) -> String {
    let order = &sheet.order;
    let mut text = String::new();
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| format!("{} x {}", line.quantity, line.item_id))
        .collect();
    let mut row = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name:<14}{value}");
    };
    row("order", &order.order_id);
    row("drop", &order.drop_id);
    row("buyer", &order.buyer_id);
    row("state", &order.state.as_str());
    row(
        "total",
        &Money {
            currency: order.currency,
            amount_minor: order.total_minor,
        },
    );
    row("lines", &lines.join(", "));
    row("placed", &order.created_at);
    row("held until", &order.hold_expires_at);
    row(
        "changed",
        &format_args!("{} (record {})", order.updated_at, order.updated.seq),
    );
    if let Some(error) = &order.payment_error {
        row("failed", error);
    }
    if sheet.attempts.is_empty() {
        row("attempts", &"none");
    }
    for attempt in &sheet.attempts {
        row("attempt", &told(attempt, sheet));
    }
    for entry in &sheet.audit {
        let (at, actor) = (entry.at, &entry.actor);
        row(
            "by hand",
            &format_args!("{at} {} by {actor}: {}", entry.action, entry.detail),
        );
    }
    text
}

fn told(attempt: &AttemptSheet, sheet: &OrderSheet) -> String {
    let reference = match (&attempt.reference, attempt.noted_at) {
        (Some(reference), Some(noted_at)) => format!("{reference}, noted {noted_at}"),
        (Some(reference), None) => reference.clone(),
        (None, _) => "no reference".to_owned(),
    };
    let amount = Money {
        currency: sheet.order.currency,
        amount_minor: attempt.amount_minor,
    };
    let paid = if attempt.attempt == sheet.paid_attempt {
        ", paid the order"
    } else {
        ""
    };
    format!(
        "{} {}{paid}; {amount} at {} ({reference}), begun {}",
        attempt.attempt, attempt.state, attempt.provider, attempt.started_at
    )
}
