//! What may be asked of a drop, drawn at random.

use std::time::Duration;

use proptest::{prelude::*, sample::subsequence};

use crate::{
    domain::{OrderId, payment::FailReason},
    ledger::{
        Terms,
        command::Report,
        entry::WaitReason,
        testing::{EPOCH, SECOND, terms},
    },
};

/// One more in a `Get` is the creator.
pub(super) const BUYERS: usize = 6;

/// An order is named by its age (0 is the youngest of those that the command is likely to move), an attempt by its number, or by 0 for the newest.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Place {
        buyer: usize,
        lines: Vec<(usize, i32)>,
        request: u128,
        fingerprint: u8,
        retry_count: i32,
        expects: Option<i64>,
        pays: bool,
    },
    Pay {
        age: usize,
        /// Not the buyer, but this one.
        by: Option<usize>,
        request: u128,
        fingerprint: u8,
        retry_count: i32,
    },
    Refund {
        age: usize,
        is_creator: bool,
        request: u128,
        fingerprint: u8,
        restock: bool,
    },
    Report {
        age: usize,
        attempt: i32,
        report: Report,
        /// Said by an operator, with this request id.
        settled: Option<u128>,
    },
    /// A report of just this attempt.
    Said {
        order_id: OrderId,
        attempt: i32,
        report: Report,
    },
    GetAttempt {
        age: usize,
        attempt: i32,
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

/// So much time, then these commands in one record, which is kept or lost.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) clock_micros: i64,
    pub(super) ops: Vec<Op>,
    pub(super) limit: usize,
    pub(super) keep: bool,
}

fn lines() -> impl Strategy<Value = Vec<(usize, i32)>> {
    let quantity = prop_oneof![24 => 1..=2, 6 => 1..=4, 1 => Just(i32::MAX)];
    (
        prop_oneof![
            30 => subsequence(vec![0_usize, 1, 2, 3], 1..=2),
            1 => Just(vec![0, 9]),
        ],
        prop::collection::vec(quantity, 4),
    )
        .prop_map(|(items, quantities)| items.into_iter().zip(quantities).collect())
}

fn fingerprint() -> impl Strategy<Value = u8> {
    prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)]
}

/// Few are retries: five refused ones end it for a buyer.
fn retry_count() -> impl Strategy<Value = i32> {
    prop_oneof![9 => Just(0), 1 => 1..3_i32]
}

/// Some come twice.
fn request() -> impl Strategy<Value = u128> {
    prop_oneof![5 => 0..10_000_u128, 1 => 0..6_u128]
}

fn place() -> impl Strategy<Value = Op> {
    let expects = prop_oneof![18 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(500))];
    (
        0..BUYERS,
        lines(),
        request(),
        fingerprint(),
        retry_count(),
        expects,
        any::<bool>(),
    )
        .prop_map(
            |(buyer, lines, request, fingerprint, retry_count, expects, pays)| Op::Place {
                buyer,
                lines,
                request,
                fingerprint,
                retry_count,
                expects,
                pays,
            },
        )
}

fn age() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0..2_usize, 2 => 0..12_usize]
}

fn attempt() -> impl Strategy<Value = i32> {
    prop_oneof![6 => Just(0), 6 => 1..=3, 1 => -1..=6]
}

pub(super) fn verdict() -> impl Strategy<Value = Report> {
    let reason = prop::sample::select(FailReason::ALL.to_vec());
    prop_oneof![2 => reason.prop_map(Report::Failed), 1 => Just(Report::Captured)]
}

fn report() -> impl Strategy<Value = Report> {
    let waits = [
        (WaitReason::ActionRequired, "https://bank.test/3ds"),
        (WaitReason::Pending, ""),
        (WaitReason::Unknown, ""),
    ];
    let wait = prop::sample::select(waits.to_vec());
    prop_oneof![
        6 => verdict(),
        3 => wait.prop_map(|(reason, url)| Report::Waiting(reason, url.to_owned())),
        2 => Just(Report::Refunded),
    ]
}

fn money() -> impl Strategy<Value = Op> {
    let by = prop_oneof![9 => Just(None), 1 => (0..BUYERS).prop_map(Some)];
    let settled = prop_oneof![6 => Just(None), 1 => (0..3_u128).prop_map(Some)];
    prop_oneof![
        8 => (age(), by, request(), fingerprint(), retry_count()).prop_map(
            |(age, by, request, fingerprint, retry_count)| Op::Pay {
                age, by, request, fingerprint, retry_count,
            }
        ),
        12 => (age(), attempt(), report(), settled).prop_map(
            |(age, attempt, report, settled)| Op::Report { age, attempt, report, settled }
        ),
        2 => (age(), prop::bool::weighted(0.9), request(), fingerprint(), any::<bool>()).prop_map(
            |(age, is_creator, request, fingerprint, restock)| Op::Refund {
                age, is_creator, request, fingerprint, restock,
            }
        ),
        1 => (age(), attempt()).prop_map(|(age, attempt)| Op::GetAttempt { age, attempt }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        24 => place(),
        44 => money(),
        6 => (0..BUYERS, 0..40_u128).prop_map(|(buyer, order)| Op::Cancel { buyer, order }),
        2 => (0..=BUYERS, 0..40_u128).prop_map(|(buyer, order)| Op::Get { buyer, order }),
        3 => (0..6_u128, 0..5_usize, 1..4_i64)
            .prop_map(|(request, item, units)| Op::Restock { request, item, units }),
        1 => prop_oneof![9 => Just(Op::GetDrop), 1 => Just(Op::End)],
        1 => prop_oneof![
            9 => Just(Op::GetDrop),
            1 => (0..2_u128, fingerprint())
                .prop_map(|(request, fingerprint)| Op::CancelDrop { request, fingerprint }),
        ],
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let clock_micros = prop_oneof![
        8 => Just(0_i64),
        8 => 0..2 * SECOND,
        6 => prop::sample::select(vec![2 * SECOND - 1, 2 * SECOND, 3 * SECOND]),
        3 => prop::sample::select(vec![32 * SECOND, 32 * SECOND - 1, 30 * SECOND, 60 * SECOND]),
        1 => prop::sample::select(vec![-5 * SECOND, 300 * SECOND]),
    ];
    (
        clock_micros,
        prop::collection::vec(op(), 0..6),
        1..10_usize,
        prop::bool::weighted(0.8),
    )
        .prop_map(|(clock_micros, ops, limit, keep)| Step {
            clock_micros,
            ops,
            limit,
            keep,
        })
}

pub(super) fn offer() -> impl Strategy<Value = Terms> {
    let price = prop::sample::select(vec![0_i64, 500, 500, 700]);
    let limit_per_item = prop_oneof![2 => Just(0), 1 => 1..5_i32];
    let item = (0..9_i64, price, limit_per_item);
    let count = prop_oneof![4 => Just(4_usize), 1 => 1..4_usize];
    let items = count.prop_flat_map(move |count| prop::collection::vec(item.clone(), count));
    let limit = prop_oneof![1 => Just(0), 2 => 1..12_i32];
    (items, limit, 0..3_i64).prop_map(|(items, limit, low)| {
        let opens_at = EPOCH;
        Terms {
            limit_per_buyer: limit,
            low_stock_threshold: low,
            ends_at: opens_at + Duration::from_secs(400),
            ..terms(&items, opens_at)
        }
    })
}
