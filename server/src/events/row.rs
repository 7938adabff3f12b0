//! Events of rows that no ledger holds. A row tells only its newest version, so they say what it is like now.

use livedrop_proto::events::v1 as pb;
use uuid::Uuid;

use super::{Event, Payload, money, time};
use crate::{
    domain::{
        Timestamp,
        drop::Drop,
        product::{Product, ProductStatus},
    },
    store::accounts::{Account, Creator},
};

/// A row whose changes are announced.
#[derive(Debug, Clone)]
pub enum Row {
    /// Of `accounts`.
    Account(Account),
    /// Of `creators`.
    Creator(Creator),
    /// Of `drops`.
    Drop(Drop),
    /// Of `products`.
    Product(Product),
}

impl Row {
    /// The change that made the row's version.
    #[must_use]
    pub fn op_id(&self) -> Uuid {
        match self {
            Self::Account(account) => account.op_id,
            Self::Creator(creator) => creator.op_id,
            Self::Drop(drop) => drop.op_id,
            Self::Product(product) => product.op_id,
        }
    }

    /// Counts the changes that people can see, from 1: what `announced` counts.
    #[must_use]
    pub fn public_version(&self) -> i64 {
        match self {
            Self::Account(account) => account.version,
            Self::Creator(creator) => creator.version,
            Self::Drop(drop) => drop.public_version(),
            Self::Product(product) => product.version,
        }
    }
}

/// What a row says beyond `announced`, its public version announced last; 0 = none. The first event of a row is always that of version
/// 1, so that it has the same id whenever it is told.
#[must_use]
pub fn of_row(row: &Row, announced: i64) -> Vec<Event> {
    match row {
        Row::Account(account) => of_account(account, announced),
        Row::Creator(creator) => of_creator(creator, announced),
        Row::Drop(drop) => of_drop(drop, announced),
        Row::Product(product) => of_product(product, announced),
    }
}

fn of_account(account: &Account, announced: i64) -> Vec<Event> {
    let id = account.account_id.uuid();
    let (account_id, display_name) = (account.account_id.to_string(), account.display_name.clone());
    let mut events = Vec::new();
    if announced < 1 {
        let payload = Payload::AccountCreated(pb::AccountCreated {
            account_id: account_id.clone(),
            display_name: display_name.clone(),
        });
        events.push(event("account", id, 1, account.created_at, payload));
    }
    if announced.max(1) < account.version {
        let payload = if account.is_deleted() {
            Payload::AccountDeleted(pb::AccountDeleted { account_id })
        } else {
            Payload::AccountChanged(pb::AccountChanged {
                account_id,
                display_name,
            })
        };
        let at = made_at(account.op_id, account.created_at);
        events.push(event("account", id, account.version, at, payload));
    }
    events
}

fn of_creator(creator: &Creator, announced: i64) -> Vec<Event> {
    let id = creator.creator_id.uuid();
    let mut events = Vec::new();
    if announced < 1 {
        let payload = Payload::CreatorCreated(pb::CreatorCreated {
            creator_id: creator.creator_id.to_string(),
            handle: creator.handle.clone(),
            display_name: creator.display_name.clone(),
            bio: creator.bio.clone(),
        });
        events.push(event("creator", id, 1, creator.created_at, payload));
    }
    // The account's event says it of a deleted one.
    if announced.max(1) < creator.version && !creator.is_deleted() {
        let payload = Payload::CreatorChanged(pb::CreatorChanged {
            creator_id: creator.creator_id.to_string(),
            handle: creator.handle.clone(),
            display_name: creator.display_name.clone(),
            bio: creator.bio.clone(),
        });
        let at = made_at(creator.op_id, creator.created_at);
        events.push(event("creator", id, creator.version, at, payload));
    }
    events
}

/// When a change was made, by its id: a UUIDv7.
fn made_at(op_id: Uuid, otherwise: Timestamp) -> Timestamp {
    let made = op_id.get_timestamp().map(|made| made.to_unix());
    made.map_or(otherwise, |(seconds, nanos)| {
        let micros = i64::try_from(seconds)
            .unwrap_or(0)
            .saturating_mul(1_000_000);
        Timestamp::from_micros(micros.saturating_add(i64::from(nanos) / 1_000))
    })
}

