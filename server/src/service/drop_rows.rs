//! Drops as their rows tell. After the freeze a row's title and description may still change, in any process; and a row with the status that
//! a projector keeps says nearly all that a ledger does, without opening it.

use std::{sync::Arc, time::Duration};

use super::{Context, Result, drops::DropDetails};
use crate::{
    domain::{DropId, drop::Drop},
    ledger::{DropView, registry::OpenedLedger},
};

/// How long the row of an open ledger is good for. Other processes may change it, and one that dies on the way tells nobody.
const ROW_GOOD_FOR: Duration = Duration::from_secs(1);

/// The row of an open ledger, as it was a second ago or later.
pub(super) async fn newest_of(ctx: &Context, ledger: &OpenedLedger) -> Arc<Drop> {
    let known = ledger.row();
    if !ledger.is_row_due(ctx.env.now(), ROW_GOOD_FOR) {
        return known;
    }
    match ctx.store.get_drop(known.drop_id).await {
        Ok(Some(row)) => ledger.renew(Arc::new(row)),
        Ok(None) => known,
        Err(error) => {
            tracing::debug!(drop_id = %known.drop_id, %error, "row of an open ledger can't be read");
            known
        }
    }
}

/// Reads a drop with its stock, and opens no ledger for it: for lists, whose reader has not asked for this drop. What the ledger said in the
/// last second may be missing.
pub(super) async fn look_up(ctx: &Context, drop_id: DropId) -> Result<Option<DropDetails>> {
    if let Some(ledger) = ctx.ledgers.opened(drop_id) {
        let view = ledger.view.borrow().clone();
        if view.seq > 0 {
            return Ok(Some(DropDetails {
                drop: newest_of(ctx, &ledger).await,
                ledger: Some(view),
            }));
        }
    }
    let (row, status) = futures::future::try_join(
        ctx.store.get_drop(drop_id),
        ctx.store.get_drop_status(drop_id),
    )
    .await?;
    Ok(row.map(|row| DropDetails {
        drop: Arc::new(row),
        ledger: status.map(|status| Arc::new(DropView::of_status(&status))),
    }))
}
