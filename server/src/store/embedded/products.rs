//! Products (partition = id) and whose they are (partition = creator; clustering = `created_at`, id).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{Failure, PRODUCTS, PRODUCTS_BY_CREATOR},
};
use crate::{
    domain::{AccountId, ProductId, Timestamp, product::Product},
    store::{Cas, PageRequest, ProductStore, Put, Result},
};

fn decode(mut key: &[u8]) -> std::result::Result<(Timestamp, ProductId), Failure> {
    let _creator_id = key::take_id(&mut key)?;
    let created_at = key::take_time(&mut key)?;
    Ok((created_at, ProductId::new(key::take_id(&mut key)?)))
}

#[async_trait]
impl ProductStore for EmbeddedStore {
    async fn insert_product(&self, product: &Product) -> Result<Put<Product>> {
        let key = product.product_id.as_bytes();
        self.insert_row(PRODUCTS, key, product).await
    }

    async fn get_product(&self, product_id: ProductId) -> Result<Option<Product>> {
        self.get_row(PRODUCTS, product_id.as_bytes())
    }

    async fn update_product(&self, product: &Product) -> Result<Cas<Product>> {
        let key = product.product_id.as_bytes();
        self.replace_row(PRODUCTS, key, product).await
    }

    async fn put_creator_product(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        product_id: ProductId,
    ) -> Result<()> {
        let clustering = key::time_and_id(created_at, product_id.as_bytes());
        let key = [&creator_id.as_bytes()[..], &clustering].concat();
        self.write(move |rows| rows.put_if_absent(PRODUCTS_BY_CREATOR, &key, &[]).map(drop))
            .await
    }

    async fn list_creator_products(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, ProductId)>,
    ) -> Result<Vec<(Timestamp, ProductId)>> {
        let after = page
            .after
            .map(|(created_at, product_id)| key::time_and_id(created_at, product_id.as_bytes()));
        let after = after.as_ref().map(|it| &it[..]);
        let range = key::range(creator_id.as_bytes(), after, page.order);
        self.scan(move |snapshot| {
            let table = PRODUCTS_BY_CREATOR;
            snapshot.page(table, range, page.order, page.limit, |key, _| {
                decode(key).map(Some)
            })
        })
        .await
    }
}
