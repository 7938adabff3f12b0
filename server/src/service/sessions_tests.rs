use futures::future::join_all;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    env::Env as _,
    service::testing::{CROWDED, ROUGH, TestEnv, context, context_with, kind, signed_up},
};

fn text(tokens: &Tokens) -> &str {
    tokens.refresh_token.expose_secret()
}

async fn refused(ctx: &Context, token: &SecretString) -> &'static str {
    kind(&refresh(ctx, token).await.unwrap_err())
}

fn credentials(email: &str, password: &str) -> SignIn {
    SignIn {
        email: email.into(),
        password: password.into(),
    }
}

#[tokio::test]
async fn signing_in_takes_the_right_password() {
    let (ctx, _) = context();
    let made = signed_up(&ctx, "ann").await;
    let signed_in = sign_in(&ctx, credentials(" ANN@Example.com", "correct horse"))
        .await
        .unwrap();
    assert_eq!(signed_in.profile.account, made.profile.account);
    let caller = ctx
        .tokens
        .verify(signed_in.tokens.access_token.expose_secret(), ctx.env.now())
        .unwrap();
    assert_eq!(caller.account_id, made.profile.account.account_id);
    assert_eq!(caller.expires_at, signed_in.tokens.access_token_expires_at);

    let wrong = sign_in(&ctx, credentials("ann@example.com", "correct horsf"))
        .await
        .unwrap_err();
    let unknown = sign_in(&ctx, credentials("bob@example.com", "correct horse"))
        .await
        .unwrap_err();
    assert_eq!(
        (kind(&wrong), wrong.to_string()),
        ("UNAUTHENTICATED", unknown.to_string())
    );
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let (ctx, _) = context();
    let Error::Invalid(violations) = sign_in(&ctx, credentials("ann", "")).await.unwrap_err()
    else {
        panic!()
    };
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["email", "password"]);
    assert!(!format!("{:?}", credentials("ann@example.com", "hunter22")).contains("ann"));
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds() {
    let (ctx, env) = context();
    let first = signed_up(&ctx, "ann").await.tokens;
    let second = refresh(&ctx, &first.refresh_token).await.unwrap();
    assert_ne!(text(&first), text(&second));
    env.advance(REPEAT_WITHIN);
    let again = refresh(&ctx, &first.refresh_token).await.unwrap();
    assert_eq!(text(&again), text(&second));
    assert_eq!(
        again.refresh_token_expires_at,
        second.refresh_token_expires_at
    );

    env.advance(Duration::from_micros(1));
    assert_eq!(refused(&ctx, &first.refresh_token).await, "UNAUTHENTICATED");
    assert_eq!(
        refused(&ctx, &second.refresh_token).await,
        "UNAUTHENTICATED",
        "the family has ended"
    );
}

