//! The index says what the rows say: after every change, after a time without the process, and made anew.

use std::sync::Arc;

use super::*;
use crate::{
    domain::{drop::Drop, product::Product},
    search::{Kind, Query, TantivyIndex},
    service::testing::{TestEnv, context},
    store::{
        accounts::Creator,
        conformance::samples,
        projections::{DropState, DropStatus},
    },
};

/// A process that can be left and come back to.
struct Shop {
    env: Arc<TestEnv>,
    indexer: Indexer,
}

impl Shop {
    fn open() -> Self {
        let (ctx, env) = context();
        let indexer = Indexer {
            env: ctx.env.clone(),
            store: ctx.store.clone(),
            index: Arc::new(TantivyIndex::open(None).unwrap()),
        };
        Self { env, indexer }
    }

    async fn creator(&self) -> AccountId {
        let creator = samples::creator();
        self.indexer.store.insert_creator(&creator).await.unwrap();
        creator.creator_id
    }

    async fn product(&self, creator_id: AccountId) -> Product {
        let product = Product {
            creator_id,
            ..samples::product()
        };
        self.indexer.store.insert_product(&product).await.unwrap();
        self.note(EntityKind::Product, product.product_id.uuid())
            .await;
        product
    }

    async fn drop(&self, creator_id: AccountId) -> Drop {
        let drop = Drop {
            creator_id,
            ..samples::drop()
        };
        self.indexer.store.insert_drop(&drop).await.unwrap();
        self.note(EntityKind::Drop, drop.drop_id.uuid()).await;
        drop
    }

    async fn note(&self, kind: EntityKind, id: Uuid) {
        self.note_at(self.indexer.env.now(), kind, id).await;
    }

    async fn note_at(&self, noted_at: Timestamp, kind: EntityKind, id: Uuid) {
        let change = SearchChange {
            noted_at,
            entity: Entity { kind, id },
        };
        self.indexer.store.put_search_change(&change).await.unwrap();
    }

    /// Starts the process, up to where searches are answered.
    async fn start(&self) -> Follower {
        let (handle, indexer) = (SearchHandle::new(self.indexer.index.clone()), &self.indexer);
        indexer.begin(&handle).await.unwrap()
    }

    async fn found(&self, kind: Kind) -> Vec<Uuid> {
        self.found_by(kind, false).await
    }

    async fn found_by(&self, kind: Kind, is_buyable: bool) -> Vec<Uuid> {
        let query = Query {
            kind,
            words: None,
            creator_id: None,
            tag: None,
            prices: None,
            states: Vec::new(),
            is_buyable,
        };
        let found = self.indexer.index.find(query, None, 1_000).await.unwrap();
        let mut ids: Vec<_> = found.into_iter().map(|place| place.id).collect();
        ids.sort_unstable();
        ids
    }
}

#[tokio::test]
async fn what_was_there_and_what_comes_is_found() {
    let shop = Shop::open();
    let ann = shop.creator().await;
    let old = shop.product(ann).await.product_id.uuid();
    let mut follower = shop.start().await;
    assert_eq!(shop.found(Kind::Product).await, [old]);
    let new = shop.product(ann).await.product_id.uuid();
    shop.env.advance(LOOK_EVERY);
    shop.indexer.look(&mut follower, LOOK_BACK).await.unwrap();
    let mut both = [old, new];
    both.sort_unstable();
    assert_eq!(shop.found(Kind::Product).await, both);
}

#[tokio::test]
async fn a_drop_is_buyable_as_its_status_says() {
    let shop = Shop::open();
    let drop = shop.drop(shop.creator().await).await;
    let mut follower = shop.start().await;
    let id = drop.drop_id.uuid();
    for (seq, state, is_sold_out, is_buyable) in [
        (1, DropState::Scheduled, false, false),
        (2, DropState::Live, false, true),
        (3, DropState::Live, true, false),
        (4, DropState::Live, false, true),
        (5, DropState::Ended, false, false),
    ] {
        let status = DropStatus {
            drop_id: drop.drop_id,
            seq,
            state,
            is_sold_out,
            ..samples::drop_status()
        };
        shop.indexer.store.put_drop_status(&status).await.unwrap();
        shop.note(EntityKind::Drop, id).await;
        shop.env.advance(LOOK_EVERY);
        shop.indexer.look(&mut follower, LOOK_BACK).await.unwrap();
        let found = shop.found_by(Kind::Drop, true).await;
        assert_eq!(found == [id], is_buyable, "{state:?} {is_sold_out}");
    }
}

