//! The drop that is watched, and those who buy it empty.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use livedrop::{
    Client, RetryPolicy,
    v1::{
        self, Drop, EndDropRequest, ErrorReason, Money, PlaceOrderLine, PlaceOrderRequest,
        ScheduleDropItem, ScheduleDropRequest,
    },
};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::rush::{CURRENCY, Login, creator, sign_up};

/// Connections of the buyers.
const CONNECTIONS: usize = 16;
/// Sign-ups at once.
const SIGN_UPS: usize = 32;
/// A drop that nobody buys from is over after this.
const IDLE: Duration = Duration::from_secs(1);

/// A drop that opens soon.
pub(super) struct Sale {
    pub(super) drop_id: String,
    pub(super) opens_at: SystemTime,
    item_id: String,
    opens: Instant,
    creator: Login,
    buyers: Vec<Login>,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Sold {
    /// Orders, of a unit each.
    pub(super) orders: u64,
    /// From the opening to the last order.
    pub(super) within: Duration,
    /// The drop as it is in the end.
    pub(super) drop: Drop,
}

impl Sale {
    pub(super) async fn prepare(
        endpoint: &str,
        buyers: u16,
        stock: i64,
        lead: Duration,
    ) -> anyhow::Result<Self> {
        let retry = RetryPolicy::default().attempts(20).without_budget();
        let connect = || Client::builder(endpoint).retry(retry.clone()).build();
        let connections = (0..CONNECTIONS).map(|_| connect());
        let connections: Vec<_> = connections.collect::<Result<_, _>>()?;
        let creator = creator(&connect()?).await?;
        let run = Uuid::new_v4().simple();
        let sign_ups = connections.iter().cycle().take(buyers.into()).enumerate();
        let sign_ups = sign_ups.map(|(number, connection)| {
            let email = format!("buyer-{number}-{run}@example.com");
            sign_up(connection, email, format!("Buyer {number}"))
        });
        let buyers = stream::iter(sign_ups).buffered(SIGN_UPS);
        let buyers = buyers.try_collect().await?;

        let opens_at = SystemTime::now() + lead;
        // What is free is sold at once.
        let item = ScheduleDropItem {
            title: "Something".to_owned(),
            unit_price: Some(Money {
                currency_code: CURRENCY.to_owned(),
                amount_minor: 0,
            }),
            stock,
            ..ScheduleDropItem::default()
        };
        let request = ScheduleDropRequest {
            title: "Watched".to_owned(),
            items: vec![item],
            opens_at: Some(opens_at.into()),
            ends_at: Some((opens_at + Duration::from_secs(3600)).into()),
            low_stock_threshold: stock / 10,
            ..ScheduleDropRequest::default()
        };
        let scheduled = creator.client.schedule_drop(request).await?;
        let drop = scheduled.drop.context("no drop")?;
        let item = drop.items.first().context("no item")?;
        // As the server cuts it.
        let opens_at = SystemTime::try_from(drop.opens_at.context("no opening")?)?;
        let wait = opens_at
            .duration_since(SystemTime::now())
            .unwrap_or_default();
        Ok(Self {
            item_id: item.item_id.clone(),
            drop_id: drop.drop_id,
            opens_at,
            opens: Instant::now() + wait,
            creator,
            buyers,
        })
    }

    /// Sells all there is, and ends the drop.
    pub(super) async fn sell(&self) -> anyhow::Result<Sold> {
        sleep_until(self.opens).await;
        let orders = try_join_all(self.buyers.iter().map(|buyer| self.buy(buyer))).await?;
        let within = self.opens.elapsed();
        if orders.is_empty() {
            sleep_until(self.opens + IDLE).await;
        }
        let drop_id = self.drop_id.clone();
        let request = EndDropRequest { drop_id };
        self.creator.client.end_drop(request).await?;
        let request = v1::GetDropRequest {
            drop_id: self.drop_id.clone(),
        };
        let drop = self.creator.client.get_drop(request).await?.drop;
        Ok(Sold {
            orders: orders.iter().sum(),
            within,
            drop: drop.context("no drop")?,
        })
    }

    /// Buys until nothing is left; how often.
    async fn buy(&self, buyer: &Login) -> anyhow::Result<u64> {
        let mut orders = 0;
        loop {
            let request = PlaceOrderRequest {
                request_id: Uuid::new_v4().to_string(),
                drop_id: self.drop_id.clone(),
                lines: vec![PlaceOrderLine {
                    item_id: self.item_id.clone(),
                    quantity: 1,
                }],
                ..PlaceOrderRequest::default()
            };
            match buyer.client.place_order(request).await {
                Ok(_) => orders += 1,
                Err(error) if error.reason() == Some(ErrorReason::SoldOut) => return Ok(orders),
                // By this clock it is open; by the server's not yet.
                Err(error) if error.reason() == Some(ErrorReason::DropNotOpen) => {}
                Err(error) => bail!(error),
            }
        }
    }
}
