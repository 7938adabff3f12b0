//! Pages of lists: which one a request wants, and the token that goes on after it.

use livedrop_proto::v1;

use super::{
    fields,
    seal::{Seal, take},
};
use crate::{
    auth::Keys,
    domain::{AccountId, DropId, OrderId, Timestamp},
    service::{
        Error,
        order_lists::{MonthPlace, SegmentPlace},
        violations::Violations,
    },
    store::{follows::FollowPlace, orders::OrderKey},
};

const PAGE_SIZE_DEFAULT: usize = 50;
const PAGE_SIZE_MAX: i32 = 200;
const FORGED: &str = "must be a next_page_token of the same request";

/// A page of a ledger's records.
#[derive(Debug)]
pub(super) struct LedgerPage {
    /// Whose ledger.
    pub(super) drop_id: DropId,
    /// The first record wanted.
    pub(super) seq: u64,
    /// Most records wanted.
    pub(super) size: usize,
}

/// Reads `ListLedgerRecords`.
pub(super) fn ledger_page(
    keys: &Keys,
    request: &v1::ListLedgerRecordsRequest,
) -> Result<LedgerPage, Error> {
    let mut found = Violations::default();
    let drop_id: Option<DropId> = found.check("drop_id", fields::id(&request.drop_id));
    let size = found.check("page_size", page_size(request.page_size));
    let last = drop_id.and_then(|drop_id| {
        let seal = ledger_seal(keys, drop_id);
        let last = opened(&request.page_token, &seal, read_seq);
        found.check("page_token", last)
    });
    let page = (|| {
        Some(LedgerPage {
            drop_id: drop_id?,
            seq: last?.unwrap_or(0).saturating_add(1),
            size: size?,
        })
    })();
    page.ok_or_else(|| found.into())
}

/// The token that goes on after record `seq`.
pub(super) fn ledger_token(keys: &Keys, drop_id: DropId, seq: u64) -> String {
    ledger_seal(keys, drop_id).seal(&seq.to_be_bytes())
}

fn ledger_seal(keys: &Keys, drop_id: DropId) -> Seal<'_> {
    Seal::new(keys, "page ListLedgerRecords").of(drop_id.as_bytes())
}

fn read_seq(content: &mut &[u8]) -> Option<u64> {
    take(content).map(u64::from_be_bytes)
}

/// Reads `ListOrders`: after which place, and how many.
pub(super) fn orders_page(
    keys: &Keys,
    caller: AccountId,
    request: &v1::ListOrdersRequest,
) -> Result<(Option<MonthPlace>, usize), Error> {
    let mut found = Violations::default();
    let size = found.check("page_size", page_size(request.page_size));
    let place = opened(&request.page_token, &orders_seal(keys, caller), read_month);
    let place = found.check("page_token", place);
    place.zip(size).ok_or_else(|| found.into())
}

/// The token that goes on after `place`.
pub(super) fn orders_token(keys: &Keys, caller: AccountId, place: MonthPlace) -> String {
    let mut content = place.month.to_be_bytes().to_vec();
    if let Some(key) = place.after {
        content.extend_from_slice(&key.created_at.micros().to_be_bytes());
        content.extend_from_slice(key.order_id.as_bytes());
    }
    orders_seal(keys, caller).seal(&content)
}

fn orders_seal(keys: &Keys, caller: AccountId) -> Seal<'_> {
    Seal::new(keys, "page ListOrders").of(caller.as_bytes())
}

fn read_month(content: &mut &[u8]) -> Option<MonthPlace> {
    let month = i32::from_be_bytes(take(content)?);
    let after = if content.is_empty() {
        None
    } else {
        Some(OrderKey {
            created_at: Timestamp::from_micros(i64::from_be_bytes(take(content)?)),
            order_id: read_order_id(content)?,
        })
    };
    Some(MonthPlace { month, after })
}

