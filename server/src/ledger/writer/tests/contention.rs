//! Several processes sell one drop on one store, with faults of every kind. Whatever happens: nothing oversold, every answer true.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    domain::{ItemId, OrderId, RequestId, Timestamp, order::OrderState},
    ledger::{
        Answer, Command, Entry, Event, Refusal, Terms,
        state::Phase,
        testing::{
            EPOCH, Process, World, cancel_drop, cancel_order, end_drop, place_again, request_id,
            restock, terms,
        },
        verify,
    },
    store::{
        LedgerStore,
        faulty::{FaultPlan, Odds},
    },
};

const SEEDS: u64 = 50;
const BUYERS: usize = 24;

/// What a buyer was told of one request.
#[derive(Debug, Clone)]
struct Told {
    request_id: RequestId,
    answers: Vec<Answer>,
    /// Tries of the request were made one after the other, each after the last one's answer.
    is_in_order: bool,
    /// Head of the log when the last try began and when it was answered.
    seen: (usize, usize),
}

struct Shop {
    world: World,
    processes: Vec<Process>,
    told: Mutex<Vec<Told>>,
}

fn plan(random: &mut SmallRng) -> FaultPlan {
    let odds = |scale: f64, late: f64| Odds {
        refuse: 0.05 * scale,
        lose: 0.1 * scale,
        hide_outcome: 0.15 * scale,
        duplicate: 0.05 * scale,
        late,
        delay: 0.5,
    };
    let scale = f64::from(random.random_range(0..4)) / 2.0;
    FaultPlan {
        append: odds(scale, 0.05 * scale),
        write: odds(scale / 2.0, 0.0),
        read: odds(scale / 2.0, 0.0),
        delay_max: Duration::from_millis(random.random_range(1..400)),
    }
}

fn offer(random: &mut SmallRng) -> Terms {
    let mut item = || {
        let price = if random.random_bool(0.3) { 0 } else { 500 };
        (random.random_range(1..10), price, random.random_range(0..4))
    };
    let items: Vec<_> = (0..3).map(|_| item()).collect();
    Terms {
        limit_per_buyer: random.random_range(0..4),
        ..terms(&items, EPOCH)
    }
}

#[test]
fn nothing_is_oversold_and_every_answer_is_true() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(sell(seed));
    }
}

async fn sell(seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let offer = offer(&mut random);
    let world = World::with(seed, &offer).await;
    let count = random.random_range(2..4);
    let processes = (0..count)
        .map(|n| {
            let skew_micros = random.random_range(-400_000..400_000);
            world.process(n, plan(&mut random), skew_micros)
        })
        .collect();
    let shop = Arc::new(Shop {
        world,
        processes,
        told: Mutex::default(),
    });
    let mut tasks = tokio::task::JoinSet::new();
    for buyer in 0..BUYERS {
        let random = SmallRng::seed_from_u64(seed * 7_919 + buyer as u64);
        tasks.spawn(buy(Arc::clone(&shop), buyer, random));
    }
    tasks.spawn(manage(Arc::clone(&shop), random));
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    // Every hold runs out, every late append turns up.
    tokio::time::sleep(Duration::from_secs(120)).await;
    for process in &shop.processes {
        process.ledgers.shutdown().await;
    }
    check(&shop).await;
}

/// A buyer tries until told something definite, cancels now and then, and comes again.
async fn buy(shop: Arc<Shop>, buyer: usize, mut random: SmallRng) {
    for round in 0..3 {
        let wait = random.random_range(0..20_000);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let request = (buyer * 10 + round) as u128;
        let (first, second) = (random.random_range(0..3), random.random_range(0..3));
        let mut lines = vec![(first, random.random_range(1..3))];
        if second != first {
            lines.push((second, 1));
        }
        let bought = if random.random_bool(0.2) {
            // Impatient: the same request at two processes at once.
            let mut copy = SmallRng::seed_from_u64(random.random());
            let (one, other) = tokio::join!(
                ask(&shop, buyer, request, &lines, &mut random),
                ask(&shop, buyer, request, &lines, &mut copy)
            );
            let mut told = one;
            told.answers.extend(other.answers);
            told.is_in_order = false;
            told
        } else {
            ask(&shop, buyer, request, &lines, &mut random).await
        };
        let order = bought.answers.iter().find_map(order_of);
        shop.told.lock().push(bought);
        if let Some(order_id) = order
            && random.random_bool(0.4)
        {
            cancel(&shop, buyer, order_id, &mut random).await;
        }
    }
}

fn order_of(answer: &Answer) -> Option<OrderId> {
    match answer {
        Answer::Order(view) => Some(view.order.order_id),
        Answer::Attempt(_) | Answer::Drop(_) | Answer::Refused(_) => None,
    }
}

async fn ask(
    shop: &Shop,
    buyer: usize,
    request: u128,
    lines: &[(usize, i32)],
    random: &mut SmallRng,
) -> Told {
    let mut told = Told {
        request_id: request_id(request),
        answers: Vec::new(),
        is_in_order: true,
        seen: (0, 0),
    };
    for retry_count in 0..12 {
        let process = &shop.processes[random.random_range(0..shop.processes.len())];
        // Every try is a new call, with a new id for an order that it may make.
        let order = random.random::<u64>();
        let command = place_again(buyer, u128::from(order), request, lines, retry_count);
        let time_left = Duration::from_millis(random.random_range(50..3_000));
        told.seen.0 = shop.world.log().await.len();
        let answer = process.call_within(command, time_left).await;
        told.seen.1 = shop.world.log().await.len();
        if let Ok(answer) = answer {
            told.answers.push(answer);
            break;
        }
    }
    told
}

