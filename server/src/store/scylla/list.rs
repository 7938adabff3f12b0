//! Lists: the rows of a partition, paged both ways by their clustering key.

use scylla::statement::prepared::PreparedStatement;

use super::{
    db::Db,
    row::{self, FromRow, Value},
};
use crate::store::{Order, PageRequest, Result};

/// Rows read at once.
const PAGE_MAX: usize = 500;

/// The statements of a list.
#[derive(Debug)]
pub(super) struct List {
    ascending: Way,
    descending: Way,
}

#[derive(Debug)]
struct Way {
    from_edge: PreparedStatement,
    after: PreparedStatement,
}

impl List {
    /// `columns` are those besides partition and clustering key.
    pub(super) async fn prepare(
        db: &Db,
        table: &str,
        partition: &[&str],
        clustering: &[&str],
        columns: &[&str],
    ) -> Result<Self> {
        let all = [partition, clustering, columns].concat().join(", ");
        let partition = partition.join(" = ? AND ");
        let head = format!("SELECT {all} FROM {table} WHERE {partition} = ?");
        Ok(Self {
            ascending: Way::prepare(db, &head, clustering, ("ASC", ">")).await?,
            descending: Way::prepare(db, &head, clustering, ("DESC", "<")).await?,
        })
    }
}

impl Way {
    async fn prepare(db: &Db, head: &str, clustering: &[&str], way: (&str, &str)) -> Result<Self> {
        let (direction, comparison) = way;
        let (key, marks) = (
            clustering.join(", "),
            vec!["?"; clustering.len()].join(", "),
        );
        let order = clustering.join(&format!(" {direction}, "));
        let foot = format!("ORDER BY {order} {direction} LIMIT ?");
        let after = format!("{head} AND ({key}) {comparison} ({marks}) {foot}");
        Ok(Self {
            from_edge: db.plain(&format!("{head} {foot}")).await?,
            after: db.plain(&after).await?,
        })
    }
}

impl Db {
    /// A page of a list: full, unless the list ends.
    pub(super) async fn list<T: FromRow>(
        &self,
        list: &List,
        partition: Vec<Value>,
        page: PageRequest<Vec<Value>>,
    ) -> Result<Vec<T>> {
        let way = match page.order {
            Order::Ascending => &list.ascending,
            Order::Descending => &list.descending,
        };
        let limit = page.limit.max(1);
        let statement = match page.after {
            Some(_) => &way.after,
            None => &way.from_edge,
        };
        let bound = Box::new(i32::try_from(limit).unwrap_or(i32::MAX)) as Value;
        let values: Vec<_> = (partition.into_iter())
            .chain(page.after.into_iter().flatten())
            .chain([bound])
            .collect();
        self.select(statement, &values, limit).await
    }

    /// All rows of a bounded read.
    pub(super) async fn select<T: FromRow>(
        &self,
        statement: &PreparedStatement,
        values: &[Value],
        limit: usize,
    ) -> Result<Vec<T>> {
        let mut pages = self.pages(statement, values, limit.min(PAGE_MAX));
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(rows) = pages.next().await?
        {
            found.extend(row::all(&rows, T::from_row)?);
        }
        Ok(found)
    }
}
