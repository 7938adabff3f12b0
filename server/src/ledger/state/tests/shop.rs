//! A drop to play a scenario in: each call is a record of its own, as the writer makes it.

use std::time::Duration;

use crate::{
    domain::{
        Timestamp,
        drop::LedgerSecret,
        order::OrderState,
        payment::{FailReason, PaymentMethod},
    },
    ledger::{
        Command, Entry, Event, Method, Outcome, StockState, Terms,
        command::{PayBy, Report},
        entry::{Call, WaitReason},
        state::FoldError,
        testing::{EPOCH, buyer_id, call, creator_id, drop_id, order_id, request_id, terms},
    },
};

/// Ten units at 5.00, holds of 30 s. Buyer n places order n.
pub(super) struct Shop {
    pub(super) state: StockState,
    pub(super) now: Timestamp,
    /// What the newest record holds.
    pub(super) brought: Vec<Event>,
}

impl Shop {
    pub(super) fn open() -> Self {
        Self::with(&terms(&[(10, 500, 0)], EPOCH))
    }

    pub(super) fn with(terms: &Terms) -> Self {
        let mut state = StockState::new(drop_id(1));
        let (mut at, mut entries) = (state.next_position(EPOCH), Vec::new());
        state
            .freeze(terms, &LedgerSecret([1; 32]), &mut at, &mut entries)
            .unwrap();
        state.commit([1; 32], EPOCH);
        let mut shop = Self {
            state,
            now: EPOCH,
            brought: Vec::new(),
        };
        shop.settle();
        shop
    }

    /// So much time, and what it brings.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        assert_eq!(self.together(&[]), []);
    }

    pub(super) fn run(&mut self, command: Command) -> Outcome {
        self.together(&[command]).remove(0)
    }

    /// All in one record, after what is due.
    pub(super) fn together(&mut self, commands: &[Command]) -> Vec<Outcome> {
        self.state.begin();
        let (mut at, mut entries) = (self.state.next_position(self.now), Vec::new());
        self.state.advance(&mut at, 999, &mut entries).unwrap();
        let outcomes = commands
            .iter()
            .map(|it| self.state.execute(it, &mut at, &mut entries).unwrap())
            .collect();
        self.state.commit([2; 32], at.recorded_at);
        self.brought = entries.into_iter().map(|it| it.event).collect();
        outcomes
    }

    /// Folds an entry that nobody of this version writes, on a state that is left as it was.
    pub(super) fn fold(&mut self, event: Event, call: Option<Call>) -> Result<(), FoldError> {
        let moves = self.state.moves_of(&event).unwrap_or_default();
        self.state.begin();
        let at = self.state.next_position(self.now);
        let folded = self.state.apply(&Entry { event, moves, call }, at);
        self.state.rollback();
        folded
    }

    pub(super) fn refuses(&mut self, event: Event) {
        let folded = self.fold(event.clone(), None);
        assert!(folded.is_err(), "{event:?} is folded");
    }

    pub(super) fn state_of(&self, n: u128) -> OrderState {
        self.state.order(order_id(n)).unwrap().state
    }

    /// Declines the order's attempt.
    pub(super) fn decline(&mut self, n: u128, attempt: i32) {
        self.run(report(n, attempt, failed()));
        assert!(self.brought.contains(&declined(n, attempt)));
    }

    /// Buyer n holds `units`, and has failed to pay for them once.
    pub(super) fn declined_order(&mut self, n: u128, units: i32) {
        let buyer = usize::try_from(n).unwrap();
        self.run(place_and_pay(buyer, n, units));
        self.decline(n, 1);
        assert_eq!(self.state_of(n), OrderState::Held);
    }

    /// Buyer n has bought `units`.
    pub(super) fn sold_order(&mut self, n: u128, units: i32) {
        self.run(place_and_pay(usize::try_from(n).unwrap(), n, units));
        self.run(report(n, 1, Report::Captured));
        assert_eq!(self.state_of(n), OrderState::Paid);
    }
}

pub(super) fn failed() -> Report {
    Report::Failed(FailReason::Declined)
}

pub(super) fn declined(n: u128, attempt: i32) -> Event {
    Event::PaymentFailed {
        order_id: order_id(n),
        attempt,
        reason: "DECLINED".to_owned(),
    }
}

pub(super) fn waits(reason: WaitReason, url: &str) -> Report {
    Report::Waiting(reason, url.to_owned())
}

pub(super) fn pay_by() -> PayBy {
    PayBy {
        provider: "test".to_owned(),
        method: PaymentMethod::stored("pm_1".to_owned()),
    }
}

pub(super) fn place_and_pay(buyer: usize, n: u128, units: i32) -> Command {
    let mut command = crate::ledger::testing::place(buyer, n, &[(0, units)]);
    if let Command::PlaceOrder { pay_by: by, .. } = &mut command {
        *by = Some(pay_by());
    }
    command
}

/// Buyer n pays for order n.
pub(super) fn pay(n: u128, request: u128, retry_count: i32) -> Command {
    let buyer = buyer_id(usize::try_from(n).unwrap());
    Command::PayOrder {
        call: call(buyer, Method::PayOrder, Some(request_id(request)), 0),
        order_id: order_id(n),
        pay_by: pay_by(),
        retry_count,
    }
}

pub(super) fn refund(n: u128, request: u128, restock: bool) -> Command {
    Command::RefundOrder {
        call: call(
            creator_id(),
            Method::RefundOrder,
            Some(request_id(request)),
            0,
        ),
        order_id: order_id(n),
        reason: "too small".to_owned(),
        restock,
    }
}

pub(super) fn report(n: u128, attempt: i32, report: Report) -> Command {
    Command::ReportPayment {
        call: None,
        order_id: order_id(n),
        attempt,
        report,
    }
}

pub(super) fn sold(n: u128, attempt: i32) -> Event {
    let order_id = order_id(n);
    Event::Sold { order_id, attempt }
}

pub(super) fn refund_started(n: u128, attempt: i32, amount_minor: i64, stray: bool) -> Event {
    Event::RefundStarted {
        order_id: order_id(n),
        attempt,
        reason: "captured too late".to_owned(),
        restock: false,
        amount_minor,
        stray,
    }
}

pub(super) fn refunded(n: u128, attempt: i32, stray: bool) -> Event {
    Event::Refunded {
        order_id: order_id(n),
        attempt,
        stray,
    }
}

pub(super) fn released(n: u128, reason: crate::ledger::entry::ReleaseReason) -> Event {
    let order_id = order_id(n);
    Event::Released { order_id, reason }
}
