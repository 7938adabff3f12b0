//! `DropService`: check, call, answer.

use livedrop_proto::{
    codec::Shared,
    v1::{self, drop_service_server::DropService},
};
use tonic::{Request, Response, Status};

use super::{
    caller, drop_embeds, drop_list_request, drop_request, drop_stream, drop_update_request,
    ledger_answer, page_token, search_request,
    stream::{Frames, Streams},
    time_left,
};
use crate::service::{Context, DropWatch, drop_lists, drop_update, drops, ledger_records, search};

/// Serves drops.
#[derive(Debug)]
pub struct DropRpc {
    /// What the use cases work with.
    pub ctx: Context,
    /// Opens streams.
    pub(super) streams: Streams,
}

#[tonic::async_trait]
impl DropService for DropRpc {
    async fn schedule_drop(
        &self,
        request: Request<v1::ScheduleDropRequest>,
    ) -> Result<Response<v1::ScheduleDropResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let wish = drop_request::schedule(request.into_inner(), self.ctx.env.now())?;
        let details = drops::schedule(&self.ctx, caller.account_id, wish, left).await?;
        Ok(Response::new(v1::ScheduleDropResponse {
            drop: Some(drop_embeds::whole(&self.ctx, &details).await),
        }))
    }

    async fn update_drop(
        &self,
        request: Request<v1::UpdateDropRequest>,
    ) -> Result<Response<v1::UpdateDropResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let wish = drop_update_request::update(request.into_inner())?;
        let details = drop_update::update(&self.ctx, caller.account_id, wish, left).await?;
        Ok(Response::new(v1::UpdateDropResponse {
            drop: Some(drop_embeds::whole(&self.ctx, &details).await),
        }))
    }

    async fn cancel_drop(
        &self,
        request: Request<v1::CancelDropRequest>,
    ) -> Result<Response<v1::CancelDropResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (request_id, drop_id) = drop_request::cancel(request.get_ref())?;
        let details =
            drops::cancel(&self.ctx, caller.account_id, request_id, drop_id, left).await?;
        Ok(Response::new(v1::CancelDropResponse {
            drop: Some(drop_embeds::whole(&self.ctx, &details).await),
        }))
    }

    async fn end_drop(
        &self,
        request: Request<v1::EndDropRequest>,
    ) -> Result<Response<v1::EndDropResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let drop_id = drop_request::drop_id(&request.get_ref().drop_id)?;
        let details = drops::end(&self.ctx, caller.account_id, drop_id, left).await?;
        Ok(Response::new(v1::EndDropResponse {
            drop: Some(drop_embeds::whole(&self.ctx, &details).await),
        }))
    }

    async fn restock_drop(
        &self,
        request: Request<v1::RestockDropRequest>,
    ) -> Result<Response<v1::RestockDropResponse>, Status> {
        let (caller, left) = (caller(&request)?, time_left(&request));
        let (request_id, drop_id, restock) = drop_request::restock(request.into_inner())?;
        let details = drops::restock(
            &self.ctx,
            caller.account_id,
            request_id,
            drop_id,
            restock,
            left,
        )
        .await?;
        Ok(Response::new(v1::RestockDropResponse {
            drop: Some(drop_embeds::whole(&self.ctx, &details).await),
        }))
    }

    async fn get_drop(
        &self,
        request: Request<v1::GetDropRequest>,
    ) -> Result<Response<v1::GetDropResponse>, Status> {
        let drop_id = drop_request::drop_id(&request.get_ref().drop_id)?;
        let details = drops::get(&self.ctx, drop_id, time_left(&request)).await?;
        Ok(Response::new(v1::GetDropResponse {
            drop: Some(drop_embeds::whole(&self.ctx, &details).await),
        }))
    }

    async fn batch_get_drops(
        &self,
        request: Request<v1::BatchGetDropsRequest>,
    ) -> Result<Response<v1::BatchGetDropsResponse>, Status> {
        let drop_ids = drop_list_request::batch(request.get_ref())?;
        let found = drop_lists::batch(&self.ctx, &drop_ids).await?;
        Ok(Response::new(
            drop_embeds::batch(&self.ctx, &drop_ids, found).await,
        ))
    }

    async fn list_drops(
        &self,
        request: Request<v1::ListDropsRequest>,
    ) -> Result<Response<v1::ListDropsResponse>, Status> {
        let asked = drop_list_request::list(&self.ctx.keys, request.get_ref())?;
        let answer = asked.answer(&self.ctx).await?;
        Ok(Response::new(answer))
    }

    async fn search_drops(
        &self,
        request: Request<v1::SearchDropsRequest>,
    ) -> Result<Response<v1::SearchDropsResponse>, Status> {
        let asked = search_request::drops(&self.ctx.keys, request.into_inner())?;
        let page = search::drops(&self.ctx, &asked.search, asked.after, asked.size).await?;
        Ok(Response::new(v1::SearchDropsResponse {
            drops: drop_embeds::wholes(&self.ctx, &page.found).await,
            next_page_token: asked.token(page.next),
        }))
    }

    async fn list_ledger_records(
        &self,
        request: Request<v1::ListLedgerRecordsRequest>,
    ) -> Result<Response<v1::ListLedgerRecordsResponse>, Status> {
        let asked = page_token::ledger_page(&self.ctx.keys, request.get_ref())?;
        let page = ledger_records::page(&self.ctx, asked.drop_id, asked.seq, asked.size).await?;
        let answer = ledger_answer::page(&self.ctx.keys, &asked, &page)?;
        Ok(Response::new(answer))
    }

    type WatchDropStream = Frames<Shared<v1::WatchDropResponse>>;

    async fn watch_drop(
        &self,
        request: Request<v1::WatchDropRequest>,
    ) -> Result<Response<Self::WatchDropStream>, Status> {
        let (ctx, left) = (&self.ctx, time_left(&request));
        let (resume, after) = drop_request::watch(&ctx.keys, request.get_ref())?;
        let open = self.streams.open(&request, ctx.env.now())?;
        let watch = DropWatch::begin(ctx, resume.drop_id, after, left).await?;
        Ok(Response::new(drop_stream::frames(ctx, open, resume, watch)))
    }
}