async fn cancel(shop: &Shop, buyer: usize, order_id: OrderId, random: &mut SmallRng) {
    for _ in 0..12 {
        let process = &shop.processes[random.random_range(0..shop.processes.len())];
        match process.call(cancel_order(buyer, order_id)).await {
            Ok(Answer::Order(view)) => {
                assert_eq!(view.order.state, OrderState::Cancelled);
                return;
            }
            Ok(Answer::Refused(Refusal::OrderState(state))) => {
                let is_over = [OrderState::Expired, OrderState::Paid, OrderState::Refunded];
                assert!(is_over.contains(&state), "{state:?}");
                return;
            }
            // Whoever was answered with an order never hears that there is none.
            Ok(answer) => panic!("cancelling {order_id} was answered with {answer:?}"),
            Err(_) => {}
        }
    }
}

/// The creator restocks, then ends or cancels the drop; sometimes neither.
async fn manage(shop: Arc<Shop>, mut random: SmallRng) {
    let commands = [
        restock(900, random.random_range(0..3), 2),
        match random.random_range(0..3) {
            0 => end_drop(),
            1 => cancel_drop(901),
            _ => restock(902, random.random_range(0..3), 1),
        },
    ];
    for command in commands {
        let wait = random.random_range(5_000..30_000);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        for _ in 0..12 {
            let process = &shop.processes[random.random_range(0..shop.processes.len())];
            match process.call(command.clone()).await {
                Ok(Answer::Drop(view)) => {
                    let is_over = matches!(
                        command,
                        Command::EndDrop { .. } | Command::CancelDrop { .. }
                    );
                    assert_eq!(
                        matches!(view.phase, Phase::Closed(_) | Phase::Sealed(_)),
                        is_over
                    );
                    break;
                }
                Ok(answer) => panic!("{command:?} was answered with {answer:?}"),
                Err(_) => {}
            }
        }
    }
}

type Counted = (usize, Timestamp, Entry);

async fn check(shop: &Shop) {
    let mut entries: Vec<Counted> = Vec::new();
    let report = verify::verify(
        &*shop.world.store,
        crate::ledger::testing::drop_id(1),
        |record, brought| {
            let seq = usize::try_from(record.seq).unwrap();
            entries.extend(
                brought
                    .iter()
                    .map(|it| (seq, record.recorded_at, it.clone())),
            );
        },
    )
    .await
    .unwrap();
    let mut made = BTreeMap::<RequestId, OrderId>::new();
    for (_, _, entry) in &entries {
        if let Event::Held { order_id, .. } = &entry.event {
            let request_id = entry.call.unwrap().request_id.unwrap();
            assert_eq!(
                made.insert(request_id, *order_id),
                None,
                "two orders of one request"
            );
        }
    }
    for told in shop.told.lock().iter() {
        for answer in &told.answers {
            match answer {
                Answer::Order(view) => {
                    assert_eq!(
                        made.get(&told.request_id),
                        Some(&view.order.order_id),
                        "{told:?}"
                    );
                }
                Answer::Refused(refusal) => check_refusal(&entries, &made, told, refusal),
                Answer::Attempt(_) | Answer::Drop(_) => panic!("{told:?}"),
            }
        }
    }
    for item in report.state.items() {
        assert!(item.is_consistent());
        assert_eq!(item.held, 0, "a hold outlived its time");
    }
    check_appends(shop);
    for shard in 0..16 {
        let open = shop.world.store.list_open(shard, None, 99).await.unwrap();
        // A fault may keep a row that could go; it may never take one that is needed.
        assert!(open.len() <= shop.processes.len());
    }
}

fn check_refusal(
    entries: &[Counted],
    made: &BTreeMap<RequestId, OrderId>,
    told: &Told,
    refusal: &Refusal,
) {
    if !told.is_in_order {
        return;
    }
    assert_eq!(
        made.get(&told.request_id),
        None,
        "refused, and yet there is an order: {told:?}"
    );
    let Refusal::SoldOut {
        item_id, requested, ..
    } = refusal
    else {
        return;
    };
    // At some moment between call and answer there were too few.
    let (from, to) = told.seen;
    let mut available = 0;
    let mut is_true = false;
    for (seq, _, entry) in entries {
        if *seq > to {
            break;
        }
        // Before this entry, and so after all of the records up to `from`.
        is_true |= *seq > from && available < *requested;
        available += moved(entry, *item_id);
    }
    assert!(is_true || available < *requested, "not sold out: {told:?}");
}

fn moved(entry: &Entry, item_id: ItemId) -> i64 {
    let moves = entry
        .moves
        .iter()
        .filter(|change| change.item_id == item_id);
    moves.map(|change| change.available).sum()
}

/// A batch id names one byte string, and a process goes on only when it knows what became of its last try.
fn check_appends(shop: &Shop) {
    let mut batches = BTreeMap::new();
    for process in &shop.processes {
        for record in process.store.appends() {
            let first = batches
                .entry(record.batch_id)
                .or_insert_with(|| record.clone());
            assert_eq!(*first, record, "one batch id, two records");
        }
    }
}
