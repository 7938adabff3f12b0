//! Resume tokens: after which change of an order or a drop a stream goes on.

use super::seal::{Seal, take};
use crate::{
    auth::Keys,
    domain::{AccountId, DropId, OrderId},
    service::drop_watch::Seen,
    store::orders::LedgerPlace,
};

/// The resume tokens of a drop. They are the same for all who watch it: anyone may.
#[derive(Debug, Clone, Copy)]
pub(super) struct DropResume {
    /// The drop.
    pub(super) drop_id: DropId,
}

impl DropResume {
    /// The token that goes on after `seen`.
    pub(super) fn token(self, keys: &Keys, seen: Seen) -> String {
        let version = seen.version.to_be_bytes();
        let content = [&place_bytes(seen.place)[..], &version].concat();
        self.seal(keys).seal(&content)
    }

    /// After what to go on; `None` without a token.
    pub(super) fn seen(self, keys: &Keys, token: &str) -> Result<Option<Seen>, &'static str> {
        if token.is_empty() {
            return Ok(None);
        }
        let read = || {
            let content = self.seal(keys).open(token)?;
            let mut content = content.as_slice();
            let place = take_place(&mut content)?;
            let version = i64::from_be_bytes(take(&mut content)?);
            content.is_empty().then_some(Seen { place, version })
        };
        read()
            .map(Some)
            .ok_or("must be a resume_token of the same drop")
    }

    fn seal(self, keys: &Keys) -> Seal<'_> {
        Seal::new(keys, "resume WatchDrop").of(self.drop_id.as_bytes())
    }
}

/// The resume tokens of one caller's view of one order.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderResume {
    /// Who watches.
    pub(super) caller: AccountId,
    /// Whose ledger it is.
    pub(super) drop_id: DropId,
    /// The order.
    pub(super) order_id: OrderId,
}

impl OrderResume {
    /// The token that goes on after `place`.
    pub(super) fn token(self, keys: &Keys, place: LedgerPlace) -> String {
        self.seal(keys).seal(&place_bytes(place))
    }

    /// After which place to go on; `None` without a token.
    pub(super) fn place(
        self,
        keys: &Keys,
        token: &str,
    ) -> Result<Option<LedgerPlace>, &'static str> {
        if token.is_empty() {
            return Ok(None);
        }
        let read = || {
            let content = self.seal(keys).open(token)?;
            let mut content = content.as_slice();
            let place = take_place(&mut content)?;
            content.is_empty().then_some(place)
        };
        read()
            .map(Some)
            .ok_or("must be a resume_token of the same caller and order")
    }

    fn seal(self, keys: &Keys) -> Seal<'_> {
        Seal::new(keys, "resume WatchOrder")
            .of(self.caller.as_bytes())
            .of(self.drop_id.as_bytes())
            .of(self.order_id.as_bytes())
    }
}

fn place_bytes(place: LedgerPlace) -> Vec<u8> {
    [&place.seq.to_be_bytes()[..], &place.index.to_be_bytes()].concat()
}

fn take_place(content: &mut &[u8]) -> Option<LedgerPlace> {
    let seq = u64::from_be_bytes(take(content)?);
    let index = u32::from_be_bytes(take(content)?);
    Some(LedgerPlace { seq, index })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_drop() {
        let keys = Keys::generate().unwrap();
        let drop = |id| DropResume {
            drop_id: DropId::new(Uuid::from_u128(id)),
        };
        let seen = Seen {
            place: LedgerPlace {
                seq: 1 << 40,
                index: u32::MAX,
            },
            version: 7,
        };
        let token = drop(1).token(&keys, seen);
        assert_eq!(drop(1).seen(&keys, &token), Ok(Some(seen)));
        assert_eq!(drop(1).seen(&keys, ""), Ok(None));
        assert!(drop(2).seen(&keys, &token).is_err());
        assert!(drop(1).seen(&Keys::generate().unwrap(), &token).is_err());
        let order = OrderResume {
            caller: AccountId::new(Uuid::from_u128(1)),
            drop_id: drop(1).drop_id,
            order_id: OrderId::new(Uuid::from_u128(1)),
        };
        let of_order = order.token(&keys, seen.place);
        assert!(drop(1).seen(&keys, &of_order).is_err());
    }

    #[test]
    fn a_token_is_good_for_its_caller_and_order() {
        let keys = Keys::generate().unwrap();
        let id = |id| Uuid::from_u128(id);
        let ann = OrderResume {
            caller: AccountId::new(id(1)),
            drop_id: DropId::new(id(2)),
            order_id: OrderId::new(id(3)),
        };
        let place = LedgerPlace {
            seq: 1 << 40,
            index: 7,
        };
        let token = ann.token(&keys, place);
        assert_eq!(ann.place(&keys, &token), Ok(Some(place)));
        assert_eq!(ann.place(&keys, ""), Ok(None));
        let others = [
            OrderResume {
                caller: AccountId::new(id(9)),
                ..ann
            },
            OrderResume {
                drop_id: DropId::new(id(9)),
                ..ann
            },
            OrderResume {
                order_id: OrderId::new(id(9)),
                ..ann
            },
        ];
        for other in others {
            assert!(other.place(&keys, &token).is_err(), "{other:?}");
        }
    }
}
