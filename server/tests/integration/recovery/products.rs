//! Products whose making or changing is cut off: the list that they are in follows, and the same call completes them.

use livedrop::v1;
use livedrop_server::{
    domain::{ProductId, id::SHARDS},
    env::{Env as _, SystemEnv},
    store::{
        SharedStore,
        outbox::{Entity, EntityKind},
        truth::{TruthRow, TruthTable},
    },
};

use super::{
    Scenarios,
    ends::{Seen, all, announced_at, same, told},
    stage::{Stage, TEN_SECONDS},
};
use crate::{catalog::update_of, harness::product_request};

pub(super) fn add(scenarios: &mut Scenarios) {
    for crash in [
        "after PutIntent Product",
        "before InsertProduct",
        "after InsertProduct",
        "before PutCreatorProduct",
        "after PutCreatorProduct",
        "before PutAnnounced Product",
        "before RemoveIntent Product",
        "after UpdateProduct",
    ] {
        scenarios.add("product", crash, makes);
    }
}

async fn makes(mut stage: Stage) -> Stage {
    let creator = stage.creator().await;
    let create = product_request();
    let update = |product: &v1::Product| {
        let renamed = v1::Product {
            title: "Jumper".into(),
            ..product.clone()
        };
        update_of(&renamed, &["title"])
    };
    let is_changed = stage.name.contains("UpdateProduct");
    stage
        .dies(async {
            let made = Box::pin(creator.create_product(create.clone())).await?;
            if is_changed {
                let update = update(&made.product.unwrap());
                Box::pin(creator.update_product(update)).await?;
            }
            Ok(())
        })
        .await;
    stage.drops.count = 0;
    stage.lost_changes = lost(&stage).await;
    stage.restarts().await;
    stage.ends_right_within(TEN_SECONDS).await;

    // The same calls find the product, or make it.
    stage.restarts().await;
    let creator = stage.client(&stage.people[0]);
    let made = creator.create_product(create.clone()).await.unwrap();
    let made = made.product.unwrap();
    assert_eq!(made.title == "Jumper", is_changed, "{}", stage.name);
    let changed = creator.update_product(update(&made)).await.unwrap();
    let changed = changed.product.unwrap();
    assert_eq!(changed.etag, "2", "{}", stage.name);
    let again = creator.create_product(create).await.unwrap();
    assert_eq!(again.product, Some(changed), "{}", stage.name);
    stage.begins_anew();
    stage.ends_right().await;
    stage
}

/// Intents whose change was not made, or lies under a later one: the relay keeps them for ten minutes.
async fn lost(stage: &Stage) -> usize {
    let (left, hour) = (stage.left().await, SystemEnv.now().hour());
    let mut lost = 0;
    for (shard, hour) in (0..SHARDS).flat_map(|shard| [(shard, hour - 1), (shard, hour)]) {
        let intents = left.store.list_intents(shard, hour, all()).await.unwrap();
        for intent in intents {
            if intent.entity.kind == EntityKind::Product {
                let product_id = ProductId::new(intent.entity.id);
                let row = left.store.get_product(product_id).await.unwrap();
                lost += usize::from(row.is_none_or(|row| row.op_id != intent.op_id));
            }
        }
    }
    lost
}

/// Every product is in its creator's list, and announced as it is.
pub(super) async fn listed(store: &SharedStore) -> Seen {
    let mut after = None;
    loop {
        let page = store.scan_truth(TruthTable::Products, after.as_ref(), 100);
        let page = page.await.map_err(told)?;
        for row in page.rows {
            let TruthRow::Products(product) = row else {
                return Err("not a product".to_owned());
            };
            let rows = store.list_creator_products(product.creator_id, all()).await;
            let place = (product.created_at, product.product_id);
            let is_listed = rows.map_err(told)?.contains(&place);
            same("a creator's products", &is_listed, &true)?;
            let entity = Entity {
                kind: EntityKind::Product,
                id: product.product_id.uuid(),
            };
            announced_at(store, entity, product.version).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