fn of_drop(drop: &Drop, announced: i64) -> Vec<Event> {
    let (id, version) = (drop.drop_id.uuid(), drop.public_version());
    let (drop_id, creator_id) = (drop.drop_id.to_string(), drop.creator_id.to_string());
    let mut events = Vec::new();
    if announced < 1 {
        let payload = Payload::DropScheduled(pb::DropScheduled {
            drop_id: drop_id.clone(),
            creator_id: creator_id.clone(),
            drop: Some(announced_drop(drop)),
        });
        events.push(event("drop", id, 1, drop.created_at, payload));
    }
    if announced.max(1) < version {
        let payload = if drop.cancelled {
            Payload::DropCancelled(pb::DropCancelled {
                drop_id,
                creator_id,
            })
        } else {
            Payload::DropChanged(pb::DropChanged {
                drop_id,
                creator_id,
                drop: Some(announced_drop(drop)),
            })
        };
        events.push(event("drop", id, version, drop.changed_at, payload));
    }
    events
}

fn announced_drop(drop: &Drop) -> pb::AnnouncedDrop {
    let items = drop.items.iter().map(|item| pb::AnnouncedItem {
        item_id: item.item_id.to_string(),
        title: item.title.clone(),
        unit_price: money(drop.currency, item.unit_price_minor),
        stock: item.stock,
        limit_per_buyer: item.limit_per_buyer,
    });
    pb::AnnouncedDrop {
        title: drop.title.clone(),
        description: drop.description.clone(),
        items: items.collect(),
        limit_per_buyer: drop.limit_per_buyer,
        opens_at: time(drop.opens_at),
        ends_at: time(drop.ends_at),
    }
}

fn of_product(product: &Product, announced: i64) -> Vec<Event> {
    let (id, version) = (product.product_id.uuid(), product.version);
    let [product_id, creator_id] = [id, product.creator_id.uuid()].map(|id| id.to_string());
    let mut events = Vec::new();
    if announced < 1 {
        let payload = Payload::ProductCreated(pb::ProductCreated {
            product_id: product_id.clone(),
            creator_id: creator_id.clone(),
            product: Some(announced_product(product)),
        });
        events.push(event("product", id, 1, product.created_at, payload));
    }
    if announced.max(1) < version {
        let payload = match product.status {
            ProductStatus::Active => Payload::ProductChanged(pb::ProductChanged {
                product_id,
                creator_id,
                product: Some(announced_product(product)),
            }),
            ProductStatus::Archived => Payload::ProductArchived(pb::ProductArchived {
                product_id,
                creator_id,
            }),
        };
        events.push(event("product", id, version, product.updated_at, payload));
    }
    events
}

fn announced_product(product: &Product) -> pb::AnnouncedProduct {
    pb::AnnouncedProduct {
        title: product.title.clone(),
        description: product.description.clone(),
        tags: product.tags.clone(),
        price: money(product.currency, product.price_minor),
    }
}

