//! The storage trait of products, each method through [`Faulty::call`].

use async_trait::async_trait;

use super::{Faulty, Method};
use crate::{
    domain::{AccountId, ProductId, Timestamp, product::Product},
    store::{Cas, PageRequest, ProductStore, Put, Result},
};

#[async_trait]
impl<S: ProductStore + ?Sized> ProductStore for Faulty<S> {
    async fn insert_product(&self, product: &Product) -> Result<Put<Product>> {
        self.call(Method::InsertProduct, || self.inner.insert_product(product))
            .await
    }

    async fn get_product(&self, product_id: ProductId) -> Result<Option<Product>> {
        self.call(Method::GetProduct, || self.inner.get_product(product_id))
            .await
    }

    async fn update_product(&self, product: &Product) -> Result<Cas<Product>> {
        self.call(Method::UpdateProduct, || self.inner.update_product(product))
            .await
    }

    async fn put_creator_product(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        product_id: ProductId,
    ) -> Result<()> {
        self.call(Method::PutCreatorProduct, || {
            self.inner
                .put_creator_product(creator_id, created_at, product_id)
        })
        .await
    }

    async fn list_creator_products(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, ProductId)>,
    ) -> Result<Vec<(Timestamp, ProductId)>> {
        self.call(Method::ListCreatorProducts, || {
            self.inner.list_creator_products(creator_id, page.clone())
        })
        .await
    }
}
