//! What is searched of a row.

use uuid::Uuid;

use super::{Kind, words};
use crate::{
    domain::{
        AccountId, Currency, Timestamp,
        drop::Drop,
        product::{Product, ProductStatus},
    },
    store::projections::{DropState, DropStatus},
};

/// A product or a drop, as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which of the two.
    pub kind: Kind,
    /// The product's or drop's id.
    pub id: Uuid,
    /// Whose it is.
    pub creator_id: AccountId,
    /// Words of the title.
    pub title: Vec<String>,
    /// Words that name it too: tags and variants of a product, items of a drop.
    pub keywords: Vec<String>,
    /// All other words.
    pub text: Vec<String>,
    /// Tags as a whole.
    pub tags: Vec<String>,
    /// Currency of its prices.
    pub currency: Currency,
    /// What its variants or items cost, in minor units.
    pub prices: Vec<i64>,
    /// Names its state: see [`product_state`](Self::product_state), [`drop_state`](Self::drop_state).
    pub state: &'static str,
    /// Can be bought now.
    pub is_buyable: bool,
    /// Later ones come first: when a product was made, when a drop opens.
    pub at: Timestamp,
}

impl Document {
    /// What is found of a product.
    #[must_use]
    pub fn of_product(product: &Product) -> Self {
        let variants = product.variants.iter();
        let mut prices: Vec<_> = variants.map(|it| product.unit_price_minor(it)).collect();
        prices.sort_unstable();
        prices.dedup();
        let options = product.variants.iter().flat_map(|it| &it.options);
        let keywords = (product.tags.iter().map(String::as_str))
            .chain(
                product
                    .variants
                    .iter()
                    .flat_map(|it| [&*it.title, &*it.sku]),
            )
            .chain(options.map(|it| &*it.value));
        let facts = product.attributes.iter().map(|it| &*it.value);
        Self {
            kind: Kind::Product,
            id: product.product_id.uuid(),
            creator_id: product.creator_id,
            title: words(&product.title),
            keywords: all(keywords),
            text: all([&*product.description].into_iter().chain(facts)),
            tags: product.tags.clone(),
            currency: product.currency,
            prices,
            state: Self::product_state(product.status),
            is_buyable: false,
            at: product.created_at,
        }
    }

    /// What is found of a drop. `status` is its ledger's, if it has one.
    #[must_use]
    pub fn of_drop(drop: &Drop, status: Option<&DropStatus>) -> Self {
        let mut prices: Vec<_> = drop.items.iter().map(|it| it.unit_price_minor).collect();
        prices.sort_unstable();
        prices.dedup();
        let state = match status {
            Some(status) => status.state,
            None if drop.cancelled => DropState::Cancelled,
            None => DropState::Scheduled,
        };
        let is_sold_out = status.is_some_and(|status| status.is_sold_out);
        Self {
            kind: Kind::Drop,
            id: drop.drop_id.uuid(),
            creator_id: drop.creator_id,
            title: words(&drop.title),
            keywords: all(drop.items.iter().map(|it| &*it.title)),
            text: words(&drop.description),
            tags: Vec::new(),
            currency: drop.currency,
            prices,
            state: Self::drop_state(state),
            is_buyable: state == DropState::Live && !is_sold_out,
            at: drop.opens_at,
        }
    }

    /// Names the state of a product.
    #[must_use]
    pub const fn product_state(status: ProductStatus) -> &'static str {
        match status {
            ProductStatus::Active => "active",
            ProductStatus::Archived => "archived",
        }
    }

    /// Names the state of a drop.
    #[must_use]
    pub const fn drop_state(state: DropState) -> &'static str {
        match state {
            DropState::Scheduled => "scheduled",
            DropState::Live => "live",
            DropState::Ended => "ended",
            DropState::Cancelled => "cancelled",
        }
    }
}

/// The words of all these texts.
fn all<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let texts: Vec<_> = texts.collect();
    words(&texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::samples;

    #[test]
    fn a_product_is_found_by_all_that_it_costs() {
        let mut product = samples::product();
        product.price_minor = 500;
        product.variants.truncate(2);
        product.variants[0].price_minor = None;
        product.variants[1].price_minor = Some(300);
        assert_eq!(Document::of_product(&product).prices, [300, 500]);
    }

    #[test]
    fn a_drop_can_be_bought_while_it_is_live_and_not_sold_out() {
        let drop = samples::drop();
        assert_eq!(Document::of_drop(&drop, None).state, "scheduled");
        let cancelled = Drop {
            cancelled: true,
            ..drop.clone()
        };
        assert_eq!(Document::of_drop(&cancelled, None).state, "cancelled");
        for (state, is_sold_out, is_buyable) in [
            (DropState::Live, false, true),
            (DropState::Live, true, false),
            (DropState::Scheduled, false, false),
            (DropState::Ended, false, false),
        ] {
            let status = DropStatus {
                state,
                is_sold_out,
                ..samples::drop_status()
            };
            let found = Document::of_drop(&drop, Some(&status));
            assert_eq!(found.is_buyable, is_buyable, "{state:?}");
        }
    }
}
