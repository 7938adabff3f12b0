//! What tests of the ledger share: ids, terms, and a world of several processes on one store in memory, in tokio's paused time.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{task::AbortHandle, time::Instant};
use uuid::Uuid;

use super::{
    Answer, Call, Command, Line, Method, Registry, Terms, entry::TermsItem, registry::LedgerError,
    verify,
};
use crate::{
    domain::{
        AccountId, DropId, ItemId, OrderId, ProcessId, RequestId, Timestamp,
        drop::{Drop, Item},
    },
    env::{BoxFuture, Env, SharedEnv},
    store::{
        DropStore as _, LedgerRecord, LedgerStore as _, Put, SharedStore,
        embedded::{EmbeddedStore, Options},
        faulty::{FaultPlan, Faulty},
    },
};

pub(crate) const SECOND: i64 = 1_000_000;
/// When every simulated world begins.
pub(crate) const EPOCH: Timestamp = Timestamp::from_micros(1_000_000 * SECOND);
/// Long enough for everything that tests do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) fn item_id(n: usize) -> ItemId {
    ItemId::new(Uuid::from_u128(0x1000 + n as u128))
}

pub(crate) fn buyer_id(n: usize) -> AccountId {
    AccountId::new(Uuid::from_u128(0x2_0000 + n as u128))
}

pub(crate) fn creator_id() -> AccountId {
    AccountId::new(Uuid::from_u128(0x3000))
}

pub(crate) fn order_id(n: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(0x4_0000_0000 + n))
}

pub(crate) fn request_id(n: u128) -> RequestId {
    RequestId::new(Uuid::from_u128(0x5_0000_0000 + n))
}

pub(crate) fn drop_id(n: u128) -> DropId {
    DropId::new(Uuid::from_u128(0x6000 + n))
}

pub(crate) fn call(
    caller_id: AccountId,
    method: Method,
    request_id: Option<RequestId>,
    fingerprint: u8,
) -> Call {
    Call {
        caller_id,
        method,
        request_id,
        fingerprint: [fingerprint; 32],
    }
}

/// A first try of `buyer` for one unit of each of `lines`' items, or as many as they say.
pub(crate) fn place(buyer: usize, order: u128, lines: &[(usize, i32)]) -> Command {
    place_again(buyer, order, order, lines, 0)
}

pub(crate) fn place_again(
    buyer: usize,
    order: u128,
    request: u128,
    lines: &[(usize, i32)],
    retry_count: i32,
) -> Command {
    let line = |&(item, quantity): &(usize, i32)| Line {
        item_id: item_id(item),
        quantity,
    };
    Command::PlaceOrder {
        call: call(
            buyer_id(buyer),
            Method::PlaceOrder,
            Some(request_id(request)),
            0,
        ),
        order_id: order_id(order),
        lines: lines.iter().map(line).collect(),
        expected_total: None,
        pay_by: None,
        retry_count,
    }
}

pub(crate) fn cancel_order(buyer: usize, order: OrderId) -> Command {
    Command::CancelOrder {
        call: call(buyer_id(buyer), Method::CancelOrder, None, 0),
        order_id: order,
    }
}

pub(crate) fn cancel_drop(request: u128) -> Command {
    Command::CancelDrop {
        call: call(
            creator_id(),
            Method::CancelDrop,
            Some(request_id(request)),
            0,
        ),
    }
}

pub(crate) fn end_drop() -> Command {
    Command::EndDrop {
        call: call(creator_id(), Method::EndDrop, None, 0),
    }
}

pub(crate) fn restock(request: u128, item: usize, units: i64) -> Command {
    Command::RestockDrop {
        call: call(
            creator_id(),
            Method::RestockDrop,
            Some(request_id(request)),
            0,
        ),
        item_id: item_id(item),
        units,
        reason: "found a box".to_owned(),
    }
}

/// Terms of items given as stock, price and limit; holds last 30 s, selling an hour.
pub(crate) fn terms(items: &[(i64, i64, i32)], opens_at: Timestamp) -> Terms {
    let item =
        |(n, &(stock, unit_price_minor, limit_per_buyer)): (usize, &(i64, i64, i32))| TermsItem {
            item_id: item_id(n),
            stock,
            unit_price_minor,
            limit_per_buyer,
        };
    Terms {
        version: 2,
        creator_id: creator_id(),
        currency: "EUR".parse().unwrap(),
        items: items.iter().enumerate().map(item).collect(),
        limit_per_buyer: 0,
        opens_at,
        ends_at: opens_at + Duration::from_secs(3_600),
        hold_micros: 30 * SECOND,
        low_stock_threshold: 0,
    }
}

/// A drop's unfrozen row with these terms.
pub(crate) fn row(n: u128, terms: &Terms) -> Drop {
    let item = |it: &TermsItem| Item {
        item_id: it.item_id,
        title: "a thing".to_owned(),
        stock: it.stock,
        unit_price_minor: it.unit_price_minor,
        limit_per_buyer: it.limit_per_buyer,
        product: None,
    };
    Drop {
        drop_id: drop_id(n),
        creator_id: terms.creator_id,
        version: 1,
        op_id: Uuid::from_u128(n),
        title: "a drop".to_owned(),
        description: String::new(),
        currency: terms.currency,
        items: terms.items.iter().map(item).collect(),
        limit_per_buyer: terms.limit_per_buyer,
        opens_at: terms.opens_at,
        ends_at: terms.ends_at,
        hold: Duration::from_micros(terms.hold_micros.unsigned_abs()),
        low_stock_threshold: terms.low_stock_threshold,
        created_at: EPOCH,
        changed_at: EPOCH,
        cancelled: false,
        secret: None,
    }
}

