//! `FollowService`: check, call, answer.

use livedrop_proto::v1::{self, follow_service_server::FollowService};
use tonic::{Request, Response, Status};

use super::{caller, follow_answer, follow_request};
use crate::service::{Context, follow_lists, follows};

/// Serves follows.
#[derive(Debug)]
pub struct FollowRpc {
    /// What the use cases work with.
    pub ctx: Context,
}

#[tonic::async_trait]
impl FollowService for FollowRpc {
    async fn follow(
        &self,
        request: Request<v1::FollowRequest>,
    ) -> Result<Response<v1::FollowResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let creator_id = follow_request::creator(&request.get_ref().creator_id)?;
        let edge = follows::follow(&self.ctx, caller, creator_id).await?;
        Ok(Response::new(v1::FollowResponse {
            status: Some(follow_answer::status(creator_id, Some(&edge))),
        }))
    }

    async fn unfollow(
        &self,
        request: Request<v1::UnfollowRequest>,
    ) -> Result<Response<v1::UnfollowResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let creator_id = follow_request::creator(&request.get_ref().creator_id)?;
        follows::unfollow(&self.ctx, caller, creator_id).await?;
        Ok(Response::new(v1::UnfollowResponse {
            status: Some(follow_answer::status(creator_id, None)),
        }))
    }

    async fn check_follows(
        &self,
        request: Request<v1::CheckFollowsRequest>,
    ) -> Result<Response<v1::CheckFollowsResponse>, Status> {
        let caller = caller(&request)?.account_id;
        let creator_ids = follow_request::creators(request.get_ref())?;
        let edges = follows::check(&self.ctx, caller, &creator_ids).await?;
        Ok(Response::new(follow_answer::statuses(&creator_ids, &edges)))
    }

    async fn list_followers(
        &self,
        request: Request<v1::ListFollowersRequest>,
    ) -> Result<Response<v1::ListFollowersResponse>, Status> {
        let (caller, keys) = (caller(&request)?.account_id, &self.ctx.keys);
        let (creator_id, page) = follow_request::followers(keys, caller, request.get_ref())?;
        let page =
            follow_lists::followers(&self.ctx, caller, creator_id, page.after, page.size).await?;
        let answer = follow_answer::followers(keys, caller, creator_id, page);
        Ok(Response::new(answer))
    }

    async fn list_following(
        &self,
        request: Request<v1::ListFollowingRequest>,
    ) -> Result<Response<v1::ListFollowingResponse>, Status> {
        let (caller, keys) = (caller(&request)?.account_id, &self.ctx.keys);
        let page = follow_request::following(keys, caller, request.get_ref())?;
        let page = follow_lists::following(&self.ctx, caller, page.after, page.size).await?;
        Ok(Response::new(follow_answer::following(keys, caller, page)))
    }
}
