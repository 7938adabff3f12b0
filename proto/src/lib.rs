//! The contract of Live Drop, compiled from the `.proto` files beside this crate.
//!
//! Without features the crate holds messages only. `client` and `server` add the generated gRPC code; neither brings a transport.
//! `bytes` fields are [`prost::bytes::Bytes`], so that decoding copies nothing. Messages with secrets print without them.

#[cfg(any(feature = "client", feature = "server"))]
pub mod codec;
mod redact;

/// The public contract, package `livedrop.v1`.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/livedrop.v1.rs"));
    #[cfg(feature = "server")]
    include!(concat!(env!("OUT_DIR"), "/server/livedrop.v1.rs"));
}

/// What happened, for those who follow.
pub mod events {
    /// Event messages, package `livedrop.events.v1`.
    #[allow(
        missing_docs,
        missing_debug_implementations,
        unreachable_pub,
        rust_2018_idioms,
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        reason = "generated"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/livedrop.events.v1.rs"));
    }
}

/// What never leaves the servers.
pub mod internal {
    /// The ledger's stored bytes, package `livedrop.internal.v1`.
    #[allow(
        missing_docs,
        missing_debug_implementations,
        unreachable_pub,
        rust_2018_idioms,
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        reason = "generated"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/livedrop.internal.v1.rs"));
    }
}

/// The public package and its imports as an encoded `FileDescriptorSet` with comments, for reflection and generated docs.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/livedrop.v1.bin"));

/// The domain of every `google.rpc.ErrorInfo` this product sends.
pub const ERROR_DOMAIN: &str = "livedrop.dev";

impl v1::ErrorReason {
    /// The reason as sent in `google.rpc.ErrorInfo`: the value's name without its prefix.
    pub fn wire_name(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }

    /// Reads a reason as sent; `None` is one that this version does not know.
    pub fn from_wire_name(reason: &str) -> Option<Self> {
        Self::from_str_name(&format!("ERROR_REASON_{reason}"))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use crate::internal::v1 as stored;
    use crate::v1;

    #[test]
    fn reflection_shows_the_public_package_only() {
        let set = prost_types::FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap();
        let packages: Vec<&str> = set.file.iter().map(|file| file.package()).collect();
        assert!(packages.contains(&"livedrop.v1"));
        assert!(
            packages
                .iter()
                .all(|package| ["livedrop.v1", "google.protobuf"].contains(package))
        );
    }

    #[test]
    fn reasons_travel_without_their_prefix() {
        let reason = v1::ErrorReason::SoldOut;
        assert_eq!(reason.wire_name(), "SOLD_OUT");
        assert_eq!(v1::ErrorReason::from_wire_name("SOLD_OUT"), Some(reason));
        assert_eq!(v1::ErrorReason::from_wire_name("NEWER"), None);
    }

    #[test]
    fn secrets_are_not_printed() {
        let request = v1::SignInRequest {
            email: "ann@example.com".into(),
            password: "hunter22".into(),
        };
        let printed = format!("{request:?}");
        assert!(
            !printed.contains("hunter22") && !printed.contains("ann@"),
            "{printed}"
        );
        let tokens = v1::Tokens {
            access_token: "s3cret".into(),
            refresh_token: "s3cret".into(),
            ..Default::default()
        };
        let response = v1::SignInResponse {
            account: None,
            tokens: Some(tokens),
        };
        assert!(!format!("{response:?}").contains("s3cret"));
        let place = v1::PlaceOrderRequest {
            payment_method: "pm_s3cret".into(),
            ..Default::default()
        };
        let pay = v1::PayOrderRequest {
            payment_method: "pm_s3cret".into(),
            ..Default::default()
        };
        let printed = format!("{place:?} {pay:?}");
        assert!(!printed.contains("s3cret"), "{printed}");
    }

    /// Stored ledgers are hashed over these bytes: if this test fails, the change is wrong, not the test.
    #[test]
    fn the_stored_bytes_never_change() {
        let moves = vec![stored::Move {
            item_id: vec![7; 2].into(),
            available: -2,
            held: 2,
            sold: 0,
        }];
        let public = stored::EntryPublic {
            kind: stored::EntryKind::Held.into(),
            moves,
            terms: None,
        };
        assert_eq!(
            public.encode_to_vec(),
            [8, 3, 18, 8, 10, 2, 7, 7, 16, 3, 24, 4]
        );

        let lines = vec![stored::Line {
            item_id: vec![7; 2].into(),
            quantity: 2,
        }];
        let held = stored::Held {
            order_id: vec![1].into(),
            buyer_id: vec![2].into(),
            lines,
            expires_at_us: 5,
            total_minor: 6,
        };
        let call = stored::Call {
            caller_id: vec![2].into(),
            method: stored::Method::PlaceOrder.into(),
            request_id: vec![3].into(),
            fingerprint: vec![4].into(),
        };
        let private = stored::EntryPrivate {
            call: Some(call),
            detail: Some(stored::entry_private::Detail::Held(held)),
        };
        let expected = [
            10, 11, 10, 1, 2, 16, 1, 26, 1, 3, 34, 1, 4, // call
            26, 18, 10, 1, 1, 18, 1, 2, 26, 6, 10, 2, 7, 7, 16, 2, 32, 5, 40, 6, // held
        ];
        assert_eq!(private.encode_to_vec(), expected);

        let items = vec![stored::ItemCount {
            item_id: vec![7; 2].into(),
            available: 8,
            held: 2,
            sold: 0,
        }];
        let counts = stored::Counts { items }.encode_to_vec();
        assert_eq!(counts, [10, 8, 10, 2, 7, 7, 16, 8, 24, 2]);

        let entry = stored::StoredEntry {
            public: vec![1].into(),
            private: vec![2].into(),
        };
        let body = stored::RecordBody {
            entries: vec![entry],
            counts: vec![9].into(),
        };
        assert_eq!(body.encode_to_vec(), [10, 6, 10, 1, 1, 18, 1, 2, 26, 1, 9]);
    }
}
