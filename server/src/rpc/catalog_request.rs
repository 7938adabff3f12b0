//! Requests of `CatalogService`: all violations of a request at once.

use std::{collections::BTreeSet, ops::RangeInclusive};

use livedrop_proto::v1;

use super::{field_mask, fields};
use crate::{
    domain::{Currency, ImageId, Money, ProductId, image::IMAGE_BYTES_MAX, product::Attribute},
    service::{
        Error, Violations,
        catalog::{CreateProduct, WishedVariant},
        images::CreateImageUpload,
        product_update::UpdateProduct,
    },
};

const TITLE_CHARS: RangeInclusive<usize> = 1..=120;
const DESCRIPTION_CHARS: RangeInclusive<usize> = 0..=5_000;
const TAGS_MAX: usize = 20;
const TAG_CHARS: RangeInclusive<usize> = 1..=40;
const ATTRIBUTES_MAX: usize = 50;
const OPTIONS_MAX: usize = 10;
const NAME_CHARS: RangeInclusive<usize> = 1..=60;
const VALUE_CHARS: RangeInclusive<usize> = 1..=200;
const VARIANTS: RangeInclusive<usize> = 1..=100;
const VARIANT_TITLE_CHARS: RangeInclusive<usize> = 0..=120;
const SKU_CHARS: RangeInclusive<usize> = 0..=64;
const IMAGES_MAX: usize = 20;
const PRICE_MINOR: RangeInclusive<i64> = 0..=100_000_000;

/// What a mask may name.
const PATHS: [&str; 7] = [
    "title",
    "description",
    "tags",
    "attributes",
    "price",
    "variants",
    "image_ids",
];

/// Reads a product to be made.
pub(super) fn create(request: v1::CreateProductRequest) -> Result<CreateProduct, Error> {
    let mut read = Reading::default();
    let request_id = read.check("request_id", fields::id(&request.request_id));
    let title = read.title(request.title);
    let description = read.description(request.description);
    let tags = read.tags(request.tags);
    let attributes = read.pairs("attributes", request.attributes, ATTRIBUTES_MAX);
    let price = read.price("price", request.price);
    let currency = price.map(|price| price.currency);
    let variants = read.variants(request.variants, currency, true);
    let image_ids = read.image_ids(&request.image_ids);
    let wish = (|| {
        Some(CreateProduct {
            request_id: request_id?,
            title: title?,
            description: description?,
            tags: tags?,
            attributes: attributes?,
            price: price?,
            variants: variants?,
            image_ids: image_ids?,
        })
    })();
    wish.filter(|_| read.found.is_empty())
        .ok_or_else(|| read.found.into())
}

/// Reads what is to be changed.
pub(super) fn update(request: v1::UpdateProductRequest) -> Result<UpdateProduct, Error> {
    let mut read = Reading::default();
    let mask = field_mask::paths(request.update_mask, &PATHS, &mut read.found);
    let has = |field: &str| mask.iter().any(|path| path == field);
    let product_id = read.check("product_id", fields::id(&request.product_id));
    let title = has("title").then(|| read.title(request.title));
    let description = has("description").then(|| read.description(request.description));
    let tags = has("tags").then(|| read.tags(request.tags));
    let attributes =
        has("attributes").then(|| read.pairs("attributes", request.attributes, ATTRIBUTES_MAX));
    let price = has("price").then(|| read.price("price", request.price));
    let currency = price.flatten().map(|price| price.currency);
    let variants = has("variants").then(|| read.variants(request.variants, currency, false));
    let image_ids = has("image_ids").then(|| read.image_ids(&request.image_ids));
    match product_id {
        // What is in the mask was read, or is a violation.
        Some(product_id) if read.found.is_empty() => Ok(UpdateProduct {
            product_id,
            etag: request.etag,
            title: title.flatten(),
            description: description.flatten(),
            tags: tags.flatten(),
            attributes: attributes.flatten(),
            price: price.flatten(),
            variants: variants.flatten(),
            image_ids: image_ids.flatten(),
        }),
        Some(_) | None => Err(read.found.into()),
    }
}

/// Reads what is to be uploaded.
pub(super) fn create_image_upload(
    request: &v1::CreateImageUploadRequest,
) -> Result<CreateImageUpload, Error> {
    let mut read = Reading::default();
    let request_id = read.check("request_id", fields::id(&request.request_id));
    let content_type = read.check("content_type", request.content_type.parse());
    let size_bytes = fields::number(request.size_bytes, 1..=IMAGE_BYTES_MAX);
    let size_bytes = read.check("size_bytes", size_bytes);
    match (request_id, content_type, size_bytes) {
        (Some(request_id), Some(content_type), Some(size_bytes)) => Ok(CreateImageUpload {
            request_id,
            content_type,
            size_bytes,
        }),
        (_, _, _) => Err(read.found.into()),
    }
}

/// Reads the one id of a request.
pub(super) fn product_id(id: &str) -> Result<ProductId, Error> {
    fields::id(id).map_err(|rule| Error::invalid("product_id", rule))
}

/// A request that is being read.
#[derive(Default)]
struct Reading {
    found: Violations,
}

impl Reading {
    fn check<T>(&mut self, field: &str, parsed: Result<T, impl std::fmt::Display>) -> Option<T> {
        self.found.check(field, parsed)
    }

