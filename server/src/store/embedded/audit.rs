//! What operators did: partition = the subject, clustering = time, id.

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    EmbeddedStore, key,
    rows::AUDIT_LOG,
    versioned::{decode, encode},
};
use crate::store::{
    AuditStore, Order, Result,
    audit::{AUDIT_LIST_MAX, AuditEntry},
};

pub(super) fn entry_key(entry: &AuditEntry) -> Vec<u8> {
    let clustering = key::time_and_id(entry.at, entry.id.as_bytes());
    [&entry.subject.as_bytes()[..], &clustering].concat()
}

#[async_trait]
impl AuditStore for EmbeddedStore {
    async fn put_audit(&self, entry: &AuditEntry) -> Result<()> {
        let key = entry_key(entry);
        let row = encode(entry)?;
        self.write(move |rows| rows.put_if_absent(AUDIT_LOG, &key, &[&row]).map(drop))
            .await
    }

    async fn list_audit(&self, subject: Uuid) -> Result<Vec<AuditEntry>> {
        let order = Order::Ascending;
        let range = key::range(subject.as_bytes(), None, order);
        self.scan(move |snapshot| {
            snapshot.page(AUDIT_LOG, range, order, AUDIT_LIST_MAX, |_, row| {
                decode(row).map(Some)
            })
        })
        .await
    }
}
