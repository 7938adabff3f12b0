//! Resume tokens: after which change of an order a stream goes on.

use super::seal::{Seal, take};
use crate::{
    auth::Keys,
    domain::{AccountId, DropId, OrderId},
    store::orders::LedgerPlace,
};

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
        let content = [&place.seq.to_be_bytes()[..], &place.index.to_be_bytes()[..]];
        self.seal(keys).seal(&content.concat())
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
            let seq = u64::from_be_bytes(take(&mut content)?);
            let index = u32::from_be_bytes(take(&mut content)?);
            content.is_empty().then_some(LedgerPlace { seq, index })
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

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
