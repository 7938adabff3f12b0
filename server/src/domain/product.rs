//! What a creator has to sell, whenever: products and their variants. Stock is the drops'.

use serde::{Deserialize, Serialize};

use super::{AccountId, Currency, ProductId, Timestamp, VariantId, image::Image};

/// Most characters of an item's title.
const ITEM_TITLE_CHARS: usize = 120;

/// A product's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The product's id.
    pub product_id: ProductId,
    /// Whose product it is.
    pub creator_id: AccountId,
    /// Counts the row's changes, from 1; the etag.
    pub version: i64,
    /// The change that made this version, so that an unknown outcome can be settled by reading.
    pub op_id: uuid::Uuid,
    /// What people read.
    pub title: String,
    /// What people read below the title.
    pub description: String,
    /// Whether it may enter drops.
    pub status: ProductStatus,
    /// Words to find it by, in lower case, each once.
    pub tags: Vec<String>,
    /// Facts about it, each name once.
    pub attributes: Vec<Attribute>,
    /// Currency of all its prices.
    pub currency: Currency,
    /// Price of a unit of variants without one of their own, in minor units.
    pub price_minor: i64,
    /// 1 to 100 variants.
    pub variants: Vec<Variant>,
    /// At most 20 pictures, the cover first.
    #[serde(default)]
    pub images: Vec<Image>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Product {
    /// The variant of this id.
    #[must_use]
    pub fn variant(&self, variant_id: VariantId) -> Option<&Variant> {
        let mut variants = self.variants.iter();
        variants.find(|variant| variant.variant_id == variant_id)
    }

    /// What a unit of this variant costs, in minor units.
    #[must_use]
    pub fn unit_price_minor(&self, variant: &Variant) -> i64 {
        variant.price_minor.unwrap_or(self.price_minor)
    }

    /// What a drop's item of this variant is called, if its creator says nothing else.
    #[must_use]
    pub fn item_title(&self, variant: &Variant) -> String {
        if variant.title.is_empty() {
            return self.title.clone();
        }
        let title = format!("{} \u{2013} {}", self.title, variant.title);
        title.chars().take(ITEM_TITLE_CHARS).collect()
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let of = |it: &Attribute| it.name.len() + it.value.len() + 8;
        let attributes: usize = self.attributes.iter().map(of).sum();
        let tags: usize = self.tags.iter().map(|tag| tag.len() + 4).sum();
        let variants = self.variants.iter().map(|variant| {
            let options: usize = variant.options.iter().map(of).sum();
            variant.title.len() + variant.sku.len() + options + 70
        });
        let texts = self.title.len() + self.description.len() + tags + attributes;
        // An image's URL is longer than the rest of it.
        let images = self.images.len() * 250;
        texts + variants.sum::<usize>() + images + 200
    }
}

/// Whether a product may enter drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProductStatus {
    /// It may.
    Active,
    /// It may not, for good.
    Archived,
}

/// One form in which a product can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The variant's id, kept for as long as the product has it.
    pub variant_id: VariantId,
    /// What sets it apart; may be empty.
    pub title: String,
    /// The creator's article number; may be empty.
    pub sku: String,
    /// What the buyer chooses, each name once.
    pub options: Vec<Attribute>,
    /// Its own price, in minor units of the product's currency.
    pub price_minor: Option<i64>,
}

/// A fact about a product or a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Such as `material`.
    pub name: String,
    /// Such as `cotton`.
    pub value: String,
}

/// The variant that a drop's item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemProduct {
    /// Of which product.
    pub product_id: ProductId,
    /// Which variant.
    pub variant_id: VariantId,
}

#[cfg(test)]
mod tests {
    use crate::store::conformance::samples::product;

    #[test]
    fn an_item_is_called_after_product_and_variant() {
        let mut product = product();
        product.title = "Shirt".to_owned();
        let mut variant = product.variants[0].clone();
        variant.title = "Black, M".to_owned();
        assert_eq!(product.item_title(&variant), "Shirt \u{2013} Black, M");
        variant.title = "\u{e9}".repeat(120);
        assert_eq!(product.item_title(&variant).chars().count(), 120);
        variant.title.clear();
        assert_eq!(product.item_title(&variant), "Shirt");
    }
}
