//! The storage traits of ledgers, drops and accounts, each method through [`Faulty::call`].

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Fault, Faulty, Method, Subject, unknown};
use crate::{
    domain::{AccountId, DropId, Timestamp, drop::Drop},
    store::{
        AccountStore, Append, Cas, DropStore, LedgerRecord, LedgerStore, OpenLedger, PageRequest,
        Put, RequestStore, Result, SessionStore,
        accounts::{Account, Claim, Creator},
        drops::{DropTime, DropTimeKey},
        requests::{RequestKey, RequestRow},
        sessions::Session,
    },
};

#[async_trait]
impl<S: LedgerStore + ?Sized + 'static> LedgerStore for Faulty<S> {
    fn is_exclusive(&self) -> bool {
        !self.is_shared && self.inner.is_exclusive()
    }

    async fn append(&self, record: &LedgerRecord) -> Result<Append> {
        self.state.lock().appends.push(record.clone());
        let draw = self.draw(Method::Append);
        if draw.fault == Some(Fault::Late) {
            let (inner, sleep, record) = (
                Arc::clone(&self.inner),
                self.env.sleep(draw.late_by),
                record.clone(),
            );
            let task = async move {
                sleep.await;
                // Nobody waits for the outcome.
                drop(inner.append(&record).await);
            };
            self.env.spawn("late append", Box::pin(task));
            return Err(unknown(Method::Append));
        }
        let subject = Subject::Record(record);
        self.call_as(Method::Append, subject, draw, || self.inner.append(record))
            .await
    }

    async fn read_from(
        &self,
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LedgerRecord>> {
        self.call(Method::ReadFrom, || {
            self.inner.read_from(ledger_id, seq, limit)
        })
        .await
    }

    async fn mark_open(&self, open: OpenLedger) -> Result<()> {
        self.call(Method::MarkOpen, || self.inner.mark_open(open))
            .await
    }

    async fn unmark_open(&self, open: OpenLedger) -> Result<()> {
        self.call(Method::UnmarkOpen, || self.inner.unmark_open(open))
            .await
    }

    async fn list_open(
        &self,
        shard: u8,
        after: Option<OpenLedger>,
        limit: usize,
    ) -> Result<Vec<OpenLedger>> {
        self.call(Method::ListOpen, || {
            self.inner.list_open(shard, after, limit)
        })
        .await
    }
}

#[async_trait]
impl<S: DropStore + ?Sized> DropStore for Faulty<S> {
    async fn insert_drop(&self, drop: &Drop) -> Result<Put<Drop>> {
        self.call(Method::InsertDrop, || self.inner.insert_drop(drop))
            .await
    }

    async fn get_drop(&self, drop_id: DropId) -> Result<Option<Drop>> {
        self.call(Method::GetDrop, || self.inner.get_drop(drop_id))
            .await
    }

    async fn update_drop(&self, drop: &Drop) -> Result<Cas<Drop>> {
        self.call(Method::UpdateDrop, || self.inner.update_drop(drop))
            .await
    }

    async fn put_drop_time(&self, row: DropTime, written_at: Timestamp) -> Result<()> {
        self.call(Method::PutDropTime, || {
            self.inner.put_drop_time(row, written_at)
        })
        .await
    }

    async fn list_drop_times(
        &self,
        day: i32,
        shard: u8,
        page: PageRequest<DropTimeKey>,
    ) -> Result<Vec<DropTime>> {
        self.call(Method::ListDropTimes, || {
            self.inner.list_drop_times(day, shard, page.clone())
        })
        .await
    }

    async fn put_creator_drop(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        drop_id: DropId,
    ) -> Result<()> {
        self.call(Method::PutCreatorDrop, || {
            self.inner.put_creator_drop(creator_id, created_at, drop_id)
        })
        .await
    }

    async fn list_creator_drops(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, DropId)>,
    ) -> Result<Vec<(Timestamp, DropId)>> {
        self.call(Method::ListCreatorDrops, || {
            self.inner.list_creator_drops(creator_id, page.clone())
        })
        .await
    }

    async fn scan_drops(&self, after: Option<DropId>, limit: usize) -> Result<Vec<Drop>> {
        self.call(Method::ScanDrops, || self.inner.scan_drops(after, limit))
            .await
    }
}

