//! Following creators.

use livedrop_proto::v1;

use super::{
    Client,
    pages::{Items, PAGE_SIZE, Pages},
};
use crate::error::Error;

impl Client {
    /// Has the user follow a creator. It is no error if the user does already.
    ///
    /// # Errors
    /// `SELF_FOLLOW`, `CREATOR_NOT_FOUND`, or a general one.
    pub async fn follow(&self, request: v1::FollowRequest) -> Result<v1::FollowResponse, Error> {
        self.call(request).await
    }

    /// Has the user follow a creator no more. It is no error if the user does not.
    ///
    /// # Errors
    /// `SELF_FOLLOW`, `CREATOR_NOT_FOUND`, or a general one.
    pub async fn unfollow(
        &self,
        request: v1::UnfollowRequest,
    ) -> Result<v1::UnfollowResponse, Error> {
        self.call(request).await
    }

    /// Tells which of up to 200 creators the user follows, in the order asked.
    ///
    /// # Errors
    /// A general one.
    pub async fn check_follows(
        &self,
        request: v1::CheckFollowsRequest,
    ) -> Result<v1::CheckFollowsResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of the followers of the user, who is a creator, newest first; [`Self::followers`] reads them all.
    ///
    /// # Errors
    /// `NOT_OWNER`, `CREATOR_NOT_FOUND`, or a general one.
    pub async fn list_followers(
        &self,
        request: v1::ListFollowersRequest,
    ) -> Result<v1::ListFollowersResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of the creators that the user follows, newest first; [`Self::following`] reads them all.
    ///
    /// # Errors
    /// A general one.
    pub async fn list_following(
        &self,
        request: v1::ListFollowingRequest,
    ) -> Result<v1::ListFollowingResponse, Error> {
        self.call(request).await
    }

    /// Reads all followers of the user, who is a creator, newest first.
    #[must_use]
    pub fn followers(&self, creator_id: impl Into<String>) -> Items<v1::Follower> {
        self.follower_pages(creator_id).items()
    }

    /// As [`Self::followers`], page by page.
    #[must_use]
    pub fn follower_pages(&self, creator_id: impl Into<String>) -> Pages<v1::Follower> {
        self.pages(v1::ListFollowersRequest {
            creator_id: creator_id.into(),
            page_size: PAGE_SIZE,
            page_token: String::new(),
        })
    }

    /// Reads all creators that the user follows, newest first.
    #[must_use]
    pub fn following(&self) -> Items<v1::FollowedCreator> {
        self.following_pages().items()
    }

    /// As [`Self::following`], page by page.
    #[must_use]
    pub fn following_pages(&self) -> Pages<v1::FollowedCreator> {
        self.pages(v1::ListFollowingRequest {
            page_size: PAGE_SIZE,
            page_token: String::new(),
        })
    }
}
