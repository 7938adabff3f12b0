//! How many streams are open: in total, per connection, per account.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use metrics::{Gauge, gauge};
use parking_lot::Mutex;
use tonic::Status;

use crate::{
    domain::AccountId,
    rpc::{limits::Limits, link::Link, status},
    telemetry::names,
};

/// When a place may be free again: streams last minutes.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The caps and who holds what.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    taken: Mutex<Taken>,
    total_max: usize,
    per_connection_max: usize,
    per_caller_max: usize,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    // Holds accounts with a stream only, so it is bounded by the total.
    by_account: HashMap<AccountId, usize>,
}

/// One stream's right to be open, given back when dropped.
pub(super) struct Seat {
    shared: Arc<Shared>,
    link: Arc<Link>,
    account_id: Option<AccountId>,
    gauge: Gauge,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat")
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

impl Seats {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                taken: Mutex::default(),
                total_max: limits.watches,
                per_connection_max: limits.watches_per_connection,
                per_caller_max: limits.watches_per_caller,
            }),
        }
    }

    /// A place for a stream of this method; the refusal if a cap is reached.
    pub(super) fn take(
        &self,
        link: &Arc<Link>,
        account_id: Option<AccountId>,
        method: &'static str,
    ) -> Result<Seat, Status> {
        let shared = &self.shared;
        let mut taken = shared.taken.lock();
        if taken.total >= shared.total_max {
            return Err(status::overloaded(RETRY_AFTER));
        }
        if link.watches.load(Relaxed) >= shared.per_connection_max {
            return Err(too_many("connection", shared.per_connection_max));
        }
        if let Some(account_id) = account_id {
            let of_account = taken.by_account.get(&account_id).copied().unwrap_or(0);
            if of_account >= shared.per_caller_max {
                return Err(too_many("account", shared.per_caller_max));
            }
            taken.by_account.insert(account_id, of_account + 1);
        }
        taken.total += 1;
        link.watches.fetch_add(1, Relaxed);
        let gauge = gauge!(names::STREAMS, "method" => method);
        gauge.increment(1.0);
        Ok(Seat {
            shared: shared.clone(),
            link: link.clone(),
            account_id,
            gauge,
        })
    }
}

fn too_many(subject: &str, max: usize) -> Status {
    status::rate_limited(RETRY_AFTER, subject, &format!("{max} open streams"))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.shared.taken.lock();
        taken.total -= 1;
        self.link.watches.fetch_sub(1, Relaxed);
        if let Some(account_id) = self.account_id
            && let Some(of_account) = taken.by_account.get_mut(&account_id)
        {
            *of_account -= 1;
            if *of_account == 0 {
                taken.by_account.remove(&account_id);
            }
        }
        self.gauge.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;
    use uuid::Uuid;

    use super::*;
    use crate::rpc::call::Peer;

    #[test]
    fn seats_are_capped_and_given_back() {
        let seats = Seats::new(&Limits {
            watches: 4,
            watches_per_connection: 3,
            watches_per_caller: 2,
            ..Limits::strict()
        });
        let stop = CancellationToken::new();
        let link = || {
            let ip = [192, 0, 2, 1].into();
            Arc::new(Link::new(Peer { ip }, &stop))
        };
        let (ann, bob) = (
            Some(AccountId::new(Uuid::from_u128(1))),
            Some(AccountId::new(Uuid::from_u128(2))),
        );
        let (first, second) = (link(), link());
        let take = |link, who| seats.take(link, who, "m");
        let one = take(&first, ann).unwrap();
        let two = take(&first, ann).unwrap();
        assert!(take(&second, ann).is_err(), "two per account");
        let three = take(&first, bob).unwrap();
        assert!(take(&first, None).is_err(), "three per connection");
        let four = take(&second, None).unwrap();
        assert!(take(&second, bob).is_err(), "four in total");
        drop(one);
        assert!(take(&first, ann).is_ok());
        drop((two, three, four));
        assert_eq!(first.watches.load(Relaxed), 0);
        let taken = seats.shared.taken.lock();
        assert!(taken.total == 0 && taken.by_account.is_empty());
    }
}
