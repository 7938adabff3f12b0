//! A way to die at a chosen point, for the tests of recovery. Debug builds only: a release has neither this file nor the variable.
//!
//! `LIVEDROP_CRASH_AT="before|after WHAT [DETAIL][:N]"` ends the process at the N-th (1 by default) time that the point is passed, as
//! `kill -9` would: nothing is flushed, closed or answered any more. WHAT is a method of the store (`Append`, `PutCheckpoint`, as in
//! [`Method`]) or of a payment provider (`provider.start`). DETAIL tells calls of one method apart: a kind of entry in the record
//! (`SOLD`), the consumer (`drop_status`), the kind of row (`Drop`).

use std::{
    str::FromStr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use http::HeaderMap;
use livedrop_proto::internal::v1::EntryPublic;
use prost::Message as _;

use crate::{
    domain::Timestamp,
    env::SharedEnv,
    ledger::record,
    payments::{
        AttemptKey, Charge, Payment, Provider, ProviderError, Providers, Refund, RefundStatus,
        SharedProvider, WebhookError, WebhookEvent,
    },
    store::{
        LedgerRecord, SharedStore,
        faulty::{FaultPlan, Faulty, Method, Moment, Observer, Subject},
    },
};

/// The point that the environment names, if it names one.
static CHOSEN: LazyLock<Option<Arc<CrashPoint>>> = LazyLock::new(|| {
    let text = std::env::var("LIVEDROP_CRASH_AT").ok()?;
    let point = text.parse();
    if point.is_err() {
        tracing::error!(text, "not a crash point");
    }
    point.ok().map(Arc::new)
});

/// The store, with its end in it if one was asked for.
pub(super) fn store(store: SharedStore, env: &SharedEnv) -> SharedStore {
    match &*CHOSEN {
        None => store,
        Some(point) => {
            let faulty = Faulty::new(store, env.clone(), FaultPlan::default(), 0);
            let observer: Arc<CrashPoint> = Arc::clone(point);
            Arc::new(faulty.observed(observer))
        }
    }
}

/// The providers, with their end in them if one was asked for.
pub(super) fn providers(providers: Providers) -> Providers {
    match &*CHOSEN {
        None => providers,
        Some(point) => providers.map(|inner| {
            let point = Arc::clone(point);
            Arc::new(Watched { inner, point })
        }),
    }
}

/// Where to die.
#[derive(Debug)]
struct CrashPoint {
    moment: Moment,
    what: String,
    detail: Option<String>,
    /// Passes left; the last of them is the end.
    left: AtomicU32,
}

impl CrashPoint {
    fn pass(&self, moment: Moment, what: &str, has_detail: impl FnOnce(&str) -> bool) {
        let is_it = moment == self.moment
            && what == self.what
            && self.detail.as_deref().is_none_or(has_detail);
        if is_it && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            eprintln!("crash point reached");
            // Nothing of the process outlives this, as nothing outlives SIGKILL.
            std::process::abort();
        }
    }
}

impl FromStr for CrashPoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (point, times) = match text.split_once(':') {
            Some((point, times)) => (point, times.parse().map_err(|_| ())?),
            None => (text, 1),
        };
        let mut words = point.split(' ');
        let moment = match words.next() {
            Some("before") => Moment::Before,
            Some("after") => Moment::After,
            Some(_) | None => return Err(()),
        };
        Ok(Self {
            moment,
            what: words.next().ok_or(())?.to_owned(),
            detail: words.next().map(str::to_owned),
            left: AtomicU32::new(times),
        })
    }
}

impl Observer for CrashPoint {
    fn observe(&self, moment: Moment, method: Method, subject: Subject<'_>) {
        self.pass(moment, &format!("{method:?}"), |detail| match subject {
            Subject::None => false,
            Subject::Record(record) => has_entry(record, detail),
            Subject::Consumer(name) => name == detail,
            // Without what the kind of an edge holds.
            Subject::Entity(kind) => format!("{kind:?}").split('(').next() == Some(detail),
        });
    }
}

/// Whether a record has an entry of a kind, by its name in the stored format.
fn has_entry(record: &LedgerRecord, kind: &str) -> bool {
    let entries = record::read_body(record).map_or_else(|_| Vec::new(), |body| body.encoded);
    entries.into_iter().any(|entry| {
        let public = EntryPublic::decode(entry.public).unwrap_or_default();
        public.kind().as_str_name().strip_prefix("ENTRY_KIND_") == Some(kind)
    })
}

/// A provider whose calls are seen.
#[derive(Debug)]
struct Watched {
    inner: SharedProvider,
    point: Arc<CrashPoint>,
}

impl Watched {
    /// A call without an answer has been made all the same.
    async fn call<T>(&self, what: &str, work: impl Future<Output = T> + Send) -> T {
        self.point.pass(Moment::Before, what, |_| false);
        let answer = work.await;
        self.point.pass(Moment::After, what, |_| false);
        answer
    }
}

#[async_trait]
impl Provider for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn start(&self, charge: &Charge) -> Result<Payment, ProviderError> {
        self.call("provider.start", self.inner.start(charge)).await
    }

    async fn confirm(&self, key: AttemptKey, reference: &str) -> Result<Payment, ProviderError> {
        let work = self.inner.confirm(key, reference);
        self.call("provider.confirm", work).await
    }

    async fn cancel(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        let work = self.inner.cancel(key, reference);
        self.call("provider.cancel", work).await
    }

    async fn look_up(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        let work = self.inner.look_up(key, reference);
        self.call("provider.look_up", work).await
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundStatus, ProviderError> {
        self.call("provider.refund", self.inner.refund(refund))
            .await
    }

    fn verify_webhook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError> {
        self.inner.verify_webhook(headers, body, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_and_nonsense_is_not() {
        let point: CrashPoint = "after Append SOLD:2".parse().unwrap();
        assert_eq!(point.moment, Moment::After);
        assert_eq!(point.what, "Append");
        assert_eq!(point.detail.as_deref(), Some("SOLD"));
        assert_eq!(point.left.into_inner(), 2);
        for nonsense in ["", "after", "during Append", "after Append:x"] {
            assert!(nonsense.parse::<CrashPoint>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn only_the_point_itself_counts() {
        let point: CrashPoint = "before PutCheckpoint orders:2".parse().unwrap();
        let pass = |moment, method, consumer| {
            point.observe(moment, method, Subject::Consumer(consumer));
            point.left.load(Ordering::SeqCst)
        };
        assert_eq!(pass(Moment::After, Method::PutCheckpoint, "orders"), 2);
        assert_eq!(pass(Moment::Before, Method::PutOrders, "orders"), 2);
        assert_eq!(pass(Moment::Before, Method::PutCheckpoint, "drops"), 2);
        assert_eq!(pass(Moment::Before, Method::PutCheckpoint, "orders"), 1);
    }
}