/// A page of a drop's orders.
#[derive(Debug)]
pub(super) struct DropOrdersPage {
    /// Whose orders.
    pub(super) drop_id: DropId,
    /// After which place; `None` = from the newest on.
    pub(super) after: Option<SegmentPlace>,
    /// Most orders wanted.
    pub(super) size: usize,
}

/// Reads `ListDropOrders`.
pub(super) fn drop_orders_page(
    keys: &Keys,
    caller: AccountId,
    request: &v1::ListDropOrdersRequest,
) -> Result<DropOrdersPage, Error> {
    let mut found = Violations::default();
    let drop_id: Option<DropId> = found.check("drop_id", fields::id(&request.drop_id));
    let size = found.check("page_size", page_size(request.page_size));
    let after = drop_id.and_then(|drop_id| {
        let seal = drop_orders_seal(keys, caller, drop_id);
        let after = opened(&request.page_token, &seal, read_segment);
        found.check("page_token", after)
    });
    let page = (|| {
        Some(DropOrdersPage {
            drop_id: drop_id?,
            after: after?,
            size: size?,
        })
    })();
    page.ok_or_else(|| found.into())
}

/// The token that goes on after `place`.
pub(super) fn drop_orders_token(
    keys: &Keys,
    caller: AccountId,
    drop_id: DropId,
    place: SegmentPlace,
) -> String {
    let mut content = place.segment.to_be_bytes().to_vec();
    if let Some(order_id) = place.after {
        content.extend_from_slice(order_id.as_bytes());
    }
    drop_orders_seal(keys, caller, drop_id).seal(&content)
}

fn drop_orders_seal(keys: &Keys, caller: AccountId, drop_id: DropId) -> Seal<'_> {
    Seal::new(keys, "page ListDropOrders")
        .of(caller.as_bytes())
        .of(drop_id.as_bytes())
}

fn read_segment(content: &mut &[u8]) -> Option<SegmentPlace> {
    let segment = u64::from_be_bytes(take(content)?);
    let after = if content.is_empty() {
        None
    } else {
        Some(read_order_id(content)?)
    };
    Some(SegmentPlace { segment, after })
}

fn read_order_id(content: &mut &[u8]) -> Option<OrderId> {
    take::<16>(content).and_then(|id| OrderId::from_slice(&id).ok())
}

/// A page of a list of follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FollowsPage {
    /// After which place; `None` = from the newest on.
    pub(super) after: Option<FollowPlace>,
    /// Most rows wanted.
    pub(super) size: usize,
}

/// Reads the page that a list of follows is asked for. Without a seal the token is not looked at.
pub(super) fn follows_page(
    found: &mut Violations,
    seal: Option<&Seal<'_>>,
    size: i32,
    token: &str,
) -> Option<FollowsPage> {
    let size = found.check("page_size", page_size(size));
    let after = found.check("page_token", opened(token, seal?, read_follow));
    let (after, size) = after.zip(size)?;
    Some(FollowsPage { after, size })
}

/// The token that goes on after `place`.
pub(super) fn follows_token(seal: &Seal<'_>, place: FollowPlace) -> String {
    let time = place.followed_at.micros().to_be_bytes();
    seal.seal(&[&time[..], place.account_id.as_bytes()].concat())
}

/// Of `ListFollowers`.
pub(super) fn followers_seal(keys: &Keys, caller: AccountId, creator_id: AccountId) -> Seal<'_> {
    Seal::new(keys, "page ListFollowers")
        .of(caller.as_bytes())
        .of(creator_id.as_bytes())
}

/// Of `ListFollowing`.
pub(super) fn following_seal(keys: &Keys, caller: AccountId) -> Seal<'_> {
    Seal::new(keys, "page ListFollowing").of(caller.as_bytes())
}

fn read_follow(content: &mut &[u8]) -> Option<FollowPlace> {
    Some(FollowPlace {
        followed_at: Timestamp::from_micros(i64::from_be_bytes(take(content)?)),
        account_id: AccountId::from_slice(&take::<16>(content)?).ok()?,
    })
}

