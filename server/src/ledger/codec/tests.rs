//! Stored bytes: every entry comes back as it was, nothing else is read, and nothing panics.

use bytes::Bytes;
use livedrop_proto::internal::v1::{Counts, EntryPrivate, EntryPublic};
use proptest::prelude::*;
use prost::Message as _;
use uuid::Uuid;

use super::{EncodedEntry, decode, encode};
use crate::{
    domain::{AccountId, ItemId, OrderId, RequestId, Timestamp, drop::LedgerSecret},
    ledger::{
        Call, Entry, Event, Line, Method, Move, Terms,
        entry::{CloseReason, ReleaseReason, TermsItem, WaitReason},
    },
};

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn order() -> impl Strategy<Value = OrderId> {
    uuid().prop_map(OrderId::new)
}

fn item() -> impl Strategy<Value = ItemId> {
    uuid().prop_map(ItemId::new)
}

fn account() -> impl Strategy<Value = AccountId> {
    uuid().prop_map(AccountId::new)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn terms() -> impl Strategy<Value = Terms> {
    let items = prop::collection::vec((item(), any::<(i64, i64, i32)>()), 0..4);
    let currency = prop::sample::select(vec!["EUR", "JPY", "KWD"]);
    let numbers = any::<(i64, i32, i64, i64)>();
    (items, account(), currency, time(), time(), numbers).prop_map(
        |(items, creator_id, currency, opens_at, ends_at, numbers)| Terms {
            version: numbers.0,
            creator_id,
            currency: currency.parse().unwrap(),
            items: items
                .into_iter()
                .map(
                    |(item_id, (stock, unit_price_minor, limit_per_buyer))| TermsItem {
                        item_id,
                        stock,
                        unit_price_minor,
                        limit_per_buyer,
                    },
                )
                .collect(),
            limit_per_buyer: numbers.1,
            opens_at,
            ends_at,
            hold_micros: numbers.2,
            low_stock_threshold: numbers.3,
        },
    )
}

/// Every kind, those of payments included.
fn event() -> impl Strategy<Value = Event> {
    use prop::sample::select;
    let waits = select(vec![
        WaitReason::ActionRequired,
        WaitReason::Pending,
        WaitReason::Unknown,
    ]);
    let releases = select(vec![
        ReleaseReason::Expired,
        ReleaseReason::CancelledByBuyer,
        ReleaseReason::DropCancelled,
    ]);
    let closes = select(vec![
        CloseReason::Ended,
        CloseReason::EndedEarly,
        CloseReason::Cancelled,
    ]);
    let line = (item(), any::<i32>()).prop_map(|(item_id, quantity)| Line { item_id, quantity });
    let lines = prop::collection::vec(line, 0..4);
    prop_oneof![
        (terms(), any::<[u8; 32]>()).prop_map(|(terms, secret)| Event::TermsFrozen {
            terms,
            secret: LedgerSecret(secret)
        }),
        Just(Event::WentLive),
        (order(), account(), lines, time(), any::<i64>()).prop_map(
            |(order_id, buyer_id, lines, expires_at, total_minor)| Event::Held {
                order_id,
                buyer_id,
                lines,
                expires_at,
                total_minor
            }
        ),
        (order(), any::<(i32, i64, String, String)>()).prop_map(
            |(order_id, (attempt, amount_minor, provider, payment_method))| {
                Event::PaymentStarted {
                    order_id,
                    attempt,
                    amount_minor,
                    provider,
                    payment_method: crate::domain::payment::PaymentMethod::stored(payment_method),
                }
            }
        ),
        (order(), any::<(i32, String)>(), waits).prop_map(
            |(order_id, (attempt, action_url), reason)| Event::PaymentWaiting {
                order_id,
                attempt,
                reason,
                action_url
            }
        ),
        (order(), any::<(i32, String)>()).prop_map(|(order_id, (attempt, reason))| {
            Event::PaymentFailed {
                order_id,
                attempt,
                reason,
            }
        }),
        (order(), any::<i32>()).prop_map(|(order_id, attempt)| Event::Sold { order_id, attempt }),
        (order(), any::<i32>())
            .prop_map(|(order_id, attempt)| Event::SoldLate { order_id, attempt }),
        (order(), releases).prop_map(|(order_id, reason)| Event::Released { order_id, reason }),
        (order(), any::<(i32, String, bool, i64, bool)>()).prop_map(
            |(order_id, (attempt, reason, restock, amount_minor, stray))| Event::RefundStarted {
                order_id,
                attempt,
                reason,
                restock,
                amount_minor,
                stray
            }
        ),
        (order(), any::<(i32, bool)>()).prop_map(|(order_id, (attempt, stray))| {
            Event::Refunded {
                order_id,
                attempt,
                stray,
            }
        }),
        (item(), any::<(i64, String)>()).prop_map(|(item_id, (units, reason))| {
            Event::Restocked {
                item_id,
                units,
                reason,
            }
        }),
        item().prop_map(|item_id| Event::LowStock { item_id }),
        Just(Event::SoldOut),
        any::<String>().prop_map(|reason| Event::Refused { reason }),
        closes.prop_map(|reason| Event::Closed { reason }),
        Just(Event::Sealed),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let moves =
        (item(), any::<(i64, i64, i64)>()).prop_map(|(item_id, (available, held, sold))| Move {
            item_id,
            available,
            held,
            sold,
        });
    let methods = prop::sample::select(vec![
        Method::PlaceOrder,
        Method::PayOrder,
        Method::CancelOrder,
        Method::RefundOrder,
        Method::RestockDrop,
        Method::CancelDrop,
        Method::EndDrop,
        Method::SettleOrder,
    ]);
    let call = (
        account(),
        methods,
        prop::option::of(uuid().prop_map(RequestId::new)),
        any::<[u8; 32]>(),
    )
        .prop_map(|(caller_id, method, request_id, fingerprint)| Call {
            caller_id,
            method,
            request_id,
            fingerprint,
        });
    let moves = prop::collection::vec(moves, 0..4);
    (event(), moves, prop::option::of(call)).prop_map(|(event, moves, call)| Entry {
        event,
        moves,
        call,
    })
}

/// Whatever is read must be written in the same bytes.
fn refused_or_canonical(encoded: &EncodedEntry) {
    if let Ok(entry) = decode(encoded) {
        assert_eq!(encode(&entry), *encoded);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_entry_comes_back(entry in entry()) {
        prop_assert_eq!(decode(&encode(&entry)), Ok(entry));
    }

    /// An unknown field, a field set to its default, and halves of two entries are each refused.
    #[test]
    fn other_spellings_are_refused(one in entry(), other in entry()) {
        let (one, other) = (encode(&one), encode(&other));
        for tail in [&[0x08, 0x00][..], &[0xf8, 0x07, 0x01], &[0x98, 0x03, 0x00]] {
            let longer = |bytes: &Bytes| Bytes::from([bytes, tail].concat());
            for encoded in [
                EncodedEntry { public: longer(&one.public), private: one.private.clone() },
                EncodedEntry { public: one.public.clone(), private: longer(&one.private) },
            ] {
                prop_assert!(decode(&encoded).is_err(), "{:?}", encoded);
            }
        }
        let kind = |encoded: &EncodedEntry| EntryPublic::decode(encoded.public.clone()).unwrap().kind;
        let is_bare = |encoded: &EncodedEntry| EntryPrivate::decode(encoded.private.clone()).unwrap().detail.is_none();
        // Kinds without a detail have the same private half.
        let is_one_kind = kind(&one) == kind(&other) || is_bare(&one) && is_bare(&other);
        let mixed = EncodedEntry { public: one.public, private: other.private };
        prop_assert_eq!(decode(&mixed).is_ok(), is_one_kind);
    }

    #[test]
    fn damaged_bytes_are_refused_or_canonical(entry in entry(), at: prop::sample::Index, with: u8) {
        let encoded = encode(&entry);
        for is_public in [true, false] {
            let mut damaged = encoded.clone();
            let half = if is_public { &mut damaged.public } else { &mut damaged.private };
            if half.is_empty() {
                continue;
            }
            let mut bytes = half.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = with;
            *half = bytes.into();
            refused_or_canonical(&damaged);
        }
    }

    #[test]
    fn noise_does_not_panic(public: Vec<u8>, private: Vec<u8>) {
        refused_or_canonical(&EncodedEntry { public: public.into(), private: private.into() });
    }
}

#[test]
fn unknown_kinds_and_values_are_refused() {
    let known = encode(&Entry {
        event: Event::WentLive,
        moves: Vec::new(),
        call: None,
    });
    for kind in [0, 3, 18, i32::MAX, -1] {
        let public = EntryPublic {
            kind,
            ..EntryPublic::decode(known.public.clone()).unwrap()
        };
        let encoded = EncodedEntry {
            public: public.encode_to_vec().into(),
            private: known.private.clone(),
        };
        assert!(decode(&encoded).is_err(), "{kind}");
    }
    assert_eq!(EntryPrivate::decode(known.private).unwrap().detail, None);
    assert_eq!(Counts::default().encoded_len(), 0);
}