#[tokio::test]
async fn a_token_two_back_ends_the_family_at_once() {
    let (ctx, _) = context();
    let first = signed_up(&ctx, "ann").await.tokens;
    let second = refresh(&ctx, &first.refresh_token).await.unwrap();
    let third = refresh(&ctx, &second.refresh_token).await.unwrap();
    assert_eq!(refused(&ctx, &first.refresh_token).await, "UNAUTHENTICATED");
    for token in [first, second, third] {
        assert_eq!(refused(&ctx, &token.refresh_token).await, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn tokens_end_thirty_days_after_they_were_made() {
    let (ctx, env) = context();
    let first = signed_up(&ctx, "ann").await.tokens;
    assert_eq!(
        first.refresh_token_expires_at,
        env.now() + REFRESH_TOKEN_LIFETIME
    );
    env.advance(REFRESH_TOKEN_LIFETIME - Duration::from_micros(1));
    let second = refresh(&ctx, &first.refresh_token).await.unwrap();
    env.advance(REFRESH_TOKEN_LIFETIME);
    assert_eq!(
        refused(&ctx, &second.refresh_token).await,
        "UNAUTHENTICATED"
    );
}

#[tokio::test]
async fn what_we_did_not_make_has_no_effect() {
    let (ctx, _) = context();
    let good = signed_up(&ctx, "ann").await.tokens;
    let other = signed_up(&ctx, "bob").await.tokens;
    let token = RefreshToken::parse(text(&good)).unwrap();
    // The key file without the session's salt, and an older number with a made-up MAC.
    let unsalted = RefreshToken::new(&ctx.keys, token.session_id, 1, &[0; 32]).to_text();
    let elsewhere = RefreshToken::new(&ctx.keys, Uuid::now_v7(), 1, &[0; 32]).to_text();
    let access = good.access_token.expose_secret().to_owned().into();
    for bad in [
        unsalted,
        elsewhere,
        access,
        "x".into(),
        "A".repeat(76).into(),
    ] {
        assert_eq!(refused(&ctx, &bad).await, "UNAUTHENTICATED");
        sign_out(&ctx, &bad).await.unwrap();
    }
    for bad in ["".into(), "x".repeat(1025).into()] {
        assert_eq!(refused(&ctx, &bad).await, "INVALID");
        assert_eq!(kind(&sign_out(&ctx, &bad).await.unwrap_err()), "INVALID");
    }
    // A number that is not reached yet, as after the restore of a backup.
    let session = ctx
        .store
        .get_session(token.session_id)
        .await
        .unwrap()
        .unwrap();
    let ahead = RefreshToken::new(&ctx.keys, session.session_id, 2, &session.salt).to_text();
    assert_eq!(refused(&ctx, &ahead).await, "UNAUTHENTICATED");

    assert!(refresh(&ctx, &good.refresh_token).await.is_ok());
    assert!(refresh(&ctx, &other.refresh_token).await.is_ok());
}

#[tokio::test]
async fn signing_out_ends_this_session_only() {
    let (ctx, _) = context();
    let phone = signed_up(&ctx, "ann").await.tokens;
    let laptop = sign_in(&ctx, credentials("ann@example.com", "correct horse"))
        .await
        .unwrap()
        .tokens;
    let newest = refresh(&ctx, &phone.refresh_token).await.unwrap();
    sign_out(&ctx, &phone.refresh_token).await.unwrap();
    sign_out(&ctx, &phone.refresh_token).await.unwrap();
    assert_eq!(
        refused(&ctx, &newest.refresh_token).await,
        "UNAUTHENTICATED"
    );
    assert!(refresh(&ctx, &laptop.refresh_token).await.is_ok());
}

#[tokio::test]
async fn parallel_refreshes_get_one_successor() {
    for seed in 0..40 {
        let (ctx, _) = context_with(CROWDED, seed);
        let first = signed_up(&ctx, "ann").await.tokens;
        let answers = join_all((0..50).map(|_| refresh(&ctx, &first.refresh_token))).await;
        let successor = answers[0].as_ref().unwrap();
        assert!(
            answers
                .iter()
                .all(|answer| text(answer.as_ref().unwrap()) == text(successor))
        );
        let session_id = RefreshToken::parse(text(&first)).unwrap().session_id;
        let session = ctx.store.get_session(session_id).await.unwrap().unwrap();
        assert_eq!(
            (session.generation, session.version, session.is_ended),
            (2, 2, false)
        );
    }
}

#[tokio::test]
async fn a_thief_racing_the_owner_ends_the_family() {
    for seed in 0..40 {
        let (ctx, _) = context_with(CROWDED, seed);
        let first = signed_up(&ctx, "ann").await.tokens;
        let second = refresh(&ctx, &first.refresh_token).await.unwrap();
        let third = refresh(&ctx, &second.refresh_token).await.unwrap();
        let (stolen, own) = tokio::join!(
            refresh(&ctx, &first.refresh_token),
            refresh(&ctx, &third.refresh_token)
        );
        assert_eq!(kind(&stolen.unwrap_err()), "UNAUTHENTICATED");
        let newest = own.map_or(third.refresh_token, |fourth| fourth.refresh_token);
        assert_eq!(refused(&ctx, &newest).await, "UNAUTHENTICATED");
    }
}

/// Repeats a call as clients do.
async fn until_answered(ctx: &Context, token: &SecretString) -> Result<Tokens> {
    loop {
        match refresh(ctx, token).await {
            Err(Error::Unavailable { .. }) => {}
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn a_client_that_repeats_gets_through_a_store_that_fails() {
    for seed in 0..200 {
        let (ctx, _) = context_with(ROUGH, seed);
        let first = loop {
            if let Ok(tokens) = start(&ctx, AccountId::new(Uuid::now_v7())).await {
                break tokens;
            }
        };
        let answers = join_all((0..5).map(|_| until_answered(&ctx, &first.refresh_token))).await;
        let second = answers[0].as_ref().unwrap();
        assert!(
            answers
                .iter()
                .all(|answer| text(answer.as_ref().unwrap()) == text(second))
        );
        let third = until_answered(&ctx, &second.refresh_token).await.unwrap();
        assert_eq!(RefreshToken::parse(text(&third)).unwrap().generation, 3);
    }
}

/// Presents tokens of any age after any pause: what is answered is the newest, and nothing is answered after a reuse.
async fn play(ctx: &Context, env: &TestEnv, first: Tokens, steps: Vec<(usize, u64)>) {
    let mut made = vec![(text(&first).to_owned(), env.now())];
    let mut is_ended = false;
    for (back, pause_s) in steps {
        env.advance(Duration::from_secs(pause_s));
        let newest = made.len() - 1;
        let shown = newest.saturating_sub(back);
        let answer = refresh(ctx, &made[shown].0.clone().into()).await;
        let is_repeat = newest - shown == 1 && env.now().since(made[newest].1) <= REPEAT_WITHIN;
        is_ended |= shown != newest && !is_repeat;
        match answer {
            Err(error) => assert!(is_ended, "{error}"),
            Ok(tokens) => {
                assert!(!is_ended);
                if is_repeat && shown != newest {
                    assert_eq!(text(&tokens), made[newest].0);
                } else {
                    assert!(made.iter().all(|(earlier, _)| earlier != text(&tokens)));
                    made.push((text(&tokens).to_owned(), env.now()));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_two_live_tokens(steps in prop::collection::vec((prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => Just(2)], 0..14_u64), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ctx, env) = context();
            let first = signed_up(&ctx, "ann").await.tokens;
            play(&ctx, &env, first, steps).await;
        });
    }
}
