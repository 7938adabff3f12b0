//! What a purchase costs in the pure core: decide, fold, encode, hash, one record per batch. No I/O, no network.
#![expect(clippy::unwrap_used, reason = "a measurement that fails has to stop")]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use livedrop_server::{
    domain::{AccountId, DropId, ItemId, OrderId, RequestId, Timestamp, drop::LedgerSecret},
    ledger::{
        Call, Command, Line, Method, StockState, Terms, codec,
        entry::TermsItem,
        record::{self, Author, Salts},
    },
};
use uuid::Uuid;

const SECRET: LedgerSecret = LedgerSecret([7; 32]);
/// Orders that the ledger has already: what lookups cost shows only in large maps.
const ORDERS_BEFORE: u128 = 10_000;
/// Batches per measured state, so that the state grows as it does in a rush.
const BATCHES: u128 = 20;

fn id(kind: u128, number: u128) -> Uuid {
    // Spread like random ids: ascending ones would flatter ordered maps.
    Uuid::from_u128((kind << 120) ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

fn terms() -> Terms {
    let item = |number| TermsItem {
        item_id: ItemId::new(Uuid::from_u128(number)),
        stock: 10_000_000,
        unit_price_minor: 1999,
        limit_per_buyer: 0,
    };
    Terms {
        version: 1,
        creator_id: AccountId::new(id(1, 0)),
        currency: "EUR".parse().unwrap(),
        items: (1..=3).map(item).collect(),
        limit_per_buyer: 4,
        opens_at: Timestamp::from_micros(1),
        ends_at: Timestamp::from_micros(i64::MAX / 2),
        hold_micros: 300_000_000,
        low_stock_threshold: 100,
    }
}

/// The purchase of a buyer who never came before.
fn purchase(number: u128) -> Command {
    Command::PlaceOrder {
        call: Call {
            caller_id: AccountId::new(id(2, number)),
            method: Method::PlaceOrder,
            request_id: Some(RequestId::new(id(3, number))),
            fingerprint: [5; 32],
        },
        order_id: OrderId::new(id(4, number)),
        lines: vec![Line {
            item_id: ItemId::new(Uuid::from_u128(1 + number % 3)),
            quantity: 1,
        }],
        expected_total: None,
        pay_by: None,
        retry_count: 0,
    }
}

/// Settles one batch as the writer does, with a store that takes no time.
fn settle(state: &mut StockState, salts: &Salts, commands: &[Command]) {
    let start = state.next_position(Timestamp::from_micros(1_000_000));
    let mut at = start;
    let mut entries = Vec::new();
    state.begin();
    state
        .freeze(&terms(), &SECRET, &mut at, &mut entries)
        .unwrap();
    state.advance(&mut at, 8, &mut entries).unwrap();
    for command in commands {
        black_box(state.execute(command, &mut at, &mut entries).unwrap());
    }
    let encoded = entries.iter().map(codec::encode).collect();
    let author = Author {
        writer_id: id(5, 0),
        batch_id: id(6, u128::from(start.seq)),
    };
    let record = record::build(state, salts, author, start, &entries, encoded);
    state.commit(record.hash, record.recorded_at);
    black_box(record);
}

fn place_order(criterion: &mut Criterion) {
    let salts = Salts::new(&SECRET);
    let mut group = criterion.benchmark_group("place_order");
    group.measurement_time(Duration::from_secs(5));
    for batch in [1_u128, 10, 100] {
        group.throughput(Throughput::Elements((batch * BATCHES) as u64));
        let commands: Vec<Command> = (0..batch * BATCHES)
            .map(|n| purchase(ORDERS_BEFORE + n))
            .collect();
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            let setup = || {
                let mut state = StockState::new(DropId::new(id(7, 0)));
                let before: Vec<Command> = (0..ORDERS_BEFORE).map(purchase).collect();
                before
                    .chunks(500)
                    .for_each(|commands| settle(&mut state, &salts, commands));
                state
            };
            bencher.iter_batched(
                setup,
                |mut state| {
                    commands
                        .chunks(batch as usize)
                        .for_each(|commands| settle(&mut state, &salts, commands));
                    state
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, place_order);
criterion_main!(benches);
