//! Products (`products`) and whose they are (`products_by_creator`).

use async_trait::async_trait;
use scylla::{DeserializeValue, SerializeValue, statement::prepared::PreparedStatement};
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    lwt::{self, Table},
    row::{self, FromRow, Row, Value, values},
};
use crate::{
    domain::{
        AccountId, ImageId, ProductId, Timestamp, VariantId,
        image::Image,
        product::{Attribute, Product, Variant},
    },
    store::{Cas, PageRequest, ProductStore, Put, Result},
};

pub(super) const PRODUCTS: Table = Table {
    name: "products",
    key: &["product_id"],
    columns: &[
        "creator_id",
        "version",
        "op_id",
        "title",
        "description",
        "status",
        "tags",
        "attributes",
        "currency",
        "price_minor",
        "variants",
        "images",
        "created_at",
        "updated_at",
    ],
    using: "",
};

#[derive(Debug)]
pub(super) struct Statements {
    products: lwt::Statements,
    put_of_creator: PreparedStatement,
    of_creator: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        Ok(Self {
            products: lwt::Statements::prepare(db, PRODUCTS).await?,
            put_of_creator: db
                .plain("INSERT INTO products_by_creator (creator_id, created_at, product_id) VALUES (?, ?, ?)")
                .await?,
            of_creator: List::prepare(
                db,
                "products_by_creator",
                &["creator_id"],
                &["created_at", "product_id"],
                &[],
            )
            .await?,
        })
    }
}

/// Name and value.
type Pair = (String, String);

fn pairs(attributes: &[Attribute]) -> Vec<Pair> {
    let pair = |it: &Attribute| (it.name.clone(), it.value.clone());
    attributes.iter().map(pair).collect()
}

fn attributes(pairs: Vec<Pair>) -> Vec<Attribute> {
    let attribute = |(name, value)| Attribute { name, value };
    pairs.into_iter().map(attribute).collect()
}

/// The type `product_variant`.
#[derive(SerializeValue, DeserializeValue)]
struct ProductVariant {
    variant_id: Uuid,
    title: String,
    sku: String,
    options: Vec<Pair>,
    price_minor: Option<i64>,
}

impl From<&Variant> for ProductVariant {
    fn from(it: &Variant) -> Self {
        Self {
            variant_id: it.variant_id.uuid(),
            title: it.title.clone(),
            sku: it.sku.clone(),
            options: pairs(&it.options),
            price_minor: it.price_minor,
        }
    }
}

impl From<ProductVariant> for Variant {
    fn from(it: ProductVariant) -> Self {
        Self {
            variant_id: VariantId::new(it.variant_id),
            title: it.title,
            sku: it.sku,
            options: attributes(it.options),
            price_minor: it.price_minor,
        }
    }
}

/// The type `product_image`.
#[derive(SerializeValue, DeserializeValue)]
struct ProductImage {
    image_id: Uuid,
    content_type: String,
    width: i32,
    height: i32,
    size_bytes: i32,
}

impl From<&Image> for ProductImage {
    fn from(it: &Image) -> Self {
        Self {
            image_id: it.image_id.uuid(),
            content_type: it.content_type.as_str().to_owned(),
            width: it.width,
            height: it.height,
            size_bytes: it.size_bytes,
        }
    }
}

impl ProductImage {
    fn read(self) -> Result<Image> {
        let content_type = self.content_type.parse();
        Ok(Image {
            image_id: ImageId::new(self.image_id),
            content_type: content_type.map_err(|error| row::unreadable_column("images", error))?,
            width: self.width,
            height: self.height,
            size_bytes: self.size_bytes,
        })
    }
}

fn columns(it: &Product) -> Vec<Value> {
    let variants = it.variants.iter().map(ProductVariant::from);
    values![
        it.creator_id.uuid(),
        it.version,
        it.op_id,
        it.title.clone(),
        it.description.clone(),
        row::name_of(&it.status),
        it.tags.clone(),
        pairs(&it.attributes),
        it.currency.as_str().to_owned(),
        it.price_minor,
        variants.collect::<Vec<_>>(),
        it.images.iter().map(ProductImage::from).collect::<Vec<_>>(),
        it.created_at.micros(),
        it.updated_at.micros(),
    ]
}

impl FromRow for Product {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let variants: Vec<ProductVariant> = row.get("variants")?;
        // Rows from before there were images have none.
        let images: Option<Vec<ProductImage>> = row.get("images")?;
        let images = images.into_iter().flatten().map(ProductImage::read);
        Ok(Self {
            product_id: row.id("product_id", ProductId::new)?,
            creator_id: row.id("creator_id", AccountId::new)?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            title: row.get("title")?,
            description: row.get("description")?,
            status: row.named("status")?,
            tags: row.get("tags")?,
            attributes: attributes(row.get("attributes")?),
            currency: row.parsed("currency")?,
            price_minor: row.get("price_minor")?,
            variants: variants.into_iter().map(Variant::from).collect(),
            images: images.collect::<Result<_>>()?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// A row of the list.
struct Listed((Timestamp, ProductId));

impl FromRow for Listed {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let product_id = row.id("product_id", ProductId::new)?;
        Ok(Self((row.time("created_at")?, product_id)))
    }
}

#[async_trait]
impl ProductStore for ScyllaStore {
    async fn insert_product(&self, product: &Product) -> Result<Put<Product>> {
        let (table, key) = (&self.products.products, values![product.product_id.uuid()]);
        self.db
            .put_if_absent(table, key, columns(product), product)
            .await
    }

    async fn get_product(&self, product_id: ProductId) -> Result<Option<Product>> {
        self.db
            .get(&self.products.products, values![product_id.uuid()])
            .await
    }

    async fn update_product(&self, product: &Product) -> Result<Cas<Product>> {
        let (table, key) = (&self.products.products, values![product.product_id.uuid()]);
        self.db.replace(table, key, columns(product), product).await
    }

    async fn put_creator_product(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        product_id: ProductId,
    ) -> Result<()> {
        let values = values![creator_id.uuid(), created_at.micros(), product_id.uuid()];
        self.db.run(&self.products.put_of_creator, values).await
    }

    async fn list_creator_products(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, ProductId)>,
    ) -> Result<Vec<(Timestamp, ProductId)>> {
        let page = page.map(|(created_at, id)| values![created_at.micros(), id.uuid()]);
        let partition = values![creator_id.uuid()];
        let rows: Vec<Listed> = self
            .db
            .list(&self.products.of_creator, partition, page)
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}