    fn note(&mut self, field: &str, rule: &str) {
        self.found.note(field, rule);
    }

    fn title(&mut self, title: String) -> Option<String> {
        self.check("title", fields::text(title, TITLE_CHARS, false))
    }

    fn description(&mut self, text: String) -> Option<String> {
        self.check("description", fields::text(text, DESCRIPTION_CHARS, true))
    }

    /// In lower case, without spaces around them, each once.
    fn tags(&mut self, tags: Vec<String>) -> Option<Vec<String>> {
        if tags.len() > TAGS_MAX {
            self.note("tags", "must have at most 20 entries");
            return None;
        }
        let (count, mut read) = (tags.len(), Vec::with_capacity(tags.len()));
        let mut good = 0;
        for (i, tag) in tags.into_iter().enumerate() {
            let tag = fields::text(tag.trim().to_lowercase(), TAG_CHARS, false);
            let Some(tag) = self.check(&format!("tags[{i}]"), tag) else {
                continue;
            };
            good += 1;
            if !read.contains(&tag) {
                read.push(tag);
            }
        }
        (good == count).then_some(read)
    }

    /// Names and values, each name once.
    fn pairs(
        &mut self,
        field: &str,
        pairs: Vec<v1::ProductAttribute>,
        most: usize,
    ) -> Option<Vec<Attribute>> {
        if pairs.len() > most {
            self.note(field, &format!("must have at most {most} entries"));
            return None;
        }
        let (count, mut names) = (pairs.len(), BTreeSet::new());
        let mut read = Vec::with_capacity(count);
        for (i, pair) in pairs.into_iter().enumerate() {
            let at = |part: &str| format!("{field}[{i}].{part}");
            let name = self.check(&at("name"), fields::text(pair.name, NAME_CHARS, false));
            let value = self.check(&at("value"), fields::text(pair.value, VALUE_CHARS, false));
            let Some((name, value)) = name.zip(value) else {
                continue;
            };
            if names.insert(name.clone()) {
                read.push(Attribute { name, value });
            } else {
                self.note(&at("name"), "must not come twice");
            }
        }
        (read.len() == count).then_some(read)
    }

    fn price(&mut self, field: &str, price: Option<v1::Money>) -> Option<Money> {
        let Some(price) = price else {
            self.note(field, "must be given");
            return None;
        };
        match fields::money(&price, PRICE_MINOR) {
            Ok(price) => Some(price),
            Err((part, rule)) => {
                self.note(&format!("{field}.{part}"), &rule);
                None
            }
        }
    }

    /// Each once.
    fn image_ids(&mut self, ids: &[String]) -> Option<Vec<ImageId>> {
        if ids.len() > IMAGES_MAX {
            self.note("image_ids", "must have at most 20 entries");
            return None;
        }
        let mut read = Vec::with_capacity(ids.len());
        for (i, id) in ids.iter().enumerate() {
            let field = format!("image_ids[{i}]");
            let Some(id) = self.check(&field, fields::id(id)) else {
                continue;
            };
            if read.contains(&id) {
                self.note(&field, "must not come twice");
            }
            read.push(id);
        }
        (read.len() == ids.len()).then_some(read)
    }

    /// Reads all variants; `currency` is the product's, if it is known.
    fn variants(
        &mut self,
        variants: Vec<v1::ProductVariant>,
        currency: Option<Currency>,
        are_new: bool,
    ) -> Option<Vec<WishedVariant>> {
        if !VARIANTS.contains(&variants.len()) {
            self.note("variants", "must have 1 to 100 variants");
            return None;
        }
        let (count, mut ids) = (variants.len(), BTreeSet::new());
        let mut read = Vec::with_capacity(count);
        for (i, variant) in variants.into_iter().enumerate() {
            let Some(variant) = self.variant(i, variant, currency, are_new) else {
                continue;
            };
            if let Some(id) = variant.variant_id
                && !ids.insert(id)
            {
                self.note(&format!("variants[{i}].variant_id"), "must not come twice");
            }
            read.push(variant);
        }
        (read.len() == count).then_some(read)
    }

    fn variant(
        &mut self,
        i: usize,
        variant: v1::ProductVariant,
        currency: Option<Currency>,
        is_new: bool,
    ) -> Option<WishedVariant> {
        let at = |part: &str| format!("variants[{i}].{part}");
        let variant_id = match variant.variant_id.as_str() {
            "" => Some(None),
            _ if is_new => {
                self.note(&at("variant_id"), "must be empty: the server gives ids");
                None
            }
            id => self.check(&at("variant_id"), fields::id(id)).map(Some),
        };
        let title = fields::text(variant.title, VARIANT_TITLE_CHARS, false);
        let title = self.check(&at("title"), title);
        let sku = self.check(&at("sku"), fields::text(variant.sku, SKU_CHARS, false));
        let options = self.pairs(&at("options"), variant.options, OPTIONS_MAX);
        let price = match variant.price {
            None => Some(None),
            price => self.price(&at("price"), price).map(Some),
        };
        if let (Some(currency), Some(Some(price))) = (currency, price)
            && price.currency != currency
        {
            self.note(&at("price.currency_code"), "must be the product's");
        }
        Some(WishedVariant {
            variant_id: variant_id?,
            title: title?,
            sku: sku?,
            options: options?,
            price: price?,
        })
    }
}
