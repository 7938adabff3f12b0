use std::time::Duration;

use futures::future::join_all;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::*;
use crate::{
    env::Env as _,
    service::testing::{CROWDED, ROUGH, context, context_with, kind, sign_up_as, signed_up},
    store::Cas,
};

fn caller(signed_in: &SignedIn) -> Caller {
    let account_id = signed_in.profile.account.account_id;
    Caller {
        account_id,
        session_id: Uuid::now_v7(),
        expires_at: signed_in.tokens.access_token_expires_at,
    }
}

fn again(command: &SignUp) -> SignUp {
    SignUp {
        request_id: command.request_id.clone(),
        email: command.email.clone(),
        password: command.password.clone(),
        display_name: command.display_name.clone(),
    }
}

fn creator_as(handle: &str) -> BecomeCreator {
    BecomeCreator {
        handle: handle.into(),
        display_name: "Ann".into(),
        bio: String::new(),
    }
}

fn short<T>(answer: Result<T>) -> &'static str {
    answer.map_or_else(|error| kind(&error), |_| "OK")
}

#[tokio::test]
async fn an_account_is_made_and_signed_in() {
    let (ctx, _) = context();
    let signed_in = signed_up(&ctx, "Ann").await;
    let verified = ctx
        .tokens
        .verify(signed_in.tokens.access_token.expose_secret(), ctx.env.now())
        .unwrap();
    let me = get_me(&ctx, verified).await.unwrap();
    assert_eq!(me.account, signed_in.profile.account);
    assert_eq!(
        (me.account.email.as_str(), me.account.display_name.as_str()),
        ("Ann@example.com", "Ann")
    );
    assert!(me.account.password_hash.starts_with("$argon2id$"));
    assert!(me.creator.is_none());

    let stranger = Caller {
        account_id: AccountId::new(Uuid::now_v7()),
        ..verified
    };
    assert_eq!(short(get_me(&ctx, stranger).await), "ACCOUNT_NOT_FOUND");
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let (ctx, _) = context();
    let command = SignUp {
        request_id: "1".into(),
        email: "ann".into(),
        password: "short".into(),
        display_name: " ".into(),
    };
    let Error::Invalid(violations) = sign_up(&ctx, command).await.unwrap_err() else {
        panic!()
    };
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["request_id", "email", "password", "display_name"]);

    let signed_in = signed_up(&ctx, "ann").await;
    let command = BecomeCreator {
        handle: "A".into(),
        display_name: String::new(),
        bio: "\0".into(),
    };
    let Error::Invalid(violations) = become_creator(&ctx, caller(&signed_in), command)
        .await
        .unwrap_err()
    else {
        panic!()
    };
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["handle", "display_name", "bio"]);
    assert!(!format!("{:?}", sign_up_as("ann")).contains("ann@"));
}

#[tokio::test]
async fn a_repeat_finds_the_account_if_it_knows_the_password() {
    let (ctx, env) = context();
    let command = sign_up_as("ann");
    let first = sign_up(&ctx, again(&command)).await.unwrap();
    // Also after the claim's age calls for a confirmation.
    for _ in 0..2 {
        let repeat = sign_up(&ctx, again(&command)).await.unwrap();
        assert_eq!(repeat.profile.account, first.profile.account);
        assert_ne!(
            repeat.tokens.refresh_token.expose_secret(),
            first.tokens.refresh_token.expose_secret()
        );
        env.advance(Duration::from_secs(3_600));
    }
    let upper = SignUp {
        email: "ANN@example.com".into(),
        ..again(&command)
    };
    assert_eq!(short(sign_up(&ctx, upper).await), "OK", "the same address");
    let guess = SignUp {
        password: "wrong horse".into(),
        ..again(&command)
    };
    assert_eq!(short(sign_up(&ctx, guess).await), "UNAUTHENTICATED");
    for other in [
        SignUp {
            email: "bob@example.com".into(),
            ..again(&command)
        },
        SignUp {
            display_name: "Bob".into(),
            ..again(&command)
        },
    ] {
        assert_eq!(short(sign_up(&ctx, other).await), "REQUEST_ID_REUSED");
    }
    let taken = SignUp {
        email: "aNN@example.com".into(),
        ..sign_up_as("bob")
    };
    assert_eq!(short(sign_up(&ctx, taken).await), "EMAIL_TAKEN");
}

