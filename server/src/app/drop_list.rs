//! All drops of a store, by walking `drops_by_time` from the product's first day to the last day a drop may open.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{DropId, id::SHARDS},
    env::{Env as _, SystemEnv},
    store::{DropStore, Order, PageRequest, Result, drops::DropTimeKey},
};

/// 2026-01-01: no drop is older than the product.
const FIRST_DAY: i32 = 20_454;

/// A drop opens at most 366 days ahead.
const DAYS_AHEAD: i32 = 367;

/// Drops of one page, at most.
const PAGE: usize = 1_000;

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    day: i32,
    shard: u8,
    key: Option<DropTimeKey>,
}

/// Some drops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropPage {
    /// Which; one that was moved may come twice, and one whose creation was cut off has no row.
    pub drop_ids: Vec<DropId>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// The page after `after`.
///
/// # Errors
/// If the store can't be read.
pub async fn page(store: &dyn DropStore, after: Option<Cursor>) -> Result<DropPage> {
    let last_day = SystemEnv.now().day() + DAYS_AHEAD;
    let mut cursor = after.unwrap_or(Cursor {
        day: FIRST_DAY,
        shard: 0,
        key: None,
    });
    // The cursor may come from outside.
    cursor.day = cursor.day.max(FIRST_DAY);
    cursor.shard = cursor.shard.min(SHARDS - 1);
    let mut drop_ids = Vec::new();
    while cursor.day <= last_day {
        let limit = PAGE - drop_ids.len();
        let request = PageRequest {
            after: cursor.key,
            limit,
            order: Order::Ascending,
        };
        let rows = store
            .list_drop_times(cursor.day, cursor.shard, request)
            .await?;
        drop_ids.extend(rows.iter().map(|row| row.key.drop_id));
        cursor = match rows.last() {
            Some(row) => Cursor {
                key: Some(row.key),
                ..cursor
            },
            None if cursor.shard + 1 < SHARDS => Cursor {
                shard: cursor.shard + 1,
                key: None,
                ..cursor
            },
            None => Cursor {
                day: cursor.day + 1,
                shard: 0,
                key: None,
            },
        };
        if drop_ids.len() >= PAGE {
            return Ok(DropPage {
                drop_ids,
                next: Some(cursor),
            });
        }
    }
    Ok(DropPage {
        drop_ids,
        next: None,
    })
}
