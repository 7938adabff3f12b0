//! Reading single fields of requests. Each function says in its error what the field must be.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use livedrop_proto::v1;

use crate::domain::{Money, Timestamp, text::is_forbidden};

/// What is wrong with a field, in words that follow its name.
pub(super) type Field<T> = Result<T, String>;

/// An id, or another text that its type reads.
pub(super) fn id<T: FromStr<Err: Display>>(text: &str) -> Field<T> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A text of so many characters, without control characters and the like.
pub(super) fn text(text: String, chars: RangeInclusive<usize>, multiline: bool) -> Field<String> {
    // Counting characters of a text that is far too long is work for nothing.
    if text.len() > chars.end() * 4 || !chars.contains(&text.chars().count()) {
        let (min, max) = (chars.start(), chars.end());
        return Err(match min {
            0 => format!("must have at most {max} characters"),
            _ => format!("must have {min} to {max} characters"),
        });
    }
    if text.chars().any(|c| is_forbidden(c, multiline)) {
        return Err("must not contain control or invisible characters".to_owned());
    }
    if *chars.start() > 0 && text.trim().is_empty() {
        return Err("must not be blank".to_owned());
    }
    Ok(text)
}

/// A number in a range.
pub(super) fn number<T: PartialOrd + Display + Copy>(
    number: T,
    range: RangeInclusive<T>,
) -> Field<T> {
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(format!("must be {} to {}", range.start(), range.end()))
    }
}

/// A time between 1970 and 9999; digits below a microsecond are cut.
pub(super) fn time(time: prost_types::Timestamp) -> Field<Timestamp> {
    if !(0..=253_402_300_799).contains(&time.seconds) || !(0..1_000_000_000).contains(&time.nanos) {
        return Err("must be a time between 1970 and 9999 with 0 to 999999999 nanos".to_owned());
    }
    Ok(Timestamp::from_micros(
        time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000,
    ))
}

/// A span in a range; digits below a microsecond are cut.
pub(super) fn span(
    span: prost_types::Duration,
    range: RangeInclusive<Duration>,
) -> Field<Duration> {
    let text = || {
        format!(
            "must be {} to {} seconds",
            range.start().as_secs(),
            range.end().as_secs()
        )
    };
    let seconds = u64::try_from(span.seconds).map_err(|_| text())?;
    let nanos = u32::try_from(span.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)
        .ok_or_else(text)?;
    let span = Duration::from_secs(seconds.min(u64::from(u32::MAX)))
        + Duration::from_micros(u64::from(nanos / 1_000));
    if range.contains(&span) {
        Ok(span)
    } else {
        Err(text())
    }
}

/// An amount that is not negative.
pub(super) fn money(
    money: &v1::Money,
    minor: RangeInclusive<i64>,
) -> Result<Money, (&'static str, String)> {
    let currency = money
        .currency_code
        .parse()
        .map_err(|error| ("currency_code", format!("{error}")))?;
    let amount_minor =
        number(money.amount_minor, minor).map_err(|error| ("amount_minor", error))?;
    Ok(Money {
        currency,
        amount_minor,
    })
}

/// A point in time as the contract has it.
pub(super) fn to_time(time: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.micros().rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    prost_types::Timestamp {
        seconds: time.seconds(),
        nanos,
    }
}

/// A span as the contract has it.
pub(super) fn to_span(span: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    prost_types::Duration {
        seconds,
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

/// An amount as the contract has it.
pub(super) fn to_money(currency: crate::domain::Currency, amount_minor: i64) -> v1::Money {
    v1::Money {
        currency_code: currency.to_string(),
        amount_minor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_never_overflow() {
        for seconds in [i64::MIN, -1, 0, i64::MAX] {
            for nanos in [i32::MIN, -1, 0, 999_999_999, i32::MAX] {
                let _ = time(prost_types::Timestamp { seconds, nanos });
                let hour = Duration::ZERO..=Duration::from_secs(3600);
                assert_eq!(
                    span(prost_types::Duration { seconds, nanos }, hour).is_ok(),
                    seconds == 0 && (0..1_000_000_000).contains(&nanos)
                );
            }
        }
    }

    #[test]
    fn texts_are_counted_in_characters() {
        assert!(text("é".repeat(3), 1..=3, false).is_ok());
        for bad in ["", "    ", "abcd", "a\u{0}", "a\u{202e}", "a\nb"] {
            assert!(text(bad.to_owned(), 1..=3, false).is_err(), "{bad:?}");
        }
        assert!(text("a\nb".to_owned(), 1..=3, true).is_ok());
    }
}
