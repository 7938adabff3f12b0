//! Drops of the demo world: over, live, soon and tomorrow.

use std::time::Duration;

use futures::future::{join_all, try_join, try_join_all};

use super::{TIME, shop::Shop};
use crate::{
    domain::{
        AccountId, RequestId, Timestamp,
        payment::PaymentMethod,
        product::{ItemProduct, Product},
    },
    ledger::Line,
    service::{
        Context, Error, Result,
        drop_lists::{self, DropFilter},
        drops::{self, DropDetails, ScheduleDrop, ScheduleItem},
        orders::{self, PlaceOrder},
    },
    store::projections::DropState,
};

/// When the drop that opens soon opens.
const SOON: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);
/// A drop that is over was open so long.
const MOMENT: Duration = Duration::from_secs(2);
/// How long the others sell: who comes back from lunch finds the drop that the greeting has named.
const SPAN: Duration = Duration::from_secs(6 * 3600);
/// A drop that ends sooner is no good for a newcomer.
const SPARE: Duration = Duration::from_secs(600);
const HOLD: Duration = Duration::from_secs(300);
/// Products of a drop.
const PRODUCTS: usize = 2;
/// Units of the first variant of a product, the second, and so on: the last ones sell out within minutes.
const STOCKS: [i64; 4] = [60, 30, 12, 6];
const LIMIT: i32 = 20;
const LOW: i64 = 3;
/// Drops of a state that are looked for.
const LISTED: usize = 8;

/// Creators who always have a drop that is live.
pub(super) const ALWAYS: std::ops::Range<usize> = 0..3;
/// Creators with a drop that is over.
const OVER: std::ops::Range<usize> = 1..3;
/// Whose drop opens tomorrow.
const TOMORROW: usize = 3;
/// Whose drop opens soon.
const NEXT: usize = 4;

/// A drop, and who sells.
#[derive(Debug, Clone)]
pub(in crate::cli::dev) struct Sale {
    /// The drop.
    pub(in crate::cli::dev) details: DropDetails,
    /// The creator's.
    pub(in crate::cli::dev) handle: String,
    /// Place of the creator among all.
    pub(super) shop: usize,
}

/// What a newcomer is told.
#[derive(Debug)]
pub(in crate::cli::dev) struct Drops {
    /// Live for hours.
    pub(in crate::cli::dev) live: Vec<Sale>,
    /// Opens within [`SOON`].
    pub(in crate::cli::dev) soon: Sale,
}

/// When a drop of the demo is open.
struct Open {
    at: Option<Timestamp>,
    until: Timestamp,
}

impl Open {
    fn at(at: Timestamp) -> Self {
        Self {
            at: Some(at),
            until: at + SPAN,
        }
    }
}

impl Drops {
    /// Finds those of an earlier start that are still good, and makes the others.
    pub(super) async fn make(ctx: &Context, shops: &[Shop]) -> Result<Self> {
        let live = (0..shops.len()).map(|at| live(ctx, shops, at));
        let (live, soon) = try_join(try_join_all(live), soon(ctx, shops)).await?;
        let live = live.into_iter().flatten().collect();
        Ok(Self { live, soon })
    }
}

/// What a creator sells now; those who always do begin anew if there is nothing.
async fn live(ctx: &Context, shops: &[Shop], at: usize) -> Result<Vec<Sale>> {
    let mut good = find(ctx, shops, at, DropState::Live).await?;
    let until = ctx.env.now() + SPARE;
    good.retain(|sale| sale.details.drop.ends_at > until);
    if good.is_empty() && ALWAYS.contains(&at) {
        good.push(sell(ctx, shops, at).await?);
    }
    Ok(good)
}

/// A creator's next drop, live from now on.
pub(super) async fn sell(ctx: &Context, shops: &[Shop], at: usize) -> Result<Sale> {
    let open = Open {
        at: None,
        until: ctx.env.now() + SPAN,
    };
    schedule(ctx, shops, at, open).await
}

async fn soon(ctx: &Context, shops: &[Shop]) -> Result<Sale> {
    let opens_by = ctx.env.now() + SOON;
    let mut known = find(ctx, shops, NEXT, DropState::Scheduled).await?;
    known.retain(|sale| sale.details.drop.opens_at <= opens_by);
    match known.pop() {
        Some(sale) => Ok(sale),
        None => schedule(ctx, shops, NEXT, Open::at(opens_by)).await,
    }
}

