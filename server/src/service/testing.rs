//! A context for unit tests: a store in memory, cheap passwords and a clock that stands still until it is moved.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use uuid::Uuid;

use super::{
    BucketRule, Context, DropEmbeds, DropWatches, Error, FollowerCounts,
    accounts::{self, SignUp},
    sessions::SignedIn,
};
use crate::{
    auth::{AccessTokens, Keys, PasswordCost, Passwords},
    domain::{ProcessId, Timestamp},
    env::{BoxFuture, Env, SharedEnv, SystemEnv},
    events::Sinks,
    jobs::{Outbox, PaymentRunner, Timer},
    ledger::Registry,
    media::Media,
    payments::Providers,
    search::SearchHandle,
    store::{
        SharedStore,
        embedded::EmbeddedStore,
        faulty::{FaultPlan, Faulty, Odds},
    },
};

/// The system's environment, but for its clock.
#[derive(Debug)]
pub(crate) struct TestEnv(AtomicI64);

impl TestEnv {
    pub(crate) fn advance(&self, span: Duration) {
        self.0
            .fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Env for TestEnv {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Lets other tasks go ahead up to seven times, by `span`: races without waiting.
    fn sleep(&self, span: Duration) -> BoxFuture<()> {
        let turns = span.as_micros() % 8;
        Box::pin(async move {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        })
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<()>) {
        SystemEnv.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemEnv.fill_random(bytes);
    }

    fn uuid(&self) -> Uuid {
        SystemEnv.uuid()
    }
}

pub(crate) fn context() -> (Context, Arc<TestEnv>) {
    context_with(FaultPlan::default(), 0)
}

/// With a store that misbehaves by `plan` and `seed`.
pub(crate) fn context_with(plan: FaultPlan, seed: u64) -> (Context, Arc<TestEnv>) {
    let env = Arc::new(TestEnv(AtomicI64::new(SystemEnv.now().micros())));
    let shared: SharedEnv = Arc::<TestEnv>::clone(&env);
    let inner = Arc::new(EmbeddedStore::in_memory().unwrap());
    let keys = Arc::new(Keys::generate().unwrap());
    let store: SharedStore = Arc::new(Faulty::new(inner, Arc::clone(&shared), plan, seed));
    let process_id = ProcessId::new(shared.uuid());
    let sinks = Sinks::default();
    let ledgers = Registry::new(
        Arc::clone(&shared),
        Arc::clone(&store),
        process_id,
        crate::projectors::consumers(&shared, &store, &sinks),
    );
    let payments = PaymentRunner::new(
        Arc::clone(&shared),
        Arc::clone(&store),
        ledgers.clone(),
        Providers::default(),
    );
    let ctx = Context {
        ledgers,
        drop_embeds: DropEmbeds::default(),
        drop_watches: DropWatches::default(),
        follower_counts: FollowerCounts::default(),
        search: SearchHandle::default(),
        payments,
        media: Media::in_memory(Arc::clone(&keys), Arc::clone(&shared)),
        timer: Timer::new(Arc::clone(&shared)),
        follow_buckets: BucketRule::default(),
        outbox: Outbox::new(Arc::clone(&shared), Arc::clone(&store), sinks),
        env: shared,
        store,
        passwords: Arc::new(Passwords::start(PasswordCost::CHEAP).unwrap()),
        tokens: Arc::new(AccessTokens::new(Arc::clone(&keys)).unwrap()),
        keys,
    };
    (ctx, env)
}

/// One call in five fails somehow, and every call gives way to others.
pub(crate) const ROUGH: FaultPlan = FaultPlan::uniform(
    Odds {
        refuse: 0.05,
        lose: 0.05,
        hide_outcome: 0.05,
        duplicate: 0.05,
        late: 0.0,
        delay: 1.0,
    },
    Duration::from_millis(1),
);

/// Nothing fails, but every call gives way to others.
pub(crate) const CROWDED: FaultPlan = FaultPlan::uniform(
    Odds {
        refuse: 0.0,
        lose: 0.0,
        hide_outcome: 0.0,
        duplicate: 0.0,
        late: 0.0,
        delay: 1.0,
    },
    Duration::from_millis(1),
);

pub(crate) fn sign_up_as(name: &str) -> SignUp {
    SignUp {
        request_id: Uuid::now_v7().to_string(),
        email: format!("{name}@example.com"),
        password: "correct horse".into(),
        display_name: name.to_owned(),
    }
}

pub(crate) async fn signed_up(ctx: &Context, name: &str) -> SignedIn {
    accounts::sign_up(ctx, sign_up_as(name)).await.unwrap()
}

/// The error in short: its reason, or its kind.
pub(crate) fn kind(error: &Error) -> &'static str {
    match error {
        Error::Invalid(_) => "INVALID",
        Error::Unauthenticated => "UNAUTHENTICATED",
        Error::Refused { reason, .. } | Error::NotFound { reason, .. } => reason.as_str(),
        Error::Overloaded { .. } => "OVERLOADED",
        Error::Unavailable { .. } => "UNAVAILABLE",
        Error::Internal(_) => "INTERNAL",
    }
}
