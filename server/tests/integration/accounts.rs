//! Signing up, in and out; profiles.

use livedrop::{Code, v1};

use crate::harness::{Server, profile_request, reason, request_id, sign_up_request};

#[tokio::test]
async fn sign_up_sign_in_and_out() {
    let server = Server::start().await;
    let client = server.stranger();
    let request = sign_up_request();
    let account = client
        .sign_up(request.clone())
        .await
        .unwrap()
        .account
        .unwrap();
    let me = client.get_me().await.unwrap().account.unwrap();
    assert_eq!(
        (&me.account_id, &me.email),
        (&account.account_id, &request.email)
    );

    let elsewhere = server.stranger();
    let email = request.email.to_uppercase();
    let sign_in = v1::SignInRequest {
        email,
        password: request.password.clone(),
    };
    elsewhere.sign_in(sign_in).await.unwrap();
    let old = elsewhere.tokens().unwrap();
    elsewhere.refresh_token().await.unwrap();
    assert_ne!(elsewhere.tokens().unwrap().refresh_token, old.refresh_token);

    let tokens = elsewhere.tokens().unwrap();
    elsewhere.sign_out().await.unwrap();
    let again = server.stranger().with_tokens(tokens);
    assert_eq!(
        again.refresh_token().await.unwrap_err().code(),
        Code::Unauthenticated
    );
    assert!(client.refresh_token().await.is_ok(), "other sessions go on");
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_sign_up_is_one_account() {
    let server = Server::start().await;
    let request = sign_up_request();
    let first = server
        .stranger()
        .sign_up(request.clone())
        .await
        .unwrap()
        .account
        .unwrap();
    let again = server
        .stranger()
        .sign_up(request.clone())
        .await
        .unwrap()
        .account
        .unwrap();
    assert_eq!(first.account_id, again.account_id);

    let renamed = v1::SignUpRequest {
        display_name: "Another".into(),
        ..request.clone()
    };
    assert_eq!(
        reason(server.stranger().sign_up(renamed).await),
        "REQUEST_ID_REUSED"
    );
    let taken = v1::SignUpRequest {
        request_id: request_id(),
        ..request.clone()
    };
    assert_eq!(
        reason(server.stranger().sign_up(taken.clone()).await),
        "EMAIL_TAKEN"
    );
    let corrected = v1::SignUpRequest {
        email: sign_up_request().email,
        ..taken
    };
    assert!(
        server.stranger().sign_up(corrected).await.is_ok(),
        "a refused first try is not remembered"
    );
    let guessed = v1::SignUpRequest {
        password: "wrong horse".into(),
        ..request
    };
    assert_eq!(
        reason(server.stranger().sign_up(guessed).await),
        "UNAUTHENTICATED"
    );
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_look_alike() {
    let server = Server::start().await;
    let known = sign_up_request();
    server.stranger().sign_up(known.clone()).await.unwrap();
    let mut answers = Vec::new();
    for email in [known.email, "nobody@example.com".into()] {
        let request = v1::SignInRequest {
            email,
            password: "wrong horse".into(),
        };
        let error = server.stranger().sign_in(request).await.unwrap_err();
        answers.push((
            error.code(),
            error.message().to_owned(),
            error.reason_text().map(str::to_owned),
        ));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, Code::Unauthenticated);
}

#[tokio::test]
async fn a_reused_refresh_token_ends_the_family() {
    let server = Server::start().await;
    let thief = server
        .stranger()
        .with_tokens(server.person().await.tokens().unwrap());
    let owner = server.stranger().with_tokens(thief.tokens().unwrap());
    owner.refresh_token().await.unwrap();
    owner.refresh_token().await.unwrap();
    // Two generations old: not a lost answer.
    assert_eq!(
        thief.refresh_token().await.unwrap_err().code(),
        Code::Unauthenticated
    );
    assert_eq!(
        owner.refresh_token().await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn creators_have_handles() {
    let server = Server::start().await;
    let person = server.person().await;
    let profile = profile_request();
    let creator = person
        .become_creator(profile.clone())
        .await
        .unwrap()
        .creator
        .unwrap();
    let again = person
        .become_creator(profile.clone())
        .await
        .unwrap()
        .creator
        .unwrap();
    assert_eq!(creator, again);
    assert_eq!(
        person.get_me().await.unwrap().account.unwrap().creator,
        Some(creator.clone())
    );

    for by in [
        v1::get_creator_request::Key::Handle(profile.handle.clone()),
        v1::get_creator_request::Key::CreatorId(creator.creator_id.clone()),
    ] {
        let found = server
            .stranger()
            .get_creator(v1::GetCreatorRequest { key: Some(by) })
            .await
            .unwrap();
        assert_eq!(found.creator.unwrap(), creator);
    }
    let unknown = v1::get_creator_request::Key::Handle("nobody_here".into());
    let request = v1::GetCreatorRequest { key: Some(unknown) };
    assert_eq!(
        reason(server.stranger().get_creator(request).await),
        "CREATOR_NOT_FOUND"
    );

    assert_eq!(
        reason(server.person().await.become_creator(profile).await),
        "HANDLE_TAKEN"
    );
    assert_eq!(
        reason(person.become_creator(profile_request()).await),
        "ALREADY_CREATOR"
    );
}
