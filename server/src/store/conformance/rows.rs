//! Drops, accounts, creators, sessions: put if absent, compare-and-set on the version.

use super::samples::{account, creator, drop, id, session};
use crate::{
    domain::{AccountId, DropId, drop::Drop},
    env::{Env as _, SystemEnv},
    store::{
        Cas, Order, PageRequest, Put, SharedStore,
        accounts::{Account, Creator},
        sessions::Session,
    },
};

/// The first row stays; a later one is told which it is.
pub async fn drops_are_put_if_absent(store: &SharedStore) {
    let first = drop();
    let other = Drop {
        title: "another".to_owned(),
        op_id: id(),
        ..first.clone()
    };
    assert_eq!(store.get_drop(first.drop_id).await.unwrap(), None);
    assert_eq!(store.insert_drop(&first).await.unwrap(), Put::Done);
    for late in [&first, &other] {
        assert_eq!(
            store.insert_drop(late).await.unwrap(),
            Put::Exists(first.clone())
        );
    }
    assert_eq!(store.get_drop(first.drop_id).await.unwrap(), Some(first));
    assert_eq!(store.get_drop(DropId::new(id())).await.unwrap(), None);
}

/// Only the next version replaces a row; the same change again counts as done and changes nothing.
pub async fn drops_change_by_version(store: &SharedStore) {
    let first = drop();
    let second = Drop {
        version: 2,
        op_id: id(),
        cancelled: true,
        secret: None,
        ..first.clone()
    };
    assert_eq!(store.update_drop(&second).await.unwrap(), Cas::Stale(None));
    assert_eq!(store.get_drop(first.drop_id).await.unwrap(), None);
    assert_eq!(store.insert_drop(&first).await.unwrap(), Put::Done);
    assert_eq!(store.update_drop(&second).await.unwrap(), Cas::Done);
    assert_eq!(store.update_drop(&second).await.unwrap(), Cas::Done);
    let [same, older, ahead] = [2, 1, 4].map(|version| Drop {
        version,
        op_id: id(),
        ..first.clone()
    });
    for stale in [same, older, ahead] {
        assert_eq!(
            store.update_drop(&stale).await.unwrap(),
            Cas::Stale(Some(second.clone())),
            "{}",
            stale.version
        );
    }
    assert_eq!(store.get_drop(first.drop_id).await.unwrap(), Some(second));
}

/// The first row stays; a later one is told which it is.
pub async fn accounts_are_put_if_absent(store: &SharedStore) {
    let first = account();
    let other = Account {
        email: "other@example.com".to_owned(),
        ..first.clone()
    };
    assert_eq!(store.get_account(first.account_id).await.unwrap(), None);
    assert_eq!(store.insert_account(&first).await.unwrap(), Put::Done);
    assert_eq!(
        store.insert_account(&other).await.unwrap(),
        Put::Exists(first.clone())
    );
    assert_eq!(
        store.get_account(first.account_id).await.unwrap(),
        Some(first)
    );
}

/// As with drops.
pub async fn accounts_change_by_version(store: &SharedStore) {
    let first = account();
    let second = Account {
        version: 2,
        op_id: id(),
        password_hash: "new".to_owned(),
        ..first.clone()
    };
    assert_eq!(
        store.update_account(&second).await.unwrap(),
        Cas::Stale(None)
    );
    assert_eq!(store.insert_account(&first).await.unwrap(), Put::Done);
    assert_eq!(store.update_account(&second).await.unwrap(), Cas::Done);
    assert_eq!(store.update_account(&second).await.unwrap(), Cas::Done);
    let stale = Account {
        op_id: id(),
        ..second.clone()
    };
    assert_eq!(
        store.update_account(&stale).await.unwrap(),
        Cas::Stale(Some(second.clone()))
    );
    assert_eq!(
        store.get_account(first.account_id).await.unwrap(),
        Some(second)
    );
}

/// The first row stays; a later one is told which it is.
pub async fn creators_are_put_if_absent(store: &SharedStore) {
    let first = creator();
    let other = Creator {
        bio: "another".to_owned(),
        ..first.clone()
    };
    assert_eq!(store.get_creator(first.creator_id).await.unwrap(), None);
    assert_eq!(store.insert_creator(&first).await.unwrap(), Put::Done);
    assert_eq!(
        store.insert_creator(&other).await.unwrap(),
        Put::Exists(first.clone())
    );
    assert_eq!(
        store.get_creator(first.creator_id).await.unwrap(),
        Some(first.clone())
    );
    // An account is no creator, though the ids are the same.
    assert_eq!(store.get_account(first.creator_id).await.unwrap(), None);
    assert_eq!(store.get_creator(AccountId::new(id())).await.unwrap(), None);
}

