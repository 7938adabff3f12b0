//! What the creators of the demo world sell: eight products each, with variants.

use std::{collections::HashSet, fmt::Display};

use futures::future::try_join_all;

use super::pictures::picture;
use crate::{
    domain::{
        AccountId, Money, RequestId,
        image::ImageType,
        money::ParseCurrencyError,
        product::{Attribute, Product, ProductStatus},
    },
    service::{
        Context, Error, Result,
        catalog::{self, CreateProduct, WishedVariant},
        images::{self, CreateImageUpload},
        product_lists,
    },
    store::accounts::Creator,
};

/// Each product of a range is so much dearer than the one before, in cents.
const STEP_MINOR: i64 = 300;

/// What one creator's products have in common.
pub(super) struct Range {
    tags: [&'static str; 2],
    /// A fact about each.
    fact: (&'static str, &'static str),
    /// Their variants differ in this.
    option: &'static str,
    values: &'static [&'static str],
    /// Price of the cheapest, in cents.
    price_minor: i64,
    /// How much dearer each variant is than the one before, in cents.
    dearer_minor: i64,
    titles: [&'static str; 8],
}

/// One for each creator.
pub(super) static RANGES: [Range; 5] = [
    Range {
        tags: ["print", "paper"],
        fact: ("paper", "cotton, 300 g"),
        option: "size",
        values: &["A3", "A2", "A2, signed"],
        price_minor: 2_500,
        dearer_minor: 2_000,
        titles: [
            "Harbour at night",
            "Two cranes",
            "Blue hour",
            "Market day",
            "Rooftops",
            "The last tram",
            "Fog",
            "Lighthouse",
        ],
    },
    Range {
        tags: ["shoes", "running"],
        fact: ("sole", "natural rubber"),
        option: "size",
        values: &["38", "40", "42", "44"],
        price_minor: 8_900,
        dearer_minor: 0,
        titles: [
            "Runner 1",
            "Runner 2",
            "Trail",
            "Court",
            "Slip-on",
            "High top",
            "Winter boot",
            "Sandal",
        ],
    },
    Range {
        tags: ["ceramics", "kitchen"],
        fact: ("clay", "stoneware"),
        option: "glaze",
        values: &["white", "ash"],
        price_minor: 3_400,
        dearer_minor: 600,
        titles: [
            "Espresso cup",
            "Tea bowl",
            "Plate, small",
            "Plate, large",
            "Jug",
            "Vase",
            "Butter dish",
            "Salt cellar",
        ],
    },
    Range {
        tags: ["vinyl", "music"],
        fact: ("speed", "33 1/3 rpm"),
        option: "pressing",
        values: &["black", "clear", "red"],
        price_minor: 2_200,
        dearer_minor: 300,
        titles: [
            "Night Buses",
            "Low Tide",
            "Radio Silence",
            "Small Hours",
            "Paper Boats",
            "Static",
            "Second Summer",
            "Live in the Barn",
        ],
    },
    Range {
        tags: ["plants", "rare"],
        fact: ("light", "half shade"),
        option: "pot",
        values: &["9 cm", "12 cm"],
        price_minor: 1_500,
        dearer_minor: 700,
        titles: [
            "Monstera, variegated",
            "String of hearts",
            "Pilea",
            "Hoya",
            "Calathea",
            "Staghorn fern",
            "Alocasia",
            "Begonia maculata",
        ],
    },
];

/// A creator with products.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) creator_id: AccountId,
    pub(super) handle: String,
    pub(super) products: Vec<Product>,
}

impl Shop {
    /// Makes the products that are missing. Those that somebody has renamed or archived are not.
    pub(super) async fn open(ctx: &Context, creator: Creator, range: &Range) -> Result<Self> {
        let Creator {
            creator_id, handle, ..
        } = creator;
        let of_status = async |status| {
            let (caller, size) = (Some(creator_id), 2 * range.titles.len());
            let page = product_lists::of_creator(ctx, caller, creator_id, status, None, size);
            Ok::<_, Error>(page.await?.products)
        };
        let mut products = of_status(ProductStatus::Active).await?;
        let archived = of_status(ProductStatus::Archived).await?;
        let known = products.iter().chain(&archived);
        let known: HashSet<_> = known.map(|product| product.title.as_str()).collect();
        // A start that was cut short has made some of them.
        let missing = range.titles.len().saturating_sub(known.len());
        let titles = (0..).zip(&range.titles);
        let new = titles.filter(|(_, title)| !known.contains(**title));
        let new = new
            .take(missing)
            .map(|(number, title)| put(ctx, creator_id, range, number, title));
        let new = try_join_all(new).await?;
        products.extend(new);
        Ok(Self {
            creator_id,
            handle,
            products,
        })
    }
}

/// Makes a product, with its picture.
async fn put(
    ctx: &Context,
    creator_id: AccountId,
    range: &Range,
    number: i64,
    title: &'static str,
) -> Result<Product> {
    let drawn = tokio::task::spawn_blocking(move || picture(title, number)).await;
    let internal = |error: &dyn Display| Error::Internal(error.to_string());
    let bytes = drawn.map_err(|error| internal(&error))?;
    let bytes = bytes.map_err(|error| internal(&error))?;
    let upload = CreateImageUpload {
        request_id: RequestId::new(ctx.env.uuid()),
        content_type: ImageType::Png,
        size_bytes: i32::try_from(bytes.len()).unwrap_or(i32::MAX),
    };
    let image_id = images::create_upload(ctx, creator_id, upload)
        .await?
        .image_id;
    ctx.media
        .put_upload(creator_id, image_id, bytes.into())
        .await?;
    let wish = CreateProduct {
        image_ids: vec![image_id],
        ..range.wish(ctx, number, title)?
    };
    catalog::create(ctx, creator_id, wish).await
}

impl Range {
    fn wish(&self, ctx: &Context, number: i64, title: &str) -> Result<CreateProduct> {
        let currency = "EUR".parse();
        let currency =
            currency.map_err(|error: ParseCurrencyError| Error::Internal(error.to_string()))?;
        let price = |amount_minor| Money {
            currency,
            amount_minor,
        };
        let base = self.price_minor + number * STEP_MINOR;
        let fact = |(name, value): (&str, &str)| Attribute {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let variant = |(place, value): (i64, &&str)| {
            let dearer = place * self.dearer_minor;
            WishedVariant {
                variant_id: None,
                title: (*value).to_owned(),
                sku: String::new(),
                options: vec![fact((self.option, value))],
                price: (dearer > 0).then(|| price(base + dearer)),
            }
        };
        Ok(CreateProduct {
            request_id: RequestId::new(ctx.env.uuid()),
            title: title.to_owned(),
            description: "Made by `livedrop dev`.".to_owned(),
            tags: self.tags.map(str::to_owned).to_vec(),
            attributes: vec![fact(self.fact)],
            price: price(base),
            variants: (0..).zip(self.values).map(variant).collect(),
            image_ids: Vec::new(),
        })
    }
}