#[tokio::test]
async fn twins_end_with_one_account() {
    for seed in 0..20 {
        let (ctx, _) = context_with(CROWDED, seed);
        let command = sign_up_as("ann");
        let twins = join_all((0..20).map(|_| sign_up(&ctx, again(&command)))).await;
        let accounts: Vec<_> = twins
            .into_iter()
            .map(|twin| twin.unwrap().profile.account)
            .collect();
        assert!(accounts.iter().all(|account| *account == accounts[0]));
    }
}

#[tokio::test]
async fn an_address_goes_to_one_of_many() {
    for seed in 0..20 {
        let (ctx, _) = context_with(CROWDED, seed);
        let answers =
            join_all((0..20).map(|_| async { short(sign_up(&ctx, sign_up_as("ann")).await) }))
                .await;
        assert_eq!(
            answers.iter().filter(|answer| **answer == "OK").count(),
            1,
            "{answers:?}"
        );
        // While the winner hashes the password, nobody can know whether it will succeed.
        assert!(
            answers
                .iter()
                .all(|answer| ["OK", "EMAIL_TAKEN", "UNAVAILABLE"].contains(answer)),
            "{answers:?}"
        );
        assert_eq!(short(sign_up(&ctx, sign_up_as("ann")).await), "EMAIL_TAKEN");
    }
}

/// Rivals whose store fails, who come back as clients do, over more time than a claim lasts.
#[tokio::test]
async fn one_rival_wins_whatever_fails() {
    for seed in 0..100 {
        let (ctx, env) = context_with(ROUGH, seed);
        let persist = |command: SignUp| {
            let (ctx, env) = (&ctx, &env);
            async move {
                loop {
                    match sign_up(ctx, again(&command)).await {
                        Err(Error::Unavailable { .. }) => env.advance(Duration::from_secs(7)),
                        answer => return answer,
                    }
                }
            }
        };
        let answers = join_all((0..4).map(|_| persist(sign_up_as("ann")))).await;
        let winners: Vec<_> = answers
            .iter()
            .flatten()
            .map(|winner| winner.profile.account.account_id)
            .collect();
        assert_eq!(winners.len(), 1, "seed {seed}: {winners:?}");
        let owner = loop {
            if let Ok(claim) = ctx.store.get_email_claim("ann@example.com").await {
                break claim.unwrap().owner_id;
            }
        };
        assert_eq!(owner, winners[0], "seed {seed}");
    }
}

#[tokio::test]
async fn an_abandoned_address_can_be_claimed_and_its_first_claimant_loses() {
    let (ctx, env) = context();
    let late = sign_up_as("ann");
    // The first claimant stops after its claims, as in a crash.
    let key = RequestKey {
        caller_id: None,
        method: "SignUp",
        request_id: late.request_id.parse().unwrap(),
    };
    let fingerprint = Fingerprint::new("SignUp")
        .text("ann@example.com")
        .text("ann")
        .finish();
    let ghost = requests::claim(&ctx, key, fingerprint, || ctx.env.uuid())
        .await
        .unwrap();
    let ghost_id = AccountId::new(ghost.entity_id);
    let email = Email::parse(&late.email).unwrap();
    let name = Name::Email(&email);
    let Taken::Ours(claim) = claims::take(&ctx, name, ghost_id).await.unwrap() else {
        panic!()
    };

    let heir = sign_up_as("ann");
    assert_eq!(short(sign_up(&ctx, again(&heir)).await), "UNAVAILABLE");
    env.advance(Duration::from_secs(59));
    assert_eq!(short(sign_up(&ctx, again(&heir)).await), "UNAVAILABLE");
    env.advance(Duration::from_secs(1));
    let account = sign_up(&ctx, again(&heir)).await.unwrap().profile.account;

    // The first claimant wakes up just where it stopped, or repeats its call.
    assert!(matches!(
        claims::confirm(&ctx, name, claim).await.unwrap(),
        Taken::Others
    ));
    assert_eq!(short(sign_up(&ctx, late).await), "EMAIL_TAKEN");
    assert!(ctx.store.get_account(ghost_id).await.unwrap().is_none());
    let owner = ctx
        .store
        .get_email_claim("ann@example.com")
        .await
        .unwrap()
        .unwrap()
        .owner_id;
    assert_eq!(owner, account.account_id);
}

