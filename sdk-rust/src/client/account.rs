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
}
