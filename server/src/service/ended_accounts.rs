//! Tells the access tokens which accounts have ended, whichever process ended them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    auth::AccessTokens,
    domain::AccountId,
    env::SharedEnv,
    store::{Order, PageRequest, Result, SharedStore},
};

/// Well within the minute after which no token of a deleted account is good.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Accounts read at a time.
const PAGE: usize = 1_000;

/// Works until `stop`.
pub async fn run(
    env: SharedEnv,
    store: SharedStore,
    tokens: Arc<AccessTokens>,
    stop: CancellationToken,
) {
    loop {
        match stop.run_until_cancelled(ended(&env, &store)).await {
            None => return,
            Some(Ok(accounts)) => tokens.end_only(accounts),
            Some(Err(error)) => {
                tracing::warn!(%error, "ended accounts can't be read: their access tokens stay good for up to 15 minutes");
            }
        }
        stop.run_until_cancelled(env.sleep(LOOK_EVERY)).await;
    }
}

/// Those whose last access tokens may live: of this hour, the one before, and the next by a clock that is ahead.
async fn ended(env: &SharedEnv, store: &SharedStore) -> Result<HashSet<AccountId>> {
    let hour = env.now().hour();
    let mut ended = HashSet::new();
    for hour in [hour - 1, hour, hour + 1] {
        let mut after = None;
        loop {
            let page = PageRequest {
                after,
                limit: PAGE,
                order: Order::Ascending,
            };
            let found = store.list_ended_accounts(hour, page).await?;
            after = found.last().copied();
            ended.extend(found);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::service::testing::context;

    #[tokio::test]
    async fn another_process_learns_which_tokens_have_ended() {
        let (ctx, env) = context();
        let (gone, here) = (Uuid::now_v7(), Uuid::now_v7());
        let [(theirs, _), (ours, _)] = [gone, here].map(|id| {
            let account_id = AccountId::new(id);
            ctx.tokens.issue(account_id, id, ctx.env.now()).unwrap()
        });
        let is_good = |token: &secrecy::SecretString| {
            let token = secrecy::ExposeSecret::expose_secret(token);
            ctx.tokens.verify(token, ctx.env.now()).is_some()
        };
        assert!(is_good(&theirs) && is_good(&ours));
        // By a process that deleted it.
        let at = ctx.env.now();
        ctx.store
            .put_ended_account(AccountId::new(gone), at)
            .await
            .unwrap();
        let look = || async {
            ended(&ctx.env, &ctx.store)
                .await
                .map(|it| ctx.tokens.end_only(it))
        };
        look().await.unwrap();
        assert!(!is_good(&theirs) && is_good(&ours));
        // When the last token has ended by itself, nothing is remembered.
        env.advance(Duration::from_secs(3 * 3_600));
        assert!(ended(&ctx.env, &ctx.store).await.unwrap().is_empty());
    }
}
