//! Spans of time as people write them: `30s`, `15m`, `20ms`.

use std::time::Duration;

use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&SpanPrinter::new().unsigned_duration_to_string(span))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = SpanParser::new().parse_unsigned_duration(text.trim());
    parsed.map_err(|_| {
        D::Error::custom(format!(
            "{text:?} is not a span of time such as \"30s\", \"15m\" or \"20ms\""
        ))
    })
}
