//! `AuthService`: convert, call, answer.

use livedrop_proto::v1::{self, auth_service_server::AuthService};
use tonic::{Request, Response, Status};

use super::account_answer;
use crate::service::{
    Context,
    accounts::{self, SignUp},
    sessions::{self, SignIn},
};

/// Serves credentials.
#[derive(Debug)]
pub struct AuthRpc {
    /// What the use cases work with.
    pub ctx: Context,
}

#[tonic::async_trait]
impl AuthService for AuthRpc {
    async fn sign_up(
        &self,
        request: Request<v1::SignUpRequest>,
    ) -> Result<Response<v1::SignUpResponse>, Status> {
        let v1::SignUpRequest {
            request_id,
            email,
            password,
            display_name,
        } = request.into_inner();
        let command = SignUp {
            request_id,
            email,
            password: password.into(),
            display_name,
        };
        let signed_in = accounts::sign_up(&self.ctx, command).await?;
        let tokens = Some(account_answer::tokens(&signed_in.tokens));
        Ok(Response::new(v1::SignUpResponse {
            account: Some(account_answer::account(signed_in.profile)),
            tokens,
        }))
    }

    async fn sign_in(
        &self,
        request: Request<v1::SignInRequest>,
    ) -> Result<Response<v1::SignInResponse>, Status> {
        let v1::SignInRequest { email, password } = request.into_inner();
        let signed_in = sessions::sign_in(
            &self.ctx,
            SignIn {
                email,
                password: password.into(),
            },
        )
        .await?;
        let tokens = Some(account_answer::tokens(&signed_in.tokens));
        Ok(Response::new(v1::SignInResponse {
            account: Some(account_answer::account(signed_in.profile)),
            tokens,
        }))
    }

    async fn refresh_token(
        &self,
        request: Request<v1::RefreshTokenRequest>,
    ) -> Result<Response<v1::RefreshTokenResponse>, Status> {
        let tokens =
            sessions::refresh(&self.ctx, &request.into_inner().refresh_token.into()).await?;
        Ok(Response::new(v1::RefreshTokenResponse {
            tokens: Some(account_answer::tokens(&tokens)),
        }))
    }

    async fn sign_out(
        &self,
        request: Request<v1::SignOutRequest>,
    ) -> Result<Response<v1::SignOutResponse>, Status> {
        sessions::sign_out(&self.ctx, &request.into_inner().refresh_token.into()).await?;
        Ok(Response::new(v1::SignOutResponse {}))
    }
}
