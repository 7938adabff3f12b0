//! Sessions: partition = the session's id.

use async_trait::async_trait;
use uuid::Uuid;

use super::{EmbeddedStore, rows::REFRESH_TOKENS};
use crate::store::{Cas, Put, Result, SessionStore, sessions::Session};

#[async_trait]
impl SessionStore for EmbeddedStore {
    async fn insert_session(&self, session: &Session) -> Result<Put<Session>> {
        self.insert_row(REFRESH_TOKENS, session.session_id.as_bytes(), session)
            .await
    }

    async fn get_session(&self, session_id: Uuid) -> Result<Option<Session>> {
        self.get_row(REFRESH_TOKENS, session_id.as_bytes())
    }

    async fn update_session(&self, session: &Session) -> Result<Cas<Session>> {
        self.replace_row(REFRESH_TOKENS, session.session_id.as_bytes(), session)
            .await
    }
}
