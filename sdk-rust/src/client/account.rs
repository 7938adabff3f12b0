//! Accounts and creators.

use livedrop_proto::v1;

use super::Client;
use crate::error::Error;

impl Client {
    /// Returns the user's own account.
    ///
    /// # Errors
    /// `ACCOUNT_NOT_FOUND`, or a general one.
    pub async fn get_me(&self) -> Result<v1::GetMeResponse, Error> {
        self.call(v1::GetMeRequest {}).await
    }

    /// Gives the user a creator profile.
    ///
    /// # Errors
    /// `HANDLE_TAKEN`, `ALREADY_CREATOR`, `ACCOUNT_NOT_FOUND`, or a general one.
    pub async fn become_creator(
        &self,
        request: v1::BecomeCreatorRequest,
    ) -> Result<v1::BecomeCreatorResponse, Error> {
        self.call(request).await
    }

    /// Returns a creator's profile.
    ///
    /// # Errors
    /// `CREATOR_NOT_FOUND`, or a general one.
    pub async fn get_creator(
        &self,
        request: v1::GetCreatorRequest,
    ) -> Result<v1::GetCreatorResponse, Error> {
        self.call(request).await
    }

    /// Changes the user's own account.
    ///
    /// # Errors
    /// `ACCOUNT_NOT_FOUND`, or a general one.
    pub async fn update_me(
        &self,
        request: v1::UpdateMeRequest,
    ) -> Result<v1::UpdateMeResponse, Error> {
        self.call(request).await
    }

    /// Deletes the user's own account for good. Its tokens are of no use afterwards.
    ///
    /// # Errors
    /// `ACCOUNT_IN_USE`, `WRONG_PASSWORD`, `ACCOUNT_NOT_FOUND`, or a general one.
    pub async fn delete_account(
        &self,
        request: v1::DeleteAccountRequest,
    ) -> Result<v1::DeleteAccountResponse, Error> {
        self.call(request).await
    }

    /// Changes the user's creator profile.
    ///
    /// # Errors
    /// `NOT_CREATOR`, or a general one.
    pub async fn update_creator(
        &self,
        request: v1::UpdateCreatorRequest,
    ) -> Result<v1::UpdateCreatorResponse, Error> {
        self.call(request).await
    }
}