/// What the token holds; `None` without a token.
pub(super) fn opened<T>(
    token: &str,
    seal: &Seal<'_>,
    read: impl FnOnce(&mut &[u8]) -> Option<T>,
) -> Result<Option<T>, &'static str> {
    if token.is_empty() {
        return Ok(None);
    }
    let content = seal.open(token).ok_or(FORGED)?;
    let mut content = content.as_slice();
    let read = read(&mut content).filter(|_| content.is_empty());
    read.map(Some).ok_or(FORGED)
}

pub(super) fn page_size(size: i32) -> Result<usize, String> {
    match size {
        0 => Ok(PAGE_SIZE_DEFAULT),
        size => {
            usize::try_from(size.min(PAGE_SIZE_MAX)).map_err(|_| "must not be negative".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: AccountId = AccountId::new(uuid::Uuid::from_u128(1));
    const BOB: AccountId = AccountId::new(uuid::Uuid::from_u128(2));
    const ORDER: OrderId = OrderId::new(uuid::Uuid::from_u128(3));

    #[test]
    fn a_list_of_follows_goes_on_for_its_caller_and_list() {
        let keys = Keys::generate().unwrap();
        let after = FollowPlace {
            followed_at: Timestamp::from_micros(-5),
            account_id: BOB,
        };
        let seal = followers_seal(&keys, ANN, ANN);
        let token = follows_token(&seal, after);
        let page = |seal: &Seal<'_>, token: &str| {
            let mut found = Violations::default();
            follows_page(&mut found, Some(seal), 0, token)
        };
        let (size, after) = (PAGE_SIZE_DEFAULT, Some(after));
        assert_eq!(page(&seal, &token), Some(FollowsPage { after, size }));
        let after = None;
        assert_eq!(page(&seal, ""), Some(FollowsPage { after, size }));
        for other in [
            followers_seal(&keys, BOB, ANN),
            followers_seal(&keys, ANN, BOB),
            following_seal(&keys, ANN),
        ] {
            assert_eq!(page(&other, &token), None);
        }
        assert_eq!(page(&seal, &token[1..]), None);
    }

    fn orders(page_token: &str) -> v1::ListOrdersRequest {
        v1::ListOrdersRequest {
            page_size: 0,
            page_token: page_token.to_owned(),
        }
    }

    #[test]
    fn a_page_goes_on_where_its_token_says() {
        let keys = Keys::generate().unwrap();
        let key = OrderKey {
            created_at: Timestamp::from_micros(-5),
            order_id: ORDER,
        };
        for after in [None, Some(key)] {
            let place = MonthPlace { month: -7, after };
            let request = orders(&orders_token(&keys, ANN, place));
            assert_eq!(
                orders_page(&keys, ANN, &request).unwrap(),
                (Some(place), 50)
            );
            assert!(orders_page(&keys, BOB, &request).is_err());
        }
        assert_eq!(
            orders_page(&keys, ANN, &orders("")).unwrap(),
            (None, PAGE_SIZE_DEFAULT)
        );

        let (drop_id, other) = (
            DropId::new(uuid::Uuid::from_u128(4)),
            DropId::new(uuid::Uuid::from_u128(5)),
        );
        for after in [None, Some(ORDER)] {
            let place = SegmentPlace { segment: 9, after };
            let page_token = drop_orders_token(&keys, ANN, drop_id, place);
            let request = |drop_id: DropId| v1::ListDropOrdersRequest {
                drop_id: drop_id.to_string(),
                page_size: 500,
                page_token: page_token.clone(),
            };
            let page = drop_orders_page(&keys, ANN, &request(drop_id)).unwrap();
            assert_eq!((page.after, page.size), (Some(place), 200));
            assert!(drop_orders_page(&keys, ANN, &request(other)).is_err());
            assert!(drop_orders_page(&keys, BOB, &request(drop_id)).is_err());
            assert!(orders_page(&keys, ANN, &orders(&page_token)).is_err());
        }
    }
}
