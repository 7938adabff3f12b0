//! Products whose making or changing is cut off: the list that they are in follows, and the same call completes them.

use livedrop::{prost_types::FieldMask, v1};
use livedrop_server::store::{
    SharedStore,
    outbox::{Entity, EntityKind},
    truth::{TruthRow, TruthTable},
};

use super::{
    Scenarios,
    ends::{Seen, all, announced_at, same, told},
    stage::{Stage, TEN_SECONDS},
};
use crate::harness::product_request;

pub(super) fn add(scenarios: &mut Scenarios) {
    for (crash, lost) in [
        ("after PutIntent Product", 1),
        ("before InsertProduct", 1),
        ("after InsertProduct", 0),
        ("before PutCreatorProduct", 0),
        ("after PutCreatorProduct", 0),
        ("before PutAnnounced Product", 0),
        ("before RemoveIntent Product", 0),
        ("after UpdateProduct", 0),
    ] {
        scenarios.add("product", crash, move |stage| makes(stage, lost));
    }
}

async fn makes(mut stage: Stage, lost: usize) -> Stage {
    let creator = stage.creator().await;
    let create = product_request();
    let update = |product: &v1::Product| v1::UpdateProductRequest {
        product: Some(v1::Product {
            title: "Jumper".into(),
            ..product.clone()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["title".into()],
        }),
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
    stage.lost_changes = lost;
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
