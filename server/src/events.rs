//! Events: what happened, told to whoever follows once it is certain. Each is a pure function of what is stored, so it can be told again,
//! and a repeat has the same id: of a ledger's entry ([`of_entry`]), or of a row ([`of_row`]).

mod entry;
mod recording;
mod row;
mod sink;

pub use livedrop_proto::events::v1::{Event, event::Payload};

pub use entry::{DropFacts, OrderFacts, UnknownOrder, of_entry};
pub use recording::RecordingSink;
pub use row::{Row, of_row};
pub use sink::{EventSink, SinkError, Sinks};

use livedrop_proto::events::v1::Money;
use prost_types::Timestamp as Time;

use crate::domain::{Currency, Timestamp};

/// An event's time, to the microsecond.
fn time(at: Timestamp) -> Option<Time> {
    let nanos = i32::try_from(at.micros().rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    Some(Time {
        seconds: at.seconds(),
        nanos,
    })
}

fn money(currency: Currency, amount_minor: i64) -> Option<Money> {
    Some(Money {
        currency_code: currency.to_string(),
        amount_minor,
    })
}
