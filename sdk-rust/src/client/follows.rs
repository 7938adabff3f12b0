//! Following creators.

use livedrop_proto::v1;

use super::Client;
use crate::error::Error;

/// Follows wanted per page: the most that the server gives.
const PAGE_SIZE: i32 = 200;

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

    /// Returns a page of the followers of the user, who is a creator, newest first; [`Self::follower_pages`] turns the pages.
    ///
    /// # Errors
    /// `NOT_OWNER`, `CREATOR_NOT_FOUND`, or a general one.
    pub async fn list_followers(
        &self,
        request: v1::ListFollowersRequest,
    ) -> Result<v1::ListFollowersResponse, Error> {
        self.call(request).await
    }

    /// Returns a page of the creators that the user follows, newest first; [`Self::following_pages`] turns the pages.
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
    pub fn follower_pages(&self, creator_id: impl Into<String>) -> FollowerPages {
        FollowerPages {
            client: self.clone(),
            next: Some(v1::ListFollowersRequest {
                creator_id: creator_id.into(),
                page_size: PAGE_SIZE,
                page_token: String::new(),
            }),
        }
    }

    /// Reads all creators that the user follows, newest first.
    #[must_use]
    pub fn following_pages(&self) -> FollowingPages {
        FollowingPages {
            client: self.clone(),
            next: Some(v1::ListFollowingRequest {
                page_size: PAGE_SIZE,
                page_token: String::new(),
            }),
        }
    }
}

/// A creator's followers, page by page.
#[derive(Debug)]
pub struct FollowerPages {
    client: Client,
    next: Option<v1::ListFollowersRequest>,
}

impl FollowerPages {
    /// Gets the next page, which may be empty; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// As [`Client::list_followers`].
    pub async fn next(&mut self) -> Result<Option<Vec<v1::Follower>>, Error> {
        let Some(request) = &mut self.next else {
            return Ok(None);
        };
        let page = self.client.list_followers(request.clone()).await?;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            self.next = None;
        }
        Ok(Some(page.followers))
    }
}

/// The creators that somebody follows, page by page.
#[derive(Debug)]
pub struct FollowingPages {
    client: Client,
    next: Option<v1::ListFollowingRequest>,
}

impl FollowingPages {
    /// Gets the next page, which may be empty; `None` after the last. After an error the same page can be asked for again.
    ///
    /// # Errors
    /// As [`Client::list_following`].
    pub async fn next(&mut self) -> Result<Option<Vec<v1::FollowedCreator>>, Error> {
        let Some(request) = &mut self.next else {
            return Ok(None);
        };
        let page = self.client.list_following(request.clone()).await?;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            self.next = None;
        }
        Ok(Some(page.following))
    }
}
