//! What operators did.

use std::time::Duration;

use super::samples::{NOW, audit_entry, id};
use crate::store::{
    SharedStore,
    audit::{AUDIT_LIST_MAX, AuditEntry},
};

/// A subject's entries are listed oldest first, once however often they are put, and no other's.
pub async fn entries_are_listed_oldest_first(store: &SharedStore) {
    let subject = id();
    let mut entries: Vec<_> = [0, 0, 300, 5]
        .map(|micros| AuditEntry {
            subject,
            at: NOW + Duration::from_micros(micros),
            ..audit_entry()
        })
        .into();
    for entry in entries.iter().chain(&entries).chain([&audit_entry()]) {
        store.put_audit(entry).await.unwrap();
    }
    entries.sort_by_key(|entry| (entry.at, entry.id));
    assert_eq!(store.list_audit(subject).await.unwrap(), entries);
    assert_eq!(store.list_audit(id()).await.unwrap(), []);
}

/// The list ends with the oldest entries that it may hold.
pub async fn the_audit_list_is_bounded(store: &SharedStore) {
    let subject = id();
    let entries: Vec<_> = (0..AUDIT_LIST_MAX + 3)
        .map(|number| AuditEntry {
            subject,
            at: NOW + Duration::from_secs(number as u64),
            ..audit_entry()
        })
        .collect();
    let puts = entries.iter().map(|entry| store.put_audit(entry));
    for outcome in futures::future::join_all(puts).await {
        outcome.unwrap();
    }
    assert_eq!(
        store.list_audit(subject).await.unwrap(),
        entries[..AUDIT_LIST_MAX]
    );
}
