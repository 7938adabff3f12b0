//! Random commands at random times, with random rollbacks, on the core, on a twin that folds only the stored bytes, and on the reference.

use proptest::{prelude::*, sample::subsequence};
use uuid::Uuid;

use super::reference::{Life, Reference};
use crate::{
    domain::{Money, Timestamp, drop::LedgerSecret},
    ledger::{
        Call, Command, Entry, Event, Line, Method, Outcome, StockState, Terms, codec,
        entry::CloseReason,
        record::{self, Author, Salts},
        state::Phase,
        testing::{
            EPOCH, SECOND, buyer_id, call, creator_id, drop_id, item_id, order_id, request_id,
            terms,
        },
    },
};

#[derive(Debug, Clone)]
enum Op {
    Place {
        buyer: usize,
        lines: Vec<(usize, i32)>,
        request: u128,
        fingerprint: u8,
        retry_count: i32,
        expects: Option<i64>,
    },
    Cancel {
        buyer: usize,
        order: u128,
    },
    Get {
        buyer: usize,
        order: u128,
    },
    Restock {
        request: u128,
        item: usize,
        units: i64,
    },
    End,
    CancelDrop {
        request: u128,
        fingerprint: u8,
    },
    GetDrop,
}

#[derive(Debug, Clone)]
struct Step {
    clock_micros: i64,
    ops: Vec<Op>,
    limit: usize,
    keep: bool,
}

fn lines() -> impl Strategy<Value = Vec<(usize, i32)>> {
    let quantity = prop_oneof![6 => 1..=2, 2 => 1..=4, 1 => Just(i32::MAX)];
    (
        prop_oneof![
            8 => subsequence(vec![0_usize, 1, 2, 3], 1..=3),
            1 => Just(vec![0, 9]),
        ],
        prop::collection::vec(quantity, 4),
    )
        .prop_map(|(items, quantities)| items.into_iter().zip(quantities).collect())
}

fn op() -> impl Strategy<Value = Op> {
    let fingerprint = || prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)];
    let expects = prop_oneof![8 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(500))];
    let place = (
        0..4_usize,
        lines(),
        0..24_u128,
        fingerprint(),
        0..3,
        expects,
    )
        .prop_map(
            |(buyer, lines, request, fingerprint, retry_count, expects)| Op::Place {
                buyer,
                lines,
                request,
                fingerprint,
                retry_count,
                expects,
            },
        );
    prop_oneof![
        24 => place,
        8 => (0..4_usize, 0..40_u128).prop_map(|(buyer, order)| Op::Cancel { buyer, order }),
        2 => (0..5_usize, 0..40_u128).prop_map(|(buyer, order)| Op::Get { buyer, order }),
        3 => (0..6_u128, 0..5_usize, 1..4_i64)
            .prop_map(|(request, item, units)| Op::Restock { request, item, units }),
        1 => prop_oneof![3 => Just(Op::GetDrop), 1 => Just(Op::End)],
        1 => prop_oneof![
            3 => Just(Op::GetDrop),
            1 => (0..2_u128, fingerprint())
                .prop_map(|(request, fingerprint)| Op::CancelDrop { request, fingerprint }),
        ],
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let clock_micros = prop_oneof![
        4 => Just(0_i64),
        4 => 0..2 * SECOND,
        2 => prop::sample::select(vec![32 * SECOND, 32 * SECOND - 1, 30 * SECOND, 60 * SECOND]),
        1 => prop::sample::select(vec![-5 * SECOND, 300 * SECOND]),
    ];
    (
        clock_micros,
        prop::collection::vec(op(), 0..5),
        2..10_usize,
        prop::bool::weighted(0.75),
    )
        .prop_map(|(clock_micros, ops, limit, keep)| Step {
            clock_micros,
            ops,
            limit,
            keep,
        })
}

