//! `AccountService`: convert, call, answer.

use livedrop_proto::v1::{self, account_service_server::AccountService, get_creator_request::Key};
use tonic::{Request, Response, Status};

use super::{account_answer, caller};
use crate::service::{
    Context,
    accounts::{self, BecomeCreator, CreatorKey},
};

/// Serves accounts and creators.
#[derive(Debug)]
pub struct AccountRpc {
    /// What the use cases work with.
    pub ctx: Context,
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn get_me(
        &self,
        request: Request<v1::GetMeRequest>,
    ) -> Result<Response<v1::GetMeResponse>, Status> {
        let profile = accounts::get_me(&self.ctx, caller(&request)?).await?;
        Ok(Response::new(v1::GetMeResponse {
            account: Some(account_answer::account(profile)),
        }))
    }

    async fn become_creator(
        &self,
        request: Request<v1::BecomeCreatorRequest>,
    ) -> Result<Response<v1::BecomeCreatorResponse>, Status> {
        let caller = caller(&request)?;
        let v1::BecomeCreatorRequest {
            handle,
            display_name,
            bio,
        } = request.into_inner();
        let creator = accounts::become_creator(
            &self.ctx,
            caller,
            BecomeCreator {
                handle,
                display_name,
                bio,
            },
        )
        .await?;
        Ok(Response::new(v1::BecomeCreatorResponse {
            creator: Some(account_answer::creator(creator)),
        }))
    }

    async fn get_creator(
        &self,
        request: Request<v1::GetCreatorRequest>,
    ) -> Result<Response<v1::GetCreatorResponse>, Status> {
        let key = request.into_inner().key.map(|key| match key {
            Key::CreatorId(id) => CreatorKey::Id(id),
            Key::Handle(handle) => CreatorKey::Handle(handle),
        });
        let creator = accounts::get_creator(&self.ctx, key).await?;
        Ok(Response::new(v1::GetCreatorResponse {
            creator: Some(account_answer::creator(creator)),
        }))
    }
}