/// A write that hung, or a clock that is behind or ahead, by up to a minute.
#[tokio::test]
async fn what_is_noted_late_or_early_is_found() {
    let shop = Shop::open();
    let ann = shop.creator().await;
    let mut follower = shop.start().await;
    shop.env.advance(LOOK_FAR_BACK * 3);
    shop.indexer.look(&mut follower, LOOK_BACK).await.unwrap();
    for (is_ahead, by) in [(false, 3), (false, 59), (true, 59)] {
        let product = Product {
            creator_id: ann,
            ..samples::product()
        };
        shop.indexer.store.insert_product(&product).await.unwrap();
        let (now, by) = (shop.indexer.env.now(), Duration::from_secs(by));
        let noted_at = if is_ahead { now + by } else { now - by };
        let id = product.product_id.uuid();
        shop.note_at(noted_at, EntityKind::Product, id).await;
        shop.env.advance(LOOK_EVERY);
        let back = if by > LOOK_BACK {
            LOOK_FAR_BACK
        } else {
            LOOK_BACK
        };
        shop.indexer.look(&mut follower, back).await.unwrap();
        assert!(
            shop.found(Kind::Product).await.contains(&id),
            "{is_ahead} {by:?}"
        );
    }
}

#[tokio::test]
async fn many_changes_are_followed_in_pages() {
    let shop = Shop::open();
    let ann = shop.creator().await;
    let mut follower = shop.start().await;
    for _ in 0..PAGE + 3 {
        shop.product(ann).await;
    }
    shop.indexer.look(&mut follower, LOOK_BACK).await.unwrap();
    assert_eq!(shop.found(Kind::Product).await.len(), PAGE + 3);
}

#[tokio::test]
async fn who_was_away_catches_up_and_who_was_away_for_long_begins_anew() {
    let shop = Shop::open();
    let ann = shop.creator().await;
    shop.start().await;
    let generation = shop
        .indexer
        .index
        .progress()
        .await
        .unwrap()
        .unwrap()
        .generation;
    // No longer there, and nobody has noted it.
    let ghost = Change::Put(Box::new(Document::of_product(&samples::product())));
    let progress = shop.indexer.index.progress().await.unwrap();
    shop.indexer
        .index
        .write(vec![ghost], progress)
        .await
        .unwrap();

    let first = shop.product(ann).await;
    shop.env.advance(Duration::from_secs(3_600 * 5));
    shop.start().await;
    let found = shop.found(Kind::Product).await;
    assert!(found.contains(&first.product_id.uuid()));
    assert_eq!(found.len(), 2, "the index is the old one");

    shop.env.advance(LEFT_BEHIND_AFTER + NOTE_EVERY);
    shop.start().await;
    assert_eq!(shop.found(Kind::Product).await, [first.product_id.uuid()]);
    let again = shop.indexer.index.progress().await.unwrap().unwrap();
    assert_eq!(again.generation, generation);
}

#[tokio::test]
async fn a_store_asks_for_a_new_index() {
    let shop = Shop::open();
    shop.start().await;
    let ghost = Change::Put(Box::new(Document::of_product(&samples::product())));
    let progress = shop.indexer.index.progress().await.unwrap();
    shop.indexer
        .index
        .write(vec![ghost], progress)
        .await
        .unwrap();
    make_anew(&shop.indexer.env, &shop.indexer.store)
        .await
        .unwrap();
    shop.start().await;
    assert_eq!(shop.found(Kind::Product).await, [] as [Uuid; 0]);
}

#[tokio::test]
async fn nothing_of_a_creator_who_has_gone_is_found() {
    let shop = Shop::open();
    let (ann, bob) = (shop.creator().await, shop.creator().await);
    let (_, kept) = (shop.product(ann).await, shop.product(bob).await);
    let gone = shop.drop(ann).await;
    let mut follower = shop.start().await;
    let creator = shop.indexer.store.get_creator(ann).await.unwrap().unwrap();
    let deleted = Creator {
        version: creator.version + 1,
        op_id: Uuid::now_v7(),
        display_name: String::new(),
        bio: String::new(),
        ..creator
    };
    assert!(deleted.is_deleted());
    shop.indexer.store.update_creator(&deleted).await.unwrap();
    shop.note(EntityKind::Creator, ann.uuid()).await;
    shop.env.advance(LOOK_EVERY);
    shop.indexer.look(&mut follower, LOOK_BACK).await.unwrap();
    // A late change of something of hers.
    shop.note(EntityKind::Drop, gone.drop_id.uuid()).await;
    shop.env.advance(LOOK_EVERY);
    shop.indexer.look(&mut follower, LOOK_BACK).await.unwrap();
    for _ in ["followed", "made anew"] {
        assert_eq!(shop.found(Kind::Product).await, [kept.product_id.uuid()]);
        assert_eq!(shop.found(Kind::Drop).await, [] as [Uuid; 0]);
        make_anew(&shop.indexer.env, &shop.indexer.store)
            .await
            .unwrap();
        shop.start().await;
    }
}
