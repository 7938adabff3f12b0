//! `CatalogService`: check, call, answer.

use livedrop_proto::v1::{self, catalog_service_server::CatalogService};
use tonic::{Request, Response, Status};

use super::{caller, catalog_answer, catalog_request, product_page, search_request};
use crate::service::{Context, catalog, images, product_lists, product_update, search};

/// Serves products.
#[derive(Debug)]
pub struct CatalogRpc {
    /// What the use cases work with.
    pub ctx: Context,
}

#[tonic::async_trait]
impl CatalogService for CatalogRpc {
    async fn create_product(
        &self,
        request: Request<v1::CreateProductRequest>,
    ) -> Result<Response<v1::CreateProductResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let wish = catalog_request::create(request.into_inner())?;
        let product = catalog::create(&self.ctx, caller, wish).await?;
        Ok(Response::new(v1::CreateProductResponse {
            product: Some(catalog_answer::product(&self.ctx.media, &product)),
        }))
    }

    async fn update_product(
        &self,
        request: Request<v1::UpdateProductRequest>,
    ) -> Result<Response<v1::UpdateProductResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let wish = catalog_request::update(request.into_inner())?;
        let product = product_update::update(&self.ctx, caller, wish).await?;
        Ok(Response::new(v1::UpdateProductResponse {
            product: Some(catalog_answer::product(&self.ctx.media, &product)),
        }))
    }

    async fn get_product(
        &self,
        request: Request<v1::GetProductRequest>,
    ) -> Result<Response<v1::GetProductResponse>, Status> {
        let product_id = catalog_request::product_id(&request.get_ref().product_id)?;
        let product = catalog::get(&self.ctx, product_id).await?;
        Ok(Response::new(v1::GetProductResponse {
            product: Some(catalog_answer::product(&self.ctx.media, &product)),
        }))
    }

    async fn list_products(
        &self,
        request: Request<v1::ListProductsRequest>,
    ) -> Result<Response<v1::ListProductsResponse>, Status> {
        let caller = caller(&request).ok().map(|caller| caller.account_id);
        let keys = &self.ctx.keys;
        let asked = product_page::read(keys, request.get_ref())?;
        let (creator_id, status) = (asked.list.creator_id, asked.list.status);
        let page = product_lists::of_creator(
            &self.ctx,
            caller,
            creator_id,
            status,
            asked.after,
            asked.size,
        )
        .await?;
        Ok(Response::new(catalog_answer::page(
            &self.ctx, asked.list, &page,
        )))
    }

    async fn search_products(
        &self,
        request: Request<v1::SearchProductsRequest>,
    ) -> Result<Response<v1::SearchProductsResponse>, Status> {
        let caller = caller(&request).ok().map(|caller| caller.account_id);
        let asked = search_request::products(&self.ctx.keys, request.into_inner())?;
        let page = search::products(&self.ctx, caller, &asked.search, asked.after, asked.size);
        let page = page.await?;
        Ok(Response::new(v1::SearchProductsResponse {
            products: catalog_answer::products(&self.ctx, &page.found),
            next_page_token: asked.token(page.next),
        }))
    }

    async fn archive_product(
        &self,
        request: Request<v1::ArchiveProductRequest>,
    ) -> Result<Response<v1::ArchiveProductResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let product_id = catalog_request::product_id(&request.get_ref().product_id)?;
        let product = catalog::archive(&self.ctx, caller, product_id).await?;
        Ok(Response::new(v1::ArchiveProductResponse {
            product: Some(catalog_answer::product(&self.ctx.media, &product)),
        }))
    }

    async fn create_image_upload(
        &self,
        request: Request<v1::CreateImageUploadRequest>,
    ) -> Result<Response<v1::CreateImageUploadResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let wish = catalog_request::create_image_upload(request.get_ref())?;
        let upload = images::create_upload(&self.ctx, caller, wish).await?;
        Ok(Response::new(catalog_answer::upload(upload)))
    }
}