fn event(kind: &str, id: Uuid, version: i64, at: Timestamp, payload: Payload) -> Event {
    Event {
        event_id: format!("{kind}/{id}/{version}"),
        occurred_at: time(at),
        payload: Some(payload),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::{
        domain::AccountId,
        ledger::testing::{EPOCH, row, terms},
    };

    fn account() -> Account {
        Account {
            account_id: AccountId::new(Uuid::from_u128(7)),
            version: 1,
            op_id: Uuid::from_u128(1),
            email: "ann@example.com".to_owned(),
            display_name: "Ann".to_owned(),
            password_hash: "$argon2id$".to_owned(),
            created_at: EPOCH,
        }
    }

    fn kinds(drop: &Drop, announced: i64) -> Vec<(String, &'static str)> {
        let kind = |event: &Event| match event.payload {
            Some(Payload::DropScheduled(_)) => "scheduled",
            Some(Payload::DropChanged(_)) => "changed",
            Some(Payload::DropCancelled(_)) => "cancelled",
            ref other => panic!("{other:?}"),
        };
        let events = of_row(&Row::Drop(drop.clone()), announced);
        let id = |event: &Event| event.event_id.rsplit('/').next().unwrap().to_owned();
        events.iter().map(|it| (id(it), kind(it))).collect()
    }

    #[test]
    fn an_account_is_told_once_and_without_its_secrets() {
        let [event] = of_row(&Row::Account(account()), 0).try_into().unwrap();
        assert_eq!(
            event.event_id,
            "account/00000000-0000-0000-0000-000000000007/1"
        );
        let bytes = String::from_utf8_lossy(&event.encode_to_vec()).into_owned();
        assert!(bytes.contains("Ann") && !bytes.contains("ann@") && !bytes.contains("argon"));
        assert!(of_row(&Row::Account(account()), 1).is_empty());
    }

    #[test]
    fn an_account_tells_its_change_and_its_end() {
        let changed = Account {
            version: 2,
            op_id: Uuid::now_v7(),
            ..account()
        };
        let [_, event] = of_row(&Row::Account(changed.clone()), 0)
            .try_into()
            .unwrap();
        assert!(matches!(event.payload, Some(Payload::AccountChanged(_))));
        assert!(event.occurred_at.unwrap().seconds > EPOCH.seconds());
        let gone = Account {
            version: 3,
            password_hash: String::new(),
            ..changed
        };
        let [event] = of_row(&Row::Account(gone.clone()), 2).try_into().unwrap();
        assert!(event.event_id.ends_with("/3"));
        assert!(matches!(event.payload, Some(Payload::AccountDeleted(_))));
        assert!(of_row(&Row::Account(gone), 3).is_empty());
    }

    #[test]
    fn a_creator_tells_its_change_but_not_its_end() {
        let creator = Creator {
            creator_id: AccountId::new(Uuid::from_u128(7)),
            version: 2,
            op_id: Uuid::now_v7(),
            handle: "ann".to_owned(),
            display_name: "Ann".to_owned(),
            bio: String::new(),
            created_at: EPOCH,
        };
        let [_, event] = of_row(&Row::Creator(creator.clone()), 0)
            .try_into()
            .unwrap();
        assert!(matches!(event.payload, Some(Payload::CreatorChanged(_))));
        let gone = Creator {
            version: 3,
            display_name: String::new(),
            ..creator
        };
        assert!(of_row(&Row::Creator(gone), 2).is_empty());
    }

    #[test]
    fn a_product_tells_what_was_not_told() {
        let mut product = crate::store::conformance::samples::product();
        let told = |product: &Product, announced| {
            let kind = |event: Event| match event.payload {
                Some(Payload::ProductCreated(_)) => "created",
                Some(Payload::ProductChanged(_)) => "changed",
                Some(Payload::ProductArchived(_)) => "archived",
                other => panic!("{other:?}"),
            };
            let events = of_row(&Row::Product(product.clone()), announced);
            events.into_iter().map(kind).collect::<Vec<_>>()
        };
        assert_eq!(told(&product, 0), ["created"]);
        assert!(told(&product, 1).is_empty());
        product.version = 3;
        assert_eq!(told(&product, 0), ["created", "changed"]);
        assert_eq!(told(&product, 2), ["changed"]);
        product.status = ProductStatus::Archived;
        assert_eq!(told(&product, 2), ["archived"]);
        assert!(told(&product, 3).is_empty());
    }

    #[test]
    fn a_drop_tells_what_was_not_told() {
        let mut drop = row(1, &terms(&[(5, 500, 0)], EPOCH));
        let scheduled = ("1".to_owned(), "scheduled");
        assert_eq!(kinds(&drop, 0), std::slice::from_ref(&scheduled));
        assert!(kinds(&drop, 1).is_empty());

        // Freezing is nothing that people see.
        drop.version = 2;
        drop.secret = Some(crate::domain::drop::LedgerSecret([7; 32]));
        assert_eq!(kinds(&drop, 0), std::slice::from_ref(&scheduled));
        assert!(kinds(&drop, 1).is_empty());
        let [event] = of_row(&Row::Drop(drop.clone()), 0).try_into().unwrap();
        assert!(!event.encode_to_vec().windows(8).any(|it| it == [7; 8]));

        drop.secret = None;
        drop.version = 3;
        let changed = ("3".to_owned(), "changed");
        assert_eq!(kinds(&drop, 0), [scheduled.clone(), changed.clone()]);
        assert_eq!(kinds(&drop, 2), [changed]);
        drop.cancelled = true;
        assert_eq!(kinds(&drop, 0), [scheduled, ("3".to_owned(), "cancelled")]);
    }
}