/// An environment whose clock follows tokio's, and whose tasks can be killed.
pub(crate) struct SimEnv {
    start: Instant,
    skew_micros: i64,
    random: Mutex<SmallRng>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl std::fmt::Debug for SimEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimEnv")
    }
}

impl SimEnv {
    pub(crate) fn new(start: Instant, skew_micros: i64, seed: u64) -> Arc<Self> {
        let random = Mutex::new(SmallRng::seed_from_u64(seed));
        Arc::new(Self {
            start,
            skew_micros,
            random,
            tasks: Mutex::default(),
        })
    }

    /// Ends all tasks where they are, as a crash does.
    pub(crate) fn kill(&self) {
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
    }
}

impl Env for SimEnv {
    fn now(&self) -> Timestamp {
        let micros = i64::try_from(self.start.elapsed().as_micros()).unwrap();
        Timestamp::from_micros(EPOCH.micros() + micros + self.skew_micros)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(span))
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<()>) {
        let task = tokio::spawn(task).abort_handle();
        self.tasks.lock().push(task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.random.lock().fill(bytes);
    }

    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill_random(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// One store in memory, and the time of a world. Everything comes from `seed`.
pub(crate) struct World {
    pub(crate) store: Arc<EmbeddedStore>,
    start: Instant,
    seed: u64,
}

/// One server process in a world.
pub(crate) struct Process {
    pub(crate) env: Arc<SimEnv>,
    pub(crate) store: Arc<Faulty<EmbeddedStore>>,
    pub(crate) ledgers: Registry,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let start = Instant::now();
        let options = Options {
            env: SimEnv::new(start, 0, seed),
            ..Options::default()
        };
        Self {
            store: Arc::new(EmbeddedStore::in_memory_with(options).unwrap()),
            start,
            seed,
        }
    }

    /// A world with one unfrozen drop.
    pub(crate) async fn with(seed: u64, terms: &Terms) -> Self {
        let world = Self::new(seed);
        world.add(1, terms).await;
        world
    }

    pub(crate) async fn add(&self, n: u128, terms: &Terms) {
        let put = self.store.insert_drop(&row(n, terms)).await.unwrap();
        assert_eq!(put, Put::Done);
    }

    /// A process that is alone on the store.
    pub(crate) fn alone(&self, plan: FaultPlan) -> Process {
        self.start(1, plan, 0, false)
    }

    /// The `n`th of several processes on the store.
    pub(crate) fn process(&self, n: u64, plan: FaultPlan, skew_micros: i64) -> Process {
        self.start(n, plan, skew_micros, true)
    }

    fn start(&self, n: u64, plan: FaultPlan, skew_micros: i64, is_shared: bool) -> Process {
        let seed = self.seed * 1_000 + n;
        let env = SimEnv::new(self.start, skew_micros, seed);
        let shared_env: SharedEnv = Arc::<SimEnv>::clone(&env);
        let faulty = Faulty::new(Arc::clone(&self.store), shared_env.clone(), plan, seed);
        let store = Arc::new(if is_shared { faulty.shared() } else { faulty });
        let shared_store: SharedStore = Arc::<Faulty<EmbeddedStore>>::clone(&store);
        let process_id = ProcessId::new(Uuid::from_u128(0x7000 + u128::from(n)));
        let ledgers = Registry::new(shared_env, shared_store, process_id, Vec::new());
        Process {
            env,
            store,
            ledgers,
        }
    }

    /// All records of the first drop, straight from the store.
    pub(crate) async fn log(&self) -> Vec<LedgerRecord> {
        self.store
            .read_from(drop_id(1), 1, usize::MAX)
            .await
            .unwrap()
    }

    /// Verifies the first drop's ledger and gives its entries, each with its record's time.
    pub(crate) async fn entries(&self) -> Vec<(Timestamp, super::Entry)> {
        let mut all = Vec::new();
        verify::verify(&*self.store, drop_id(1), |record, entries| {
            all.extend(entries.iter().map(|it| (record.recorded_at, it.clone())));
        })
        .await
        .unwrap();
        all
    }
}

impl Process {
    pub(crate) async fn call(&self, command: Command) -> Result<Answer, LedgerError> {
        self.call_within(command, PATIENCE).await
    }

    pub(crate) async fn call_within(
        &self,
        command: Command,
        time_left: Duration,
    ) -> Result<Answer, LedgerError> {
        let answer = self.ledgers.call(drop_id(1), command, time_left).await;
        answer.map(|(_, answer)| answer)
    }

    pub(crate) fn shared_store(&self) -> SharedStore {
        Arc::<Faulty<EmbeddedStore>>::clone(&self.store)
    }
}
