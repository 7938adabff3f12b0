//! Random commands at random times, with random rollbacks, on the core, on a twin that folds only the stored bytes, and on the reference.

mod command;
mod compare;
mod op;

use compare::{check_money, check_refusal, is_refused_retry};
use op::{Op, Step, offer, step, verdict};
use proptest::prelude::*;
use uuid::Uuid;

use super::reference::Reference;
use crate::{
    domain::{Timestamp, drop::LedgerSecret, order::OrderState},
    ledger::{
        Command, Entry, Event, Outcome, StockState, Terms, codec,
        command::Report,
        record::{self, Author, Salts},
        state::{AttemptState, Position},
        testing::{EPOCH, SECOND, drop_id},
    },
};

/// The core, a twin that has seen the kept records' bytes alone, and the reference.
struct Trio {
    terms: Terms,
    secret: LedgerSecret,
    state: StockState,
    twin: StockState,
    reference: Reference,
    clock_micros: i64,
    orders: u128,
    records: u128,
    /// Retries that were refused: whatever is in flight of them must never land.
    refused: Vec<Command>,
}

impl Trio {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            secret: LedgerSecret([7; 32]),
            state: StockState::new(drop_id(1)),
            twin: StockState::new(drop_id(1)),
            reference: Reference::default(),
            clock_micros: EPOCH.micros() - 2 * SECOND,
            orders: 0,
            records: 0,
            refused: Vec::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        self.clock_micros += step.clock_micros;
        let clock = Timestamp::from_micros(self.clock_micros);
        let start = self.state.next_position(clock);
        assert_eq!(start.recorded_at, clock.max(self.twin.recorded_at()));
        let now = start.recorded_at;
        let (mut at, mut entries) = (start, Vec::new());
        self.state.begin();
        self.state
            .freeze(&self.terms, &self.secret, &mut at, &mut entries)
            .unwrap();
        self.advance(&mut at, step.limit, &mut entries);
        let mut draft = self.reference.clone();
        draft
            .entries
            .extend(entries.iter().map(|it| (now, it.clone())));
        assert_eq!(draft.overdue(now), 0, "advance left holds that are over");
        let mut refused = Vec::new();
        for op in &step.ops {
            let command = self.command(op, &draft);
            let before = entries.len();
            let expected = draft.expect(&command, now);
            let decision = self.state.decide(&command, now);
            assert_eq!(decision, self.state.decide(&command, now));
            let outcome = self.state.execute(&command, &mut at, &mut entries).unwrap();
            assert_eq!(outcome, expected, "{command:?} after {:#?}", draft.entries);
            check_refusal(&draft, &command, &outcome, &entries[before..], now);
            if matches!(outcome, Outcome::Order(_) | Outcome::Attempt(..)) {
                check_money(&draft, &command, &decision.entries, now);
            }
            draft
                .entries
                .extend(entries[before..].iter().map(|it| (now, it.clone())));
            self.compare(&draft);
            if is_refused_retry(&command, &outcome) {
                refused.push(command);
            }
        }
        draft.audit(self.reference.entries.len());
        if step.keep && !entries.is_empty() {
            self.keep(start, &entries);
            self.reference = draft;
            self.refused.append(&mut refused);
        } else {
            self.state.rollback();
        }
        assert_eq!(format!("{:?}", self.state), format!("{:?}", self.twin));
        for command in &self.refused {
            let twin = self.state.decide(command, now);
            let lands =
                |it: &Entry| matches!(it.event, Event::Held { .. } | Event::PaymentStarted { .. });
            assert!(
                !twin.entries.iter().any(lands),
                "{command:?} lands after its refusal"
            );
        }
    }

    fn advance(&mut self, at: &mut Position, limit: usize, entries: &mut Vec<Entry>) {
        loop {
            let before = entries.len();
            let is_due = self
                .state
                .next_due()
                .is_some_and(|due| due <= at.recorded_at);
            self.state.advance(at, before + limit, entries).unwrap();
            let is_done = entries.len() > before;
            assert_eq!(is_due, is_done, "what is due is done, and nothing else");
            if entries.len() == before {
                break;
            }
        }
        let due = self.state.next_due();
        assert!(
            due.is_none_or(|due| due > at.recorded_at),
            "{due:?} is past"
        );
    }

    /// The provider says of each attempt what is to become of it, until all are finished.
    fn settle(&mut self, verdicts: &[Report], clock_micros: i64) {
        for round in 0..9 {
            let mut ops = Vec::new();
            for (n, (order_id, _)) in self.reference.orders().into_iter().enumerate() {
                for (attempt, state) in (1..).zip(self.reference.attempts(order_id)) {
                    let report = match state {
                        AttemptState::Open(_) => verdicts[(n + round) % verdicts.len()].clone(),
                        AttemptState::Refunding { .. } => Report::Refunded,
                        _ => continue,
                    };
                    ops.push(Op::Said {
                        order_id,
                        attempt,
                        report,
                    });
                }
            }
            self.run(&Step {
                clock_micros,
                ops,
                limit: 3,
                keep: true,
            });
        }
    }

    fn keep(&mut self, start: Position, entries: &[Entry]) {
        self.records += 1;
        let author = Author {
            writer_id: Uuid::from_u128(1),
            batch_id: Uuid::from_u128(self.records),
        };
        let encoded = entries.iter().map(codec::encode).collect();
        let salts = Salts::new(&self.secret);
        let stored = record::build(&self.state, &salts, author, start, entries, encoded);
        self.state.commit(stored.hash, stored.recorded_at);
        assert_eq!(
            record::fold(&mut self.twin, &stored).unwrap().entries,
            entries
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(320))]

    #[test]
    fn the_core_agrees_with_the_recount(
        terms in offer(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut trio = Trio::new(terms);
        for step in &steps {
            trio.run(step);
        }
    }

    /// However a drop went, once it is over, the provider has said all it has to say and time has passed, nothing is left to do.
    #[test]
    fn every_drop_comes_to_an_end(
        terms in offer(),
        steps in prop::collection::vec(step(), 1..24),
        is_cancelled: bool,
        verdicts in prop::collection::vec(verdict(), 1..9),
        captures_late: bool,
    ) {
        let mut trio = Trio::new(terms);
        for step in &steps {
            trio.run(step);
        }
        let op = if is_cancelled { Op::CancelDrop { request: 77, fingerprint: 0 } } else { Op::End };
        trio.run(&Step { clock_micros: 0, ops: vec![op], limit: 3, keep: true });
        trio.settle(&verdicts, 500 * SECOND);
        prop_assert!(trio.reference.is_sealed());
        if captures_late {
            for (order_id, _) in trio.reference.orders() {
                let captured = |attempt| {
                    Op::Said { order_id, attempt, report: Report::Captured }
                };
                let ops = (1..=5).map(captured).collect();
                trio.run(&Step { clock_micros: 0, ops, limit: 3, keep: true });
            }
            trio.settle(&verdicts, 0);
        }
        prop_assert!(!trio.state.has_open_work());
        prop_assert_eq!(trio.state.unfinished().count(), 0);
        prop_assert_eq!(trio.state.next_due(), None);
        for item in trio.state.items() {
            prop_assert_eq!(item.held, 0);
        }
        use OrderState::{Cancelled, Expired, Paid, Refunded};
        for (order_id, _) in trio.reference.orders() {
            let state = trio.reference.state_of(order_id);
            let may_be_paid = !trio.reference.is_cancelled() && state == Some(Paid);
            prop_assert!(may_be_paid || matches!(state, Some(Cancelled | Expired | Refunded)), "{:?}", state);
        }
    }
}
