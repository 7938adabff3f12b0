//! A store that misbehaves as networks and databases do, by seed: for tests of everything above the store.

mod follow_stores;
mod observer;
mod order_stores;
mod outbox_stores;
mod plan;
mod product_stores;
mod stores;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, fmt, future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

pub use observer::{Moment, Observer, Subject};
pub use plan::{Class, FaultPlan, Method, Odds};

use super::{LedgerRecord, Result, StoreError};
use crate::env::SharedEnv;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not done, and the caller learns so.
    Refuse,
    /// It is not done, but the caller can't know.
    Lose,
    /// It is done, but the caller can't know.
    HideOutcome,
    /// It is done twice; the caller gets the second outcome.
    Duplicate,
    /// The caller is told at once that the outcome is unknown, and it is done a while later. Of appends only; else as [`Fault::Lose`].
    Late,
}

/// Any store, with faults. Two of the same seed and plan that see the same calls in the same order fail alike.
pub struct Faulty<S: ?Sized> {
    inner: Arc<S>,
    env: SharedEnv,
    plan: FaultPlan,
    is_shared: bool,
    observer: Option<Arc<dyn Observer>>,
    state: Mutex<State>,
}

struct State {
    random: SmallRng,
    forced: VecDeque<(Method, Fault)>,
    appends: Vec<LedgerRecord>,
}

/// What was drawn for a call.
struct Draw {
    delay: Option<Duration>,
    fault: Option<Fault>,
    /// When a late append is done.
    late_by: Duration,
}

impl<S: ?Sized> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl<S: ?Sized> Faulty<S> {
    /// `inner` with faults by `plan`, drawn from `seed`.
    pub fn new(inner: Arc<S>, env: SharedEnv, plan: FaultPlan, seed: u64) -> Self {
        let state = State {
            random: SmallRng::seed_from_u64(seed),
            forced: VecDeque::new(),
            appends: Vec::new(),
        };
        Self {
            inner,
            env,
            plan,
            is_shared: false,
            observer: None,
            state: Mutex::new(state),
        }
    }

    /// The same store as one of several processes sees it: never exclusive.
    #[must_use]
    pub fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    /// The same store, whose calls `observer` sees.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn Observer>) -> Self {
        Self {
            observer: Some(observer),
            ..self
        }
    }

    /// Every record that was given to `append`, repeats included, in order.
    pub fn appends(&self) -> Vec<LedgerRecord> {
        self.state.lock().appends.clone()
    }

    /// Makes the next call of `method` that is not yet spoken for fail with `fault`, whatever the plan says.
    pub fn force(&self, method: Method, fault: Fault) {
        self.state.lock().forced.push_back((method, fault));
    }

    /// How many forced faults have not happened yet: a test that ends with some has not tested them.
    pub fn forced_left(&self) -> usize {
        self.state.lock().forced.len()
    }

    /// Draws the same number of times whatever comes out, so that one call's luck does not shift the next one's.
    fn draw(&self, method: Method) -> Draw {
        let odds = self.plan.odds(method.class());
        let mut state = self.state.lock();
        let [fault, delay, wait, late]: [f64; 4] = std::array::from_fn(|_| state.random.random());
        let forced = state
            .forced
            .iter()
            .position(|(forced, _)| *forced == method);
        let forced = forced
            .and_then(|at| state.forced.remove(at))
            .map(|(_, fault)| fault);
        Draw {
            delay: (delay < odds.delay).then(|| self.plan.delay_max.mul_f64(wait)),
            fault: forced.or_else(|| odds.pick(fault)),
            late_by: self.plan.delay_max.mul_f64(late),
        }
    }

    /// Does `work` with the faults drawn for `method`.
    async fn call<T, F: Future<Output = Result<T>>>(
        &self,
        method: Method,
        work: impl Fn() -> F,
    ) -> Result<T> {
        self.call_on(method, Subject::None, work).await
    }

    /// As [`Self::call`]; observers see what the call is about.
    async fn call_on<T, F: Future<Output = Result<T>>>(
        &self,
        method: Method,
        subject: Subject<'_>,
        work: impl Fn() -> F,
    ) -> Result<T> {
        let draw = self.draw(method);
        self.call_as(method, subject, draw, work).await
    }

    async fn call_as<T, F: Future<Output = Result<T>>>(
        &self,
        method: Method,
        subject: Subject<'_>,
        draw: Draw,
        work: impl Fn() -> F,
    ) -> Result<T> {
        let observe = |moment| {
            if let Some(observer) = &self.observer {
                observer.observe(moment, method, subject);
            }
        };
        let work = async || {
            observe(Moment::Before);
            let done = work().await;
            if done.is_ok() {
                observe(Moment::After);
            }
            done
        };
        if let Some(delay) = draw.delay {
            self.env.sleep(delay).await;
        }
        match draw.fault {
            None => work().await,
            Some(Fault::Refuse) => Err(StoreError::Determinate(format!(
                "{method:?} refused (injected)"
            ))),
            Some(Fault::Lose | Fault::Late) => Err(unknown(method)),
            Some(Fault::HideOutcome) => {
                // A real failure inside is told as it is.
                work().await?;
                Err(unknown(method))
            }
            Some(Fault::Duplicate) => {
                work().await?;
                work().await
            }
        }
    }
}

fn unknown(method: Method) -> StoreError {
    StoreError::Indeterminate(format!("{method:?} timed out (injected)"))
}