#[tokio::test]
async fn a_late_owner_who_confirms_can_not_be_robbed() {
    let (ctx, env) = context();
    let email = Email::parse("ann@example.com").unwrap();
    let (name, owner_id) = (Name::Email(&email), AccountId::new(Uuid::now_v7()));
    let Taken::Ours(claim) = claims::take(&ctx, name, owner_id).await.unwrap() else {
        panic!()
    };
    env.advance(Duration::from_secs(60));
    // A rival has seen that there is no account, and is about to take over.
    let rival = Claim {
        version: claim.version + 1,
        claim_id: Uuid::now_v7(),
        owner_id: AccountId::new(Uuid::now_v7()),
        claimed_at: env.now(),
    };
    assert!(matches!(
        claims::confirm(&ctx, name, claim).await.unwrap(),
        Taken::Ours(_)
    ));
    let outcome = ctx
        .store
        .take_over_email("ann@example.com", &rival)
        .await
        .unwrap();
    assert!(matches!(outcome, Cas::Stale(Some(found)) if found.owner_id == owner_id));
}

#[tokio::test]
async fn a_creator_keeps_one_handle() {
    let (ctx, env) = context();
    let ann = signed_up(&ctx, "ann").await;
    let bob = signed_up(&ctx, "bob").await;
    let creator = become_creator(&ctx, caller(&ann), creator_as("ann"))
        .await
        .unwrap();
    assert_eq!(creator.creator_id, ann.profile.account.account_id);
    for _ in 0..2 {
        let changed = BecomeCreator {
            bio: "new".into(),
            ..creator_as("ann")
        };
        assert_eq!(
            become_creator(&ctx, caller(&ann), changed).await.unwrap(),
            creator,
            "unchanged"
        );
        env.advance(Duration::from_secs(3_600));
    }
    assert_eq!(
        short(become_creator(&ctx, caller(&ann), creator_as("anna")).await),
        "ALREADY_CREATOR"
    );
    assert_eq!(
        short(become_creator(&ctx, caller(&bob), creator_as("ann")).await),
        "HANDLE_TAKEN"
    );
    assert_eq!(
        get_me(&ctx, caller(&ann)).await.unwrap().creator,
        Some(creator.clone())
    );

    let id = creator.creator_id.to_string();
    assert_eq!(
        get_creator(&ctx, Some(CreatorKey::Id(id))).await.unwrap(),
        creator
    );
    assert_eq!(
        get_creator(&ctx, Some(CreatorKey::Handle("ann".into())))
            .await
            .unwrap(),
        creator
    );
    let bobs_id = bob.profile.account.account_id.to_string();
    assert_eq!(
        short(get_creator(&ctx, Some(CreatorKey::Id(bobs_id))).await),
        "CREATOR_NOT_FOUND"
    );
    assert_eq!(
        short(get_creator(&ctx, Some(CreatorKey::Handle("bob".into()))).await),
        "CREATOR_NOT_FOUND"
    );
    for malformed in [
        None,
        Some(CreatorKey::Id("1".into())),
        Some(CreatorKey::Handle("ANN".into())),
    ] {
        assert_eq!(short(get_creator(&ctx, malformed).await), "INVALID");
    }
}

#[tokio::test]
async fn a_handle_that_its_claimant_did_not_use_is_free_again() {
    let (ctx, env) = context();
    let ann = signed_up(&ctx, "ann").await;
    let bob = signed_up(&ctx, "bob").await;
    // Two calls of Ann race with two handles: one becomes hers, the other is left claimed.
    let left = Handle::parse("left").unwrap();
    claims::take(&ctx, Name::Handle(&left), ann.profile.account.account_id)
        .await
        .unwrap();
    become_creator(&ctx, caller(&ann), creator_as("ann"))
        .await
        .unwrap();
    assert_eq!(
        short(get_creator(&ctx, Some(CreatorKey::Handle("left".into()))).await),
        "CREATOR_NOT_FOUND"
    );
    assert_eq!(
        short(become_creator(&ctx, caller(&bob), creator_as("left")).await),
        "UNAVAILABLE"
    );
    env.advance(Duration::from_secs(60));
    assert_eq!(
        short(become_creator(&ctx, caller(&bob), creator_as("left")).await),
        "OK"
    );
}

#[tokio::test]
async fn a_handle_goes_to_one_of_many() {
    for seed in 0..20 {
        let (ctx, _) = context_with(CROWDED, seed);
        let names: Vec<_> = (0..10).map(|i| format!("rival{i}")).collect();
        let rivals = join_all(names.iter().map(|name| signed_up(&ctx, name))).await;
        let races = rivals
            .iter()
            .map(|rival| become_creator(&ctx, caller(rival), creator_as("wanted")));
        let answers: Vec<_> = join_all(races).await.into_iter().map(short).collect();
        assert_eq!(
            answers.iter().filter(|answer| **answer == "OK").count(),
            1,
            "{answers:?}"
        );
    }
}