fn offer() -> impl Strategy<Value = Terms> {
    let item = (0..6_i64, prop::sample::select(vec![0_i64, 500]), 0..4_i32);
    (prop::collection::vec(item, 1..=4), 0..7_i32, 0..3_i64).prop_map(|(items, limit, low)| {
        let opens_at = EPOCH;
        Terms {
            limit_per_buyer: limit,
            low_stock_threshold: low,
            ends_at: opens_at + std::time::Duration::from_secs(400),
            ..terms(&items, opens_at)
        }
    })
}

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
        }
    }

    fn command(&mut self, op: &Op) -> Command {
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
                    pay_by: None,
                    expected_total: expects.map(|amount_minor| Money {
                        currency: self.terms.currency,
                        amount_minor,
                    }),
                    retry_count: *retry_count,
                }
            }
            Op::Cancel { buyer, order } => Command::CancelOrder {
                call: call(buyer_id(*buyer), Method::CancelOrder, None, 0),
                order_id: order_id(self.orders.saturating_sub(*order / 4)),
            },
            Op::Get { buyer, order } => Command::GetOrder {
                caller_id: if *buyer == 4 {
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
        for op in &step.ops {
            let command = self.command(op);
            let before = entries.len();
            let expected = draft.expect(&command, now);
            let decision = self.state.decide(&command, now);
            assert_eq!(decision, self.state.decide(&command, now));
            let outcome = self.state.execute(&command, &mut at, &mut entries).unwrap();
            assert_eq!(outcome, expected, "{command:?} after {:#?}", draft.entries);
            check_refusal(&draft, &command, &outcome, &entries[before..]);
            draft
                .entries
                .extend(entries[before..].iter().map(|it| (now, it.clone())));
            self.compare(&draft);
        }
        draft.audit();
        if step.keep && !entries.is_empty() {
            self.keep(start, &entries);
            self.reference = draft;
        } else {
            self.state.rollback();
        }
        assert_eq!(format!("{:?}", self.state), format!("{:?}", self.twin));
    }

    fn advance(
        &mut self,
        at: &mut crate::ledger::state::Position,
        limit: usize,
        entries: &mut Vec<Entry>,
    ) {
        loop {
            let before = entries.len();
            let is_due = self
                .state
                .next_due()
                .is_some_and(|due| due <= at.recorded_at);
            self.state.advance(at, before + limit, entries).unwrap();
            assert!(
                !is_due || entries.len() > before,
                "due, but nothing is done"
            );
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

    fn keep(&mut self, start: crate::ledger::state::Position, entries: &[Entry]) {
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

    /// All that shows of the state agrees with the recount.
    fn compare(&self, draft: &Reference) {
        for item in self.state.items() {
            let (all, available, held, sold) = draft.counts(item.item_id);
            assert_eq!(
                (
                    item.available,
                    item.held,
                    item.sold,
                    item.initial + item.restocked
                ),
                (available, held, sold, all)
            );
        }
        for n in 0..=self.orders {
            let order = self.state.order(order_id(n)).map(|order| order.state);
            assert_eq!(order, draft.state_of(order_id(n)));
        }
        let phase = match (draft.life(), draft.is_sealed()) {
            (Life::Scheduled, _) => Phase::Scheduled,
            (Life::Live, _) => Phase::Live,
            (Life::Over(reason), false) => Phase::Closed(reason),
            (Life::Over(reason), true) => Phase::Sealed(reason),
        };
        assert_eq!(self.state.phase(), phase);
        if draft.life() == Life::Live {
            assert_eq!(draft.untold(), []);
        }
        let is_over = matches!(draft.life(), Life::Over(_));
        assert_eq!(draft.is_sealed(), is_over && draft.open().is_empty());
    }
}

/// A refusal writes nothing, but for the one entry that voids a retry's request id.
fn check_refusal(draft: &Reference, command: &Command, outcome: &Outcome, brought: &[Entry]) {
    let Outcome::Refused(refusal) = outcome else {
        return;
    };
    let voided = match command {
        Command::PlaceOrder {
            call, retry_count, ..
        } if draft.is_voided(call, *retry_count, refusal) => Some(*call),
        _ => None,
    };
    let calls: Vec<Option<Call>> = brought.iter().map(|entry| entry.call).collect();
    assert_eq!(calls, voided.map(Some).into_iter().collect::<Vec<_>>());
    for entry in brought {
        assert!(matches!(&entry.event, Event::Refused { .. }), "{entry:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

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

    /// However a drop went, once it is over and time has passed, nothing is left to do.
    #[test]
    fn every_drop_comes_to_an_end(
        terms in offer(),
        steps in prop::collection::vec(step(), 1..20),
        is_cancelled: bool,
    ) {
        let mut trio = Trio::new(terms);
        for step in &steps {
            trio.run(step);
        }
        let ops = vec![if is_cancelled { Op::CancelDrop { request: 77, fingerprint: 0 } } else { Op::End }];
        for (clock_micros, ops) in [(0, ops), (500 * SECOND, Vec::new()), (500 * SECOND, Vec::new())] {
            trio.run(&Step { clock_micros, ops, limit: 3, keep: true });
        }
        prop_assert!(trio.reference.is_sealed());
        prop_assert!(!trio.state.has_open_work());
        prop_assert_eq!(trio.state.next_due(), None);
        for item in trio.state.items() {
            prop_assert_eq!(item.held, 0);
        }
        if trio.reference.life() == Life::Over(CloseReason::Cancelled) {
            use crate::domain::order::OrderState::{Cancelled, Expired, Refunded};
            for n in 0..=trio.orders {
                let state = trio.reference.state_of(order_id(n));
                prop_assert!(matches!(state, None | Some(Cancelled | Expired | Refunded)), "{:?}", state);
            }
        }
    }
}
