//! The demo world, made through the use cases like everyone's: people and products that stay, drops at each point of their lives, and buyers
//! who keep the stock moving.

mod drops;
mod people;
mod pictures;
mod shop;
mod trickle;

use std::time::Duration;

use futures::future::{try_join, try_join_all};

pub(super) use self::{drops::Drops, people::LOGINS};
use self::{shop::Shop, trickle::Trickle};
use crate::service::{Context, Result};

/// More than any step takes on a machine that works.
const TIME: Duration = Duration::from_secs(10);

/// The world, as far as a newcomer is told of it. The rest comes with [`Demo::go_on`].
#[derive(Debug)]
pub(super) struct Demo {
    /// What is sold now, and what is next.
    pub(super) drops: Drops,
    shops: Vec<Shop>,
}

/// Makes what is not there yet.
pub(super) async fn make(ctx: &Context) -> Result<Demo> {
    let (creators, _guests) = try_join(people::creators(ctx), people::guests(ctx)).await?;
    let shops = creators.into_iter().zip(&shop::RANGES);
    let shops = shops.map(|(creator, range)| Shop::open(ctx, creator, range));
    let shops = try_join_all(shops).await?;
    let drops = Drops::make(ctx, &shops).await?;
    Ok(Demo { drops, shops })
}

impl Demo {
    /// Makes what the newcomer can do without at first; then, unless it `is_quiet`, has buyers buy for as long as this runs.
    pub(super) async fn go_on(self, ctx: Context, is_quiet: bool) {
        let Self { drops, shops } = self;
        let rest = async {
            let buyers = people::buyers(&ctx, &shops).await?;
            drops::make_rest(&ctx, &shops, &buyers).await?;
            Ok::<_, crate::service::Error>(buyers)
        };
        match Box::pin(rest).await {
            Ok(buyers) if !is_quiet => Trickle::new(ctx, shops, buyers, drops).run().await,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the demo world is not complete"),
        }
    }
}
