//! A creator's evening: a drop is scheduled, a fan follows, it opens, sells, is restocked, and is ended early.
//!
//! `cargo run -p livedrop --example creator`. `LIVEDROP_ENDPOINT` names the server; default `http://127.0.0.1:7400`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use livedrop::{
    Purchase,
    v1::{self, DropChangeKind},
};

mod world;

#[tokio::main]
async fn main() -> Result<()> {
    let creator = world::client()?;
    let profile = world::become_creator(&creator, "Ann").await?;
    println!("creator {} is @{}", profile.display_name, profile.handle);

    let fan = creator.new_session();
    world::sign_up(&fan, "Ben").await?;
    let follow = v1::FollowRequest {
        creator_id: profile.creator_id.clone(),
    };
    fan.follow(follow).await?;

    let drop = world::schedule_posters(&creator, 1, Duration::from_secs(1)).await?;
    let drop_id = &drop.drop_id;
    let item_id = drop.items.first().context("no item")?.item_id.clone();
    println!("drop {drop_id} is {:?}", drop.state());

    let mut watch = creator.watch_drop(drop_id);
    loop {
        let news = watch.next().await?;
        let Some(change) = news.change else {
            continue;
        };
        println!("{:?}", change.kind());
        if change.kind() == DropChangeKind::WentLive {
            let line = world::one_of(&news.drop)?;
            let mut purchase = Purchase::new(drop_id, [line]).paying_with("pm_test_ok");
            let order = fan.buy(&mut purchase).await?;
            println!("the fan's order is {:?}", order.state());
        } else if change.kind() == DropChangeKind::SoldOut {
            // The request id that makes a repeat harmless is the client's work.
            let more = v1::RestockDropRequest {
                drop_id: drop_id.clone(),
                item_id: item_id.clone(),
                unit_count: 5,
                reason: "found a box".into(),
                ..Default::default()
            };
            creator.restock_drop(more).await?;
        } else if change.kind() == DropChangeKind::Restocked {
            let end = v1::EndDropRequest {
                drop_id: drop_id.clone(),
            };
            creator.end_drop(end).await?;
        } else if change.kind() == DropChangeKind::Ended {
            break;
        }
    }

    let mut followers = creator.followers(&profile.creator_id);
    while let Some(follower) = followers.next().await? {
        println!("followed by {}", follower.display_name);
    }
    Ok(())
}
