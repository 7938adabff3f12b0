//! A few buyers in the background, so that the stock moves, and the creators who see to it that there is some.

use std::time::Duration;

use rand::RngExt as _;

use super::{
    TIME,
    drops::{self, ALWAYS, Drops, Sale, buy},
    shop::Shop,
};
use crate::{
    domain::{AccountId, RequestId},
    service::{Context, drops as service},
    store::projections::DropState,
};

/// Pauses between two purchases: long enough to follow with the eye.
const PAUSES: std::ops::Range<f64> = 0.5..4.0;
/// Purchases until the buyers go home, so that a server that is forgotten does not fill its disk: more than a day's.
const PURCHASES_MAX: usize = 50_000;
/// Purchases between two looks at what is live: about twenty seconds.
const LOOK_EVERY: usize = 8;
/// Most cards are good.
const CARDS: [&str; 6] = [
    "pm_test_ok",
    "pm_test_ok",
    "pm_test_ok",
    "pm_test_ok",
    "pm_test_slow",
    "pm_test_declined",
];
/// What a creator puts on sale anew when an item is sold out.
const RESTOCKED: i64 = 20;

/// A place in something of `len`; 0 of nothing.
pub(super) fn any_of(len: usize) -> usize {
    rand::rng().random_range(0..len.max(1))
}

/// The buyers, and what they buy.
pub(super) struct Trickle {
    ctx: Context,
    shops: Vec<Shop>,
    buyers: Vec<AccountId>,
    live: Vec<Sale>,
}

impl Trickle {
    pub(super) fn new(
        ctx: Context,
        shops: Vec<Shop>,
        buyers: Vec<AccountId>,
        drops: Drops,
    ) -> Self {
        let mut live = drops.live;
        live.push(drops.soon);
        Self {
            ctx,
            shops,
            buyers,
            live,
        }
    }

    /// Buys, and looks after the drops, until all are tired.
    pub(super) async fn run(mut self) {
        for number in 1..=PURCHASES_MAX {
            let pause = Duration::from_secs_f64(rand::rng().random_range(PAUSES));
            self.ctx.env.sleep(pause).await;
            self.purchase().await;
            if number % LOOK_EVERY == 0 {
                Box::pin(self.look()).await;
            }
        }
    }

    /// Somebody buys something. What is refused, as when an item is sold out or a limit is reached, is left at that.
    async fn purchase(&self) {
        let now = self.ctx.env.now();
        let open = self.live.iter().map(|sale| &sale.details);
        let open: Vec<_> = open.filter(|it| it.drop.opens_at <= now).collect();
        let (Some(buyer_id), Some(details), Some(card)) = (
            self.buyers.get(any_of(self.buyers.len())),
            open.get(any_of(open.len())),
            CARDS.get(any_of(CARDS.len())),
        ) else {
            return;
        };
        let item = any_of(details.drop.items.len());
        if let Err(error) = buy(&self.ctx, *buyer_id, details, item, card).await {
            tracing::debug!(%error, "a demo buyer got nothing");
        }
    }

    /// Restocks what is sold out, forgets drops that are over, and has those creators begin anew who always sell.
    async fn look(&mut self) {
        let mut live = Vec::with_capacity(self.live.len());
        for sale in std::mem::take(&mut self.live) {
            let drop_id = sale.details.drop.drop_id;
            let state = match service::get(&self.ctx, drop_id, TIME).await {
                Ok(now) => {
                    self.restock(&now).await;
                    now.state()
                }
                Err(error) => {
                    tracing::debug!(%error, "a demo drop can't be read");
                    DropState::Live
                }
            };
            match state {
                DropState::Scheduled | DropState::Live => live.push(sale),
                DropState::Ended | DropState::Cancelled => {}
            }
        }
        for at in ALWAYS {
            if live.iter().any(|sale| sale.shop == at) {
                continue;
            }
            match drops::sell(&self.ctx, &self.shops, at).await {
                Ok(sale) => live.push(sale),
                // As when somebody has deleted the creator.
                Err(error) => tracing::debug!(%error, "a demo creator sells nothing"),
            }
        }
        self.live = live;
    }

    /// Puts units on sale of what is sold out.
    async fn restock(&self, details: &service::DropDetails) {
        let (creator_id, drop_id) = (details.drop.creator_id, details.drop.drop_id);
        let items = details.ledger.iter().flat_map(|view| &view.items);
        for item in items.filter(|item| item.available == 0) {
            let units = (item.item_id, RESTOCKED, "demo".to_owned());
            let request_id = RequestId::new(self.ctx.env.uuid());
            let restocked =
                service::restock(&self.ctx, creator_id, request_id, drop_id, units, TIME);
            // An order may have been given back meanwhile, or the drop be over.
            if let Err(error) = Box::pin(restocked).await {
                tracing::debug!(%error, "a demo creator could not restock");
            }
        }
    }
}