#[async_trait]
impl<S: AccountStore + ?Sized> AccountStore for Faulty<S> {
    async fn insert_account(&self, account: &Account) -> Result<Put<Account>> {
        self.call(Method::InsertAccount, || self.inner.insert_account(account))
            .await
    }

    async fn get_account(&self, account_id: AccountId) -> Result<Option<Account>> {
        self.call(Method::GetAccount, || self.inner.get_account(account_id))
            .await
    }

    async fn update_account(&self, account: &Account) -> Result<Cas<Account>> {
        self.call(Method::UpdateAccount, || self.inner.update_account(account))
            .await
    }

    async fn insert_creator(&self, creator: &Creator) -> Result<Put<Creator>> {
        self.call(Method::InsertCreator, || self.inner.insert_creator(creator))
            .await
    }

    async fn get_creator(&self, creator_id: AccountId) -> Result<Option<Creator>> {
        self.call(Method::GetCreator, || self.inner.get_creator(creator_id))
            .await
    }

    async fn update_creator(&self, creator: &Creator) -> Result<Cas<Creator>> {
        self.call(Method::UpdateCreator, || self.inner.update_creator(creator))
            .await
    }

    async fn claim_email(&self, email: &str, claim: &Claim) -> Result<Put<Claim>> {
        self.call(Method::ClaimEmail, || self.inner.claim_email(email, claim))
            .await
    }

    async fn get_email_claim(&self, email: &str) -> Result<Option<Claim>> {
        self.call(Method::GetEmailClaim, || self.inner.get_email_claim(email))
            .await
    }

    async fn take_over_email(&self, email: &str, claim: &Claim) -> Result<Cas<Claim>> {
        self.call(Method::TakeOverEmail, || {
            self.inner.take_over_email(email, claim)
        })
        .await
    }

    async fn release_email(&self, email: &str, claim: &Claim) -> Result<()> {
        self.call(Method::ReleaseEmail, || {
            self.inner.release_email(email, claim)
        })
        .await
    }

    async fn claim_handle(&self, handle: &str, claim: &Claim) -> Result<Put<Claim>> {
        self.call(Method::ClaimHandle, || {
            self.inner.claim_handle(handle, claim)
        })
        .await
    }

    async fn get_handle_claim(&self, handle: &str) -> Result<Option<Claim>> {
        self.call(Method::GetHandleClaim, || {
            self.inner.get_handle_claim(handle)
        })
        .await
    }

    async fn take_over_handle(&self, handle: &str, claim: &Claim) -> Result<Cas<Claim>> {
        self.call(Method::TakeOverHandle, || {
            self.inner.take_over_handle(handle, claim)
        })
        .await
    }
}

#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Faulty<S> {
    async fn insert_session(&self, session: &Session) -> Result<Put<Session>> {
        self.call(Method::InsertSession, || self.inner.insert_session(session))
            .await
    }

    async fn get_session(&self, session_id: Uuid) -> Result<Option<Session>> {
        self.call(Method::GetSession, || self.inner.get_session(session_id))
            .await
    }

    async fn update_session(&self, session: &Session) -> Result<Cas<Session>> {
        self.call(Method::UpdateSession, || self.inner.update_session(session))
            .await
    }

    async fn put_ended_account(&self, account_id: AccountId, at: Timestamp) -> Result<()> {
        self.call(Method::PutEndedAccount, || {
            self.inner.put_ended_account(account_id, at)
        })
        .await
    }

    async fn list_ended_accounts(
        &self,
        hour: i64,
        page: PageRequest<AccountId>,
    ) -> Result<Vec<AccountId>> {
        self.call(Method::ListEndedAccounts, || {
            self.inner.list_ended_accounts(hour, page.clone())
        })
        .await
    }
}

#[async_trait]
impl<S: RequestStore + ?Sized> RequestStore for Faulty<S> {
    async fn claim_request(&self, key: &RequestKey, row: &RequestRow) -> Result<Put<RequestRow>> {
        self.call(Method::ClaimRequest, || self.inner.claim_request(key, row))
            .await
    }

    async fn get_request(&self, key: &RequestKey) -> Result<Option<RequestRow>> {
        self.call(Method::GetRequest, || self.inner.get_request(key))
            .await
    }
}
