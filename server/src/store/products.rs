//! Storage of products (table `products`) and of whose they are (`products_by_creator`).

use async_trait::async_trait;

use super::{Cas, PageRequest, Put, Result};
use crate::domain::{AccountId, ProductId, Timestamp, product::Product};

/// Products: one row each, changed by compare-and-set on `version`.
#[async_trait]
pub trait ProductStore: Send + Sync {
    /// Puts a new product's row.
    async fn insert_product(&self, product: &Product) -> Result<Put<Product>>;

    /// Reads a product's newest row (linearizable).
    async fn get_product(&self, product_id: ProductId) -> Result<Option<Product>>;

    /// Replaces the row if its version is `product.version - 1`. A row whose `op_id` is ours counts as done.
    async fn update_product(&self, product: &Product) -> Result<Cas<Product>>;

    /// Lists a product among its creator's. Repeating is harmless.
    async fn put_creator_product(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        product_id: ProductId,
    ) -> Result<()>;

    /// Pages through a creator's products in the order `(created_at, product_id)`.
    async fn list_creator_products(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, ProductId)>,
    ) -> Result<Vec<(Timestamp, ProductId)>>;
}
