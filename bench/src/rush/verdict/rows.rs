//! Rows, which projectors derive from ledgers: every order has its newest one, and both lists name it.

use livedrop::v1::Order;

use super::{Evidence, Verdict};

impl Verdict {
    /// Holds the lists of the creator and of the buyers, which are made of rows, against `GetOrder`, which is answered from the ledger's fold.
    pub(super) fn check_rows(&mut self, evidence: &Evidence) {
        for (order_id, order) in &evidence.orders {
            if evidence.listed.get(order_id) != Some(&for_creator(order)) {
                self.miss_row(|| format!("order {order_id} is not in its drop's list as it is"));
            }
        }
        let strangers = evidence.listed.len() as i64 - evidence.orders.len() as i64;
        if strangers > 0 {
            self.double(strangers, || {
                format!("{strangers} listed orders belong to no answer")
            });
        }
        let Some(own_lists) = &evidence.own_lists else {
            return;
        };
        self.rows_checked = true;
        for (order_id, order) in &evidence.orders {
            let own = own_lists.get(order_id);
            if own.is_none_or(|(account, row)| *account != order.buyer_id || row != order) {
                self.miss_row(|| format!("order {order_id} is not in its buyer's list as it is"));
            }
        }
        let strangers = own_lists
            .keys()
            .filter(|it| !evidence.orders.contains_key(*it));
        for order_id in strangers {
            self.double(1, || {
                format!("order {order_id} is in a list, and was never answered")
            });
        }
    }
}

/// The order without what is for its buyer alone.
fn for_creator(order: &Order) -> Order {
    Order {
        action_url: String::new(),
        ..order.clone()
    }
}
