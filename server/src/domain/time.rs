//! Points in time as the ledger stores them: microseconds since 1970, UTC.

use std::{fmt, ops, time::Duration};

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z. Arithmetic saturates.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

impl Timestamp {
    /// Later than any time that occurs.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The UTC day, counted from 1970-01-01.
    #[must_use]
    pub const fn day(self) -> i32 {
        self.0.div_euclid(MICROS_PER_DAY) as i32
    }

    /// The UTC hour, counted from 1970-01-01T00.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(MICROS_PER_HOUR)
    }

    /// The UTC month, counted from 1970-01.
    #[must_use]
    pub const fn month(self) -> i32 {
        // Counted from 0000-03-01, a leap day is the last of its year, of its 4 years and of its 400.
        let days = self.day() as i64 + 719_468;
        let day = days.rem_euclid(146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        // Five months from March, or from August, have 153 days.
        let month = (5 * day_of_year + 2) / 153;
        let years = days.div_euclid(146_097) * 400 + year;
        (years * 12 + month - (1_969 * 12 + 10)) as i32
    }

    /// How long from `earlier` until this; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn months_are_the_calendars() {
        let first = jiff::civil::date(1_600, 1, 1).at(0, 0, 0, 0);
        let first = first.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        let mut time = Timestamp::from_micros(first.timestamp().as_microsecond());
        // 800 years have every kind of leap year twice, on both sides of 1970.
        for day in first.date().series(jiff::Span::new().days(1)).take(292_194) {
            let month = (i32::from(day.year()) - 1_970) * 12 + i32::from(day.month()) - 1;
            for time in [time, time + DAY - Duration::from_micros(1)] {
                assert_eq!(time.month(), month, "{time}");
            }
            time = time + DAY;
        }
    }

    #[test]
    fn hours_and_months_are_those_of_any_time() {
        let micros = |micros| Timestamp::from_micros(micros);
        assert_eq!(micros(0).hour(), 0);
        assert_eq!(micros(-1).hour(), -1);
        assert_eq!(micros(3_600_000_000 - 1).hour(), 0);
        assert_eq!(micros(3_600_000_000).hour(), 1);
        assert_eq!(micros(0).month(), 0);
        assert_eq!(micros(-1).month(), -1);
        // -290308-12 and 294247-01.
        assert_eq!(micros(i64::MIN).month(), (-290_308 - 1_970) * 12 + 11);
        assert_eq!(Timestamp::MAX.month(), (294_247 - 1_970) * 12);
    }
}
