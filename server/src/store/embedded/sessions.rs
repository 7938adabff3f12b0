//! Sessions: partition = the session's id. Ended accounts: partition = the hour, clustering = the account.

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    EmbeddedStore, key,
    rows::{ENDED_ACCOUNTS, REFRESH_TOKENS},
};
use crate::{
    domain::{AccountId, Timestamp},
    store::{
        Cas, PageRequest, Put, Result, SessionStore,
        sessions::{ENDED_TTL, Session},
    },
};

/// Rows past their time that each new one takes away: more than the one that it adds.
const SWEEP_ROWS_MAX: usize = 4;

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

    async fn put_ended_account(&self, account_id: AccountId, at: Timestamp) -> Result<()> {
        let key = [&key::ordered_i64(at.hour())[..], &account_id.as_bytes()[..]].concat();
        let end = key::ordered_i64((self.env.now() - ENDED_TTL).hour());
        self.write(move |rows| {
            for dead in rows.keys_before(ENDED_ACCOUNTS, &end, SWEEP_ROWS_MAX)? {
                rows.delete(ENDED_ACCOUNTS, &dead)?;
            }
            rows.put_if_absent(ENDED_ACCOUNTS, &key, &[]).map(drop)
        })
        .await
    }

    async fn list_ended_accounts(
        &self,
        hour: i64,
        page: PageRequest<AccountId>,
    ) -> Result<Vec<AccountId>> {
        let after = page.after.as_ref().map(|id| &id.as_bytes()[..]);
        let hour = key::ordered_i64(hour);
        let range = key::range(&hour, after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(
                ENDED_ACCOUNTS,
                range,
                page.order,
                page.limit,
                |mut key, _| {
                    let _hour: [u8; 8] = key::take(&mut key)?;
                    Ok(Some(AccountId::new(key::take_id(&mut key)?)))
                },
            )
        })
        .await
    }
}
