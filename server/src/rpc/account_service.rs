//! `AccountService`: convert, call, answer.

use livedrop_proto::v1::{self, account_service_server::AccountService, get_creator_request::Key};
use tonic::{Request, Response, Status};

use super::{account_answer, account_request, call::Call, caller};
use crate::service::{
    Context,
    accounts::{self, BecomeCreator, CreatorKey},
    delete_account, follows, profile,
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
        let me = request.extensions().get::<Call>().and_then(Call::caller);
        let key = request.into_inner().key.map(|key| match key {
            Key::CreatorId(id) => CreatorKey::Id(id),
            Key::Handle(handle) => CreatorKey::Handle(handle),
        });
        let creator = accounts::get_creator(&self.ctx, key).await?;
        let creator_id = creator.creator_id;
        let is_followed = async {
            match me {
                Some(me) => follows::is_following(&self.ctx, me.account_id, creator_id).await,
                None => Ok(false),
            }
        };
        let count = self.ctx.follower_counts.get(&self.ctx, creator_id);
        let (follower_count, followed_by_me) =
            futures::future::try_join(count, is_followed).await?;
        Ok(Response::new(v1::GetCreatorResponse {
            creator: Some(account_answer::creator(creator)),
            follower_count,
            followed_by_me,
        }))
    }

    async fn update_me(
        &self,
        request: Request<v1::UpdateMeRequest>,
    ) -> Result<Response<v1::UpdateMeResponse>, Status> {
        let caller = caller(&request)?;
        let name = account_request::update_me(request.into_inner())?;
        let profile = profile::update_me(&self.ctx, caller, name).await?;
        Ok(Response::new(v1::UpdateMeResponse {
            account: Some(account_answer::account(profile)),
        }))
    }

    async fn delete_account(
        &self,
        request: Request<v1::DeleteAccountRequest>,
    ) -> Result<Response<v1::DeleteAccountResponse>, Status> {
        let caller = caller(&request)?;
        let password = account_request::delete_account(request.into_inner())?;
        delete_account::delete_account(&self.ctx, caller, &password).await?;
        Ok(Response::new(v1::DeleteAccountResponse {}))
    }

    async fn update_creator(
        &self,
        request: Request<v1::UpdateCreatorRequest>,
    ) -> Result<Response<v1::UpdateCreatorResponse>, Status> {
        let caller = caller(&request)?;
        let change = account_request::update_creator(request.into_inner())?;
        let creator = profile::update_creator(&self.ctx, caller, &change).await?;
        Ok(Response::new(v1::UpdateCreatorResponse {
            creator: Some(account_answer::creator(creator)),
        }))
    }
}
