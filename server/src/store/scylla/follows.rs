//! Who follows whom (`follow_edges`), the two lists (`followers`, `following`) and their buckets (`follow_buckets`).

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use scylla::statement::prepared::PreparedStatement;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    lwt::{self, Table},
    row::{self, FromRow, Row, Value, values},
};
use crate::{
    domain::AccountId,
    store::{
        Cas, FollowStore, PageRequest, Put, Result,
        follows::{
            BUCKETS_MAX, FollowBucket, FollowEdge, FollowList, FollowPlace, FollowSide, FollowState,
        },
    },
};

/// Edges read at once, by one call: each is a partition of its own.
const AT_ONCE: usize = 32;

pub(super) const FOLLOW_EDGES: Table = Table {
    name: "follow_edges",
    key: &["follower_id", "creator_id"],
    columns: &[
        "version",
        "op_id",
        "state",
        "followed_at",
        "followers_bucket",
        "following_bucket",
    ],
    using: "",
};
pub(super) const FOLLOW_BUCKETS: Table = Table {
    name: "follow_buckets",
    key: &["owner_id", "side", "number"],
    columns: &["version", "op_id", "active_from", "marks"],
    using: "",
};

#[derive(Debug)]
pub(super) struct Statements {
    edges: lwt::Statements,
    /// An edge as of the last answer; no turn among the writers is taken for it.
    edge: PreparedStatement,
    buckets: lwt::Statements,
    list_buckets: PreparedStatement,
    followers: ListStatements,
    following: ListStatements,
}

/// The statements of one of the lists.
#[derive(Debug)]
struct ListStatements {
    put: PreparedStatement,
    remove: PreparedStatement,
    rows: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let all = FOLLOW_BUCKETS.all().join(", ");
        Ok(Self {
            edges: lwt::Statements::prepare(db, FOLLOW_EDGES).await?,
            edge: db.plain(&FOLLOW_EDGES.select()).await?,
            buckets: lwt::Statements::prepare(db, FOLLOW_BUCKETS).await?,
            list_buckets: db
                .plain(&format!(
                    "SELECT {all} FROM follow_buckets WHERE owner_id = ? AND side = ? ORDER BY number DESC LIMIT ?"
                ))
                .await?,
            followers: ListStatements::prepare(db, "followers", "creator_id", "follower_id")
                .await?,
            following: ListStatements::prepare(db, "following", "follower_id", "creator_id")
                .await?,
        })
    }

    const fn of(&self, list: FollowList) -> &ListStatements {
        match list.side {
            FollowSide::Followers => &self.followers,
            FollowSide::Following => &self.following,
        }
    }
}

impl ListStatements {
    async fn prepare(db: &Db, table: &str, owner: &str, other: &str) -> Result<Self> {
        let (partition, clustering) = ([owner, "bucket"], ["followed_at", other]);
        let put = format!(
            "INSERT INTO {table} ({owner}, bucket, followed_at, {other}) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        );
        let remove = format!(
            "DELETE FROM {table} USING TIMESTAMP ? WHERE {owner} = ? AND bucket = ? AND followed_at = ? AND {other} = ?"
        );
        Ok(Self {
            put: db.plain(&put).await?,
            remove: db.plain(&remove).await?,
            rows: List::prepare(db, table, &partition, &clustering, &[]).await?,
        })
    }
}

fn edge_values(edge: &FollowEdge) -> (Vec<Value>, Vec<Value>) {
    (
        values![edge.follower_id.uuid(), edge.creator_id.uuid()],
        values![
            edge.version,
            edge.op_id,
            row::name_of(&edge.state),
            edge.followed_at.micros(),
            edge.followers_bucket,
            edge.following_bucket,
        ],
    )
}

fn bucket_values(bucket: &FollowBucket) -> (Vec<Value>, Vec<Value>) {
    let FollowList { owner_id, side } = bucket.list;
    (
        values![owner_id.uuid(), row::name_of(&side), bucket.number],
        values![
            bucket.version,
            bucket.op_id,
            bucket.active_from.micros(),
            bucket.marks,
        ],
    )
}

impl FromRow for FollowEdge {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            follower_id: row.id("follower_id", AccountId::new)?,
            creator_id: row.id("creator_id", AccountId::new)?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            state: row.named("state")?,
            followed_at: row.time("followed_at")?,
            followers_bucket: row.get("followers_bucket")?,
            following_bucket: row.get("following_bucket")?,
        })
    }
}

impl FromRow for FollowBucket {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let list = FollowList {
            owner_id: row.id("owner_id", AccountId::new)?,
            side: row.named("side")?,
        };
        Ok(Self {
            list,
            number: row.get("number")?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            active_from: row.time("active_from")?,
            marks: row.get("marks")?,
        })
    }
}

/// A row of `followers`.
struct Follower(FollowPlace);

/// A row of `following`.
struct Followed(FollowPlace);

