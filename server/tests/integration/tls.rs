//! The SDK over TLS.

use std::path::PathBuf;

use livedrop::{Certificate, Client, ClientTlsConfig, Code, RetryPolicy};

use crate::harness::{Server, sign_up_request};

fn harness(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "harness", file]
        .iter()
        .collect()
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_and_name() {
    let server = Server::start_with(|config| {
        config.server.tls_cert = Some(harness("localhost.crt"));
        config.server.tls_key = Some(harness("localhost.key"));
    })
    .await;
    let (_, port) = server.endpoint().rsplit_once(':').map(own).unwrap();
    let endpoint = format!("https://127.0.0.1:{port}");
    let authority = Certificate::from_pem(include_str!("../harness/localhost.crt"));
    let tls = || ClientTlsConfig::new().domain_name("localhost");
    let client = |tls| {
        let builder = Client::builder(&endpoint).tls(tls);
        builder.retry(RetryPolicy::never()).build().unwrap()
    };
    let trusting = client(tls().ca_certificate(authority.clone()));
    trusting.sign_up(sign_up_request()).await.unwrap();
    trusting.get_me().await.unwrap();

    let elsewhere = ClientTlsConfig::new().domain_name("elsewhere.example");
    for distrusting in [
        client(tls().with_webpki_roots()),
        client(elsewhere.ca_certificate(authority)),
        Client::builder(format!("http://127.0.0.1:{port}"))
            .retry(RetryPolicy::never())
            .build()
            .unwrap(),
    ] {
        let error = distrusting.sign_up(sign_up_request()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error}");
    }
    server.stop().await;
}

fn own((host, port): (&str, &str)) -> (String, String) {
    (host.to_owned(), port.to_owned())
}