/// As with accounts.
pub async fn creators_change_by_version(store: &SharedStore) {
    let first = creator();
    let second = Creator {
        version: 2,
        op_id: id(),
        bio: String::new(),
        ..first.clone()
    };
    let early = store.update_creator(&second).await.unwrap();
    assert_eq!(early, Cas::Stale(None));
    assert_eq!(store.insert_creator(&first).await.unwrap(), Put::Done);
    assert_eq!(store.update_creator(&second).await.unwrap(), Cas::Done);
    assert_eq!(store.update_creator(&second).await.unwrap(), Cas::Done);
    let stale = Creator {
        op_id: id(),
        ..second.clone()
    };
    assert_eq!(
        store.update_creator(&stale).await.unwrap(),
        Cas::Stale(Some(second.clone()))
    );
    assert_eq!(
        store.get_creator(first.creator_id).await.unwrap(),
        Some(second)
    );
}

/// Each in its hour, as often as it is put; by id, in pages.
pub async fn ended_accounts_are_listed_by_hour(store: &SharedStore) {
    let at = SystemEnv.now();
    let mut ids: Vec<AccountId> = (0..5).map(|_| AccountId::new(id())).collect();
    for account_id in [&ids[..], &ids[..1]].concat() {
        store.put_ended_account(account_id, at).await.unwrap();
    }
    let listed = |hour| async move {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = PageRequest {
                after,
                limit: 2,
                order: Order::Ascending,
            };
            let rows = store.list_ended_accounts(hour, page).await.unwrap();
            after = rows.last().copied();
            if rows.is_empty() {
                return found;
            }
            found.extend(rows);
        }
    };
    let mut found = listed(at.hour()).await;
    found.retain(|it| ids.contains(it));
    ids.sort_unstable();
    assert_eq!(found, ids);
    let other = listed(at.hour() - 1).await;
    assert!(ids.iter().all(|id| !other.contains(id)));
}

/// The first row stays; a later one is told which it is.
pub async fn sessions_are_put_if_absent(store: &SharedStore) {
    let first = session();
    let other = Session {
        generation: 2,
        ..first.clone()
    };
    assert_eq!(store.get_session(first.session_id).await.unwrap(), None);
    assert_eq!(store.insert_session(&first).await.unwrap(), Put::Done);
    assert_eq!(
        store.insert_session(&other).await.unwrap(),
        Put::Exists(first.clone())
    );
    assert_eq!(
        store.get_session(first.session_id).await.unwrap(),
        Some(first)
    );
}

/// As with drops.
pub async fn sessions_change_by_version(store: &SharedStore) {
    let first = session();
    let second = Session {
        version: 2,
        op_id: id(),
        generation: 2,
        is_ended: true,
        ..first.clone()
    };
    assert_eq!(
        store.update_session(&second).await.unwrap(),
        Cas::Stale(None)
    );
    assert_eq!(store.insert_session(&first).await.unwrap(), Put::Done);
    assert_eq!(store.update_session(&second).await.unwrap(), Cas::Done);
    assert_eq!(store.update_session(&second).await.unwrap(), Cas::Done);
    let stale = Session {
        op_id: id(),
        ..second.clone()
    };
    assert_eq!(
        store.update_session(&stale).await.unwrap(),
        Cas::Stale(Some(second.clone()))
    );
    assert_eq!(
        store.get_session(first.session_id).await.unwrap(),
        Some(second)
    );
}

/// Of many changes of one version exactly one is made; the others all see it.
pub async fn racing_updates_have_one_winner(store: &SharedStore) {
    let first = drop();
    assert_eq!(store.insert_drop(&first).await.unwrap(), Put::Done);
    let racers = (0..16).map(|_| {
        let (store, second) = (
            store.clone(),
            Drop {
                version: 2,
                op_id: id(),
                ..first.clone()
            },
        );
        tokio::spawn(async move { (store.update_drop(&second).await.unwrap(), second) })
    });
    let (mut winners, mut seen) = (Vec::new(), Vec::new());
    for outcome in futures::future::join_all(racers).await {
        match outcome.unwrap() {
            (Cas::Done, row) => winners.push(row),
            (Cas::Stale(existing), _) => seen.push(existing.unwrap()),
        }
    }
    assert_eq!(winners.len(), 1);
    assert!(seen.iter().all(|existing| *existing == winners[0]));
    assert_eq!(
        store.get_drop(first.drop_id).await.unwrap().as_ref(),
        winners.first()
    );
}