/// Drops that a newcomer can do without at first: one that opens tomorrow, and those that are over.
pub(super) async fn make_rest(ctx: &Context, shops: &[Shop], buyers: &[AccountId]) -> Result<()> {
    let now = ctx.env.now();
    if find(ctx, shops, TOMORROW, DropState::Scheduled)
        .await?
        .is_empty()
    {
        schedule(ctx, shops, TOMORROW, Open::at(now + DAY)).await?;
    }
    for at in OVER {
        if find(ctx, shops, at, DropState::Ended).await?.is_empty() {
            let moment = Open {
                at: None,
                until: ctx.env.now() + MOMENT,
            };
            let sale = schedule(ctx, shops, at, moment).await?;
            let bought = buyers
                .iter()
                .zip((0..sale.details.drop.items.len()).cycle());
            let bought = bought
                .map(|(buyer_id, item)| buy(ctx, *buyer_id, &sale.details, item, "pm_test_ok"));
            for refused in join_all(bought).await.into_iter().filter_map(Result::err) {
                tracing::debug!(error = %refused, "a demo buyer got nothing");
            }
        }
    }
    Ok(())
}

/// A creator's newest drops of a state.
async fn find(ctx: &Context, shops: &[Shop], at: usize, state: DropState) -> Result<Vec<Sale>> {
    let shop = shop(shops, at)?;
    let filter = DropFilter {
        state: Some(state),
        ..DropFilter::default()
    };
    let page = drop_lists::of_creator(ctx, shop.creator_id, &filter, None, LISTED).await?;
    let sale = |details| Sale {
        details,
        handle: shop.handle.clone(),
        shop: at,
    };
    Ok(page.drops.into_iter().map(sale).collect())
}

fn shop(shops: &[Shop], at: usize) -> Result<&Shop> {
    let missing = || Error::Internal("a creator is missing".to_owned());
    shops.get(at).ok_or_else(missing)
}

/// Makes a drop of some of the creator's products: by chance, so that no two starts are alike.
async fn schedule(ctx: &Context, shops: &[Shop], at: usize, open: Open) -> Result<Sale> {
    let shop = shop(shops, at)?;
    let first = super::trickle::any_of(shop.products.len());
    let all = shop.products.iter().cycle().skip(first);
    let products: Vec<_> = all.take(PRODUCTS.min(shop.products.len())).collect();
    let titles: Vec<_> = products.iter().map(|it| it.title.as_str()).collect();
    let wish = ScheduleDrop {
        request_id: RequestId::new(ctx.env.uuid()),
        title: titles.join(", "),
        description: "Made by `livedrop dev`.".to_owned(),
        currency: None,
        items: products.into_iter().flat_map(items).collect(),
        limit_per_buyer: 0,
        opens_at: open.at,
        ends_at: open.until,
        hold: HOLD,
        low_stock_threshold: LOW,
    };
    let scheduled = Box::pin(drops::schedule(ctx, shop.creator_id, wish, TIME));
    Ok(Sale {
        details: scheduled.await?,
        handle: shop.handle.clone(),
        shop: at,
    })
}

/// All variants of a product.
fn items(product: &Product) -> impl Iterator<Item = ScheduleItem> {
    let stocks = STOCKS.iter().cycle();
    let variants = product.variants.iter().zip(stocks);
    variants.map(|(variant, stock)| ScheduleItem {
        title: None,
        stock: *stock,
        unit_price_minor: None,
        limit_per_buyer: LIMIT,
        product: Some(ItemProduct {
            product_id: product.product_id,
            variant_id: variant.variant_id,
        }),
    })
}

/// Buys a unit of an item by one of the test provider's tokens.
pub(super) async fn buy(
    ctx: &Context,
    buyer_id: AccountId,
    details: &DropDetails,
    item: usize,
    token: &str,
) -> Result<()> {
    let drop = &details.drop;
    let item = drop.items.get(item);
    let item = item.ok_or_else(|| Error::Internal("an item is missing".to_owned()))?;
    let wish = PlaceOrder {
        request_id: RequestId::new(ctx.env.uuid()),
        drop_id: drop.drop_id,
        lines: vec![Line {
            item_id: item.item_id,
            quantity: 1,
        }],
        expected_total: None,
        payment_method: Some(PaymentMethod::stored(token.to_owned())),
        retry_count: 0,
    };
    let placed = Box::pin(orders::place(ctx, buyer_id, wish, TIME));
    placed.await.map(|_order| ())
}
