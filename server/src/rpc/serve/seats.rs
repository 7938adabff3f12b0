//! How many connections are open, in total and per network.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use metrics::{Gauge, gauge};
use parking_lot::Mutex;

use crate::telemetry::names;

/// The caps and who holds what.
#[derive(Debug, Clone)]
pub(super) struct Seats {
    shared: Arc<Shared>,
}

struct Shared {
    taken: Mutex<Taken>,
    total_max: usize,
    per_network_max: usize,
    gauge: Gauge,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("taken", &self.taken.lock().total)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Taken {
    total: usize,
    // Holds networks with a connection only, so it is bounded by the total.
    by_network: HashMap<IpAddr, usize>,
}

/// One connection's right to be open, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<Shared>,
    network: IpAddr,
}

impl Seats {
    pub(super) fn new(total_max: usize, per_network_max: usize) -> Self {
        let shared = Shared {
            taken: Mutex::default(),
            total_max,
            per_network_max,
            gauge: gauge!(names::CONNECTIONS),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// `None` if a cap is reached.
    pub(super) fn take(&self, network: IpAddr) -> Option<Seat> {
        let mut taken = self.shared.taken.lock();
        if taken.total >= self.shared.total_max {
            return None;
        }
        let of_network = taken.by_network.get(&network).copied().unwrap_or(0);
        if of_network >= self.shared.per_network_max {
            return None;
        }
        taken.by_network.insert(network, of_network + 1);
        taken.total += 1;
        self.shared.gauge.increment(1.0);
        Some(Seat {
            shared: self.shared.clone(),
            network,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.shared.taken.lock();
        taken.total -= 1;
        if let Some(of_network) = taken.by_network.get_mut(&self.network) {
            *of_network -= 1;
            if *of_network == 0 {
                taken.by_network.remove(&self.network);
            }
        }
        self.shared.gauge.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_capped_and_given_back() {
        let seats = Seats::new(3, 2);
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let first = seats.take(ip(1)).unwrap();
        let second = seats.take(ip(1)).unwrap();
        assert!(seats.take(ip(1)).is_none(), "two per network");
        let third = seats.take(ip(2)).unwrap();
        assert!(seats.take(ip(3)).is_none(), "three in total");
        drop(first);
        assert!(seats.take(ip(1)).is_some());
        drop((second, third));
        assert!(seats.shared.taken.lock().by_network.is_empty());
    }
}