fn place(row: &Row<'_>, other: &str) -> Result<FollowPlace> {
    Ok(FollowPlace {
        followed_at: row.time("followed_at")?,
        account_id: row.id(other, AccountId::new)?,
    })
}

impl FromRow for Follower {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        place(row, "follower_id").map(Self)
    }
}

impl FromRow for Followed {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        place(row, "creator_id").map(Self)
    }
}

#[async_trait]
impl FollowStore for ScyllaStore {
    async fn get_follow(
        &self,
        follower_id: AccountId,
        creator_id: AccountId,
    ) -> Result<Option<FollowEdge>> {
        let key = values![follower_id.uuid(), creator_id.uuid()];
        self.db.get(&self.follows.edges, key).await
    }

    async fn get_follows(
        &self,
        follower_id: AccountId,
        creator_ids: &[AccountId],
    ) -> Result<Vec<Option<FollowEdge>>> {
        let get = |creator_id: AccountId| async move {
            let key = values![follower_id.uuid(), creator_id.uuid()];
            let rows = self.db.rows(&self.follows.edge, &key).await?;
            row::first(&rows, FollowEdge::from_row)
        };
        stream::iter(creator_ids.to_vec())
            .map(get)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn update_follow(&self, edge: &FollowEdge) -> Result<Cas<FollowEdge>> {
        if edge.version != 1 {
            let (key, columns) = edge_values(edge);
            let edges = &self.follows.edges;
            return self.db.replace(edges, key, columns, edge).await;
        }
        Ok(match self.put_edge(edge).await? {
            Put::Done => Cas::Done,
            Put::Exists(found) if found.op_id == edge.op_id => Cas::Done,
            Put::Exists(found) => Cas::Stale(Some(found)),
        })
    }

    async fn put_follow_rows(&self, edge: &FollowEdge) -> Result<()> {
        let write = |(list, bucket, place): (FollowList, i32, FollowPlace)| {
            let FollowPlace {
                followed_at,
                account_id,
            } = place;
            let mut values = values![
                list.owner_id.uuid(),
                bucket,
                followed_at.micros(),
                account_id.uuid(),
            ];
            let version = Box::new(edge.version) as Value;
            let statements = self.follows.of(list);
            let statement = match edge.state {
                FollowState::Following => {
                    values.push(version);
                    &statements.put
                }
                FollowState::Unfollowed => {
                    values.insert(0, version);
                    &statements.remove
                }
            };
            self.db.run(statement, values)
        };
        let [followers, following] = edge.places().map(write);
        futures::future::try_join(followers, following).await?;
        Ok(())
    }

    async fn list_follow_rows(
        &self,
        list: FollowList,
        bucket: i32,
        page: PageRequest<FollowPlace>,
    ) -> Result<Vec<FollowPlace>> {
        let rows = &self.follows.of(list).rows;
        let partition = values![list.owner_id.uuid(), bucket];
        let page = page.map(|it| values![it.followed_at.micros(), it.account_id.uuid()]);
        Ok(match list.side {
            FollowSide::Followers => {
                let found: Vec<Follower> = self.db.list(rows, partition, page).await?;
                found.into_iter().map(|it| it.0).collect()
            }
            FollowSide::Following => {
                let found: Vec<Followed> = self.db.list(rows, partition, page).await?;
                found.into_iter().map(|it| it.0).collect()
            }
        })
    }

    async fn list_follow_buckets(&self, list: FollowList) -> Result<Vec<FollowBucket>> {
        let bound = i32::try_from(BUCKETS_MAX).unwrap_or(i32::MAX);
        let values = values![list.owner_id.uuid(), row::name_of(&list.side), bound];
        let statement = &self.follows.list_buckets;
        self.db.select(statement, &values, BUCKETS_MAX).await
    }

    async fn update_follow_bucket(&self, bucket: &FollowBucket) -> Result<Cas<FollowBucket>> {
        if bucket.version != 1 {
            let (key, columns) = bucket_values(bucket);
            let buckets = &self.follows.buckets;
            return self.db.replace(buckets, key, columns, bucket).await;
        }
        Ok(match self.put_bucket(bucket).await? {
            Put::Done => Cas::Done,
            Put::Exists(found) if found.op_id == bucket.op_id => Cas::Done,
            Put::Exists(found) => Cas::Stale(Some(found)),
        })
    }
}

impl ScyllaStore {
    /// Puts an edge's row if there is none, whatever its version.
    pub(super) async fn put_edge(&self, edge: &FollowEdge) -> Result<Put<FollowEdge>> {
        let (key, columns) = edge_values(edge);
        let edges = &self.follows.edges;
        self.db.put_if_absent(edges, key, columns, edge).await
    }

    /// Puts a bucket's row if there is none, whatever its version.
    pub(super) async fn put_bucket(&self, bucket: &FollowBucket) -> Result<Put<FollowBucket>> {
        let (key, columns) = bucket_values(bucket);
        let buckets = &self.follows.buckets;
        self.db.put_if_absent(buckets, key, columns, bucket).await
    }
}
