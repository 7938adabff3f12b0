//! One type per kind of id, so that an order's id can't be passed for a drop's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Rows that are walked as a whole are spread over so many partitions.
pub const SHARDS: u8 = 16;

/// The text is not a UUID of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in its 36-character form")]
pub struct ParseIdError;

/// Parses the canonical, hyphenated form only: one id has one spelling.
fn parse(text: &str) -> Result<Uuid, ParseIdError> {
    if text.len() != 36 {
        return Err(ParseIdError);
    }
    let id = Uuid::try_parse(text).map_err(|_| ParseIdError)?;
    if id.is_nil() {
        Err(ParseIdError)
    } else {
        Ok(id)
    }
}

/// The id of a part of something: the whole's id with the part's place mixed into the last bytes. Ascending in the order of the parts, and still a
/// UUIDv7.
#[must_use]
pub fn part(whole: Uuid, place: usize) -> Uuid {
    let mut bytes = *whole.as_bytes();
    let [.., high, low] = &mut bytes;
    [*high, *low] = u16::try_from(place).unwrap_or(u16::MAX).to_be_bytes();
    Uuid::from_bytes(bytes)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id made by this system.
            #[must_use]
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The id as stored and hashed: 16 bytes, big-endian.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id behind the type.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Reads an id from stored bytes.
            ///
            /// # Errors
            /// If `bytes` are not 16.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, ParseIdError> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| ParseIdError)
            }

            /// Which of the [`SHARDS`] the id belongs to, by its last byte.
            #[must_use]
            pub const fn shard(self) -> u8 {
                self.0.as_bytes()[15] % SHARDS
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// An account: a buyer, a creator and a caller are all accounts, a creator's id is the account's.
    AccountId
    /// A drop, and its ledger.
    DropId
    /// One of a drop's items.
    ItemId
    /// An order.
    OrderId
    /// The key of idempotency, made by the client.
    RequestId
    /// One run of one server process.
    ProcessId
    /// A product.
    ProductId
    /// One of a product's variants.
    VariantId
    /// A picture.
    ImageId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let text = "0192f0c1-2345-7abc-8def-0123456789ab";
        assert_eq!(text.parse::<DropId>().unwrap().to_string(), text);
        for bad in [
            "",
            "0192f0c123457abc8def0123456789ab",
            "{0192f0c1-2345-7abc-8def-0123456789ab}",
            "00000000-0000-0000-0000-000000000000",
            "0192f0c1-2345-7abc-8def-0123456789aé",
        ] {
            assert_eq!(bad.parse::<DropId>(), Err(ParseIdError), "{bad}");
        }
    }
}
