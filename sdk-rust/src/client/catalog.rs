//! Products.

use livedrop_proto::v1;

use super::{
    Client,
    pages::{Items, PAGE_SIZE, Pages},
};
use crate::error::Error;

impl Client {
    /// Makes a product.
    ///
    /// # Errors
    /// `NOT_CREATOR`, `REQUEST_ID_REUSED`, or a general one.
    pub async fn create_product(
        &self,
        request: v1::CreateProductRequest,
    ) -> Result<v1::CreateProductResponse, Error> {
        self.call(request).await
    }

    /// Changes the fields of a product that the mask names. With the product's etag it is changed only if nobody else has done so since.
    ///
    /// # Errors
    /// `STALE_ETAG`, `PRODUCT_ARCHIVED`, `PRODUCT_NOT_FOUND`, `NOT_OWNER`, or a general one.
    pub async fn update_product(
        &self,
        request: v1::UpdateProductRequest,
    ) -> Result<v1::UpdateProductResponse, Error> {
        self.call(request).await
    }

    /// Says where to send a picture, for whoever sells; the image's id then goes into a product. The bytes go there in one HTTP request,
    /// which needs a client of your own, such as `reqwest`:
    ///
    /// ```text
    /// let mut put = reqwest::Client::new().put(&upload.upload_url).body(bytes);
    /// for (name, value) in &upload.headers {
    ///     put = put.header(name, value);
    /// }
    /// put.send().await?.error_for_status()?;
    /// ```
    ///
    /// # Errors
    /// `NOT_CREATOR`, `REQUEST_ID_REUSED`, or a general one.
    pub async fn create_image_upload(
        &self,
        request: v1::CreateImageUploadRequest,
    ) -> Result<v1::CreateImageUploadResponse, Error> {
        self.call(request).await
    }

    /// Returns a product.
    ///
    /// # Errors
    /// `PRODUCT_NOT_FOUND`, or a general one.
    pub async fn get_product(
        &self,
        request: v1::GetProductRequest,
    ) -> Result<v1::GetProductResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of a creator's products, newest first; [`Self::products`] reads them all.
    ///
    /// # Errors
    /// `NOT_OWNER` (archived ones of somebody else), `CREATOR_NOT_FOUND`, or a general one.
    pub async fn list_products(
        &self,
        request: v1::ListProductsRequest,
    ) -> Result<v1::ListProductsResponse, Error> {
        self.call(request).await
    }

    /// Takes a product out of the catalog, for good. It is no error if it is archived already.
    ///
    /// # Errors
    /// `PRODUCT_NOT_FOUND`, `NOT_OWNER`, or a general one.
    pub async fn archive_product(
        &self,
        request: v1::ArchiveProductRequest,
    ) -> Result<v1::ArchiveProductResponse, Error> {
        self.call(request).await
    }

    /// Reads all products of a creator that have this status, newest first. Only the creator sees archived ones.
    #[must_use]
    pub fn products(
        &self,
        creator_id: impl Into<String>,
        status: v1::ProductStatus,
    ) -> Items<v1::Product> {
        self.product_pages(creator_id, status).items()
    }

    /// As [`Self::products`], page by page.
    #[must_use]
    pub fn product_pages(
        &self,
        creator_id: impl Into<String>,
        status: v1::ProductStatus,
    ) -> Pages<v1::Product> {
        self.pages(v1::ListProductsRequest {
            creator_id: creator_id.into(),
            status: status.into(),
            page_size: PAGE_SIZE,
            page_token: String::new(),
        })
    }
}
