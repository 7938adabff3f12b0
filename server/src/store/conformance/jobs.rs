//! Jobs: compare-and-set on the version, from the first one on.

use super::samples::{id, job};
use crate::store::{Cas, SharedStore, jobs::Job};

fn next(job: &Job) -> Job {
    Job {
        version: job.version + 1,
        op_id: id(),
        cursor: job.cursor + 1,
        ..job.clone()
    }
}

/// Version 1 makes the row, only the next version replaces it; the same change again counts as done and changes nothing.
pub async fn jobs_change_by_version(store: &SharedStore) {
    let first = job();
    let second = next(&first);
    assert_eq!(store.get_job(&first.job_id).await.unwrap(), None);
    assert_eq!(store.update_job(&second).await.unwrap(), Cas::Stale(None));
    assert_eq!(store.get_job(&first.job_id).await.unwrap(), None);
    for _ in 0..2 {
        assert_eq!(store.update_job(&first).await.unwrap(), Cas::Done);
    }
    let late = Job {
        op_id: id(),
        ..first.clone()
    };
    assert_eq!(
        store.update_job(&late).await.unwrap(),
        Cas::Stale(Some(first.clone()))
    );
    for _ in 0..2 {
        assert_eq!(store.update_job(&second).await.unwrap(), Cas::Done);
    }
    for version in [0, 1, 2, 4] {
        let stale = Job {
            version,
            op_id: id(),
            ..first.clone()
        };
        assert_eq!(
            store.update_job(&stale).await.unwrap(),
            Cas::Stale(Some(second.clone())),
            "{version}"
        );
    }
    // The change before the newest is no longer known.
    assert_eq!(
        store.update_job(&first).await.unwrap(),
        Cas::Stale(Some(second.clone()))
    );
    assert_eq!(
        store.get_job(&first.job_id).await.unwrap(),
        Some(second.clone())
    );
    let third = next(&second);
    assert_eq!(store.update_job(&third).await.unwrap(), Cas::Done);
    assert_eq!(store.get_job(&first.job_id).await.unwrap(), Some(third));
}

/// A job's name is all of it.
pub async fn jobs_are_apart(store: &SharedStore) {
    let first = job();
    let longer = Job {
        job_id: format!("{}0", first.job_id),
        cursor: i64::MIN,
        ..job()
    };
    for job in [&first, &longer] {
        assert_eq!(store.update_job(job).await.unwrap(), Cas::Done);
    }
    for job in [first, longer] {
        assert_eq!(store.get_job(&job.job_id).await.unwrap(), Some(job));
    }
}

/// Of many changes of one version exactly one is made, be it the first version or a later one; the others all see it.
pub async fn racing_jobs_have_one_winner(store: &SharedStore) {
    let first = job();
    let mut newest = Job {
        version: 0,
        ..first.clone()
    };
    for _ in 0..2 {
        let racers = (0..16).map(|_| {
            let (store, next) = (store.clone(), next(&newest));
            tokio::spawn(async move { (store.update_job(&next).await.unwrap(), next) })
        });
        let (mut winners, mut seen) = (Vec::new(), Vec::new());
        for outcome in futures::future::join_all(racers).await {
            match outcome.unwrap() {
                (Cas::Done, job) => winners.push(job),
                (Cas::Stale(existing), _) => seen.push(existing.unwrap()),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(seen.iter().all(|existing| *existing == winners[0]));
        newest = winners.remove(0);
        let found = store.get_job(&first.job_id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&newest));
    }
}
