//! What connections may do, seen by bare sockets.

use super::*;

/// Everything is slow to end, so that a test sees only the limit it sets.
fn patient() -> Limits {
    let long = Duration::from_secs(60);
    Limits {
        first_bytes: long,
        header_read: long,
        ping: long,
        unread: long,
        ..Limits::strict()
    }
}

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let running = start(Limits {
        first_bytes: SOON,
        ..patient()
    })
    .await;
    for bytes in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n"] {
        assert_eq!(running.raw(bytes).await, "");
    }
}

#[tokio::test]
async fn an_unfinished_request_is_closed() {
    let running = start(Limits {
        header_read: SOON,
        ..patient()
    })
    .await;
    let answer = running.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_silent_http2_client_is_closed() {
    let running = start(Limits {
        ping: SOON,
        ..patient()
    })
    .await;
    running
        .raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let running = start(patient()).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\xfc\x03\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxx",
    ] {
        let answer = running.raw(bytes).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    running
        .orders()
        .await
        .place_order(order("x"))
        .await
        .unwrap();
}

#[tokio::test]
async fn connections_are_capped_and_places_come_back() {
    let running = start(Limits {
        connections_per_network: 2,
        ..patient()
    })
    .await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    first.read_u8().await.unwrap();
    let second = running.orders().await;
    assert_eq!(running.raw(b"").await, "", "the third is closed at once");
    drop(first);
    // The place is free once the server has seen the end.
    while running.http1("GET /healthz", &[], b"").await.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(second);
}

#[tokio::test]
async fn a_connection_has_an_age() {
    let running = start(Limits {
        connection_age: SOON,
        ..patient()
    })
    .await;
    let answer = running
        .raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert!(answer.ends_with("alive"), "{answer}");
}

/// A HEADERS frame with literal fields, and an empty message.
fn http2_call(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        for text in [name, value] {
            if text == name {
                block.push(0);
            }
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut frames = vec![0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1];
    frames.extend_from_slice(&block);
    frames.extend_from_slice(&[0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    frames
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let call = http2_call("/grpc.health.v1.Health/Check");
    // SETTINGS: INITIAL_WINDOW_SIZE = 0, so that no message can be sent.
    let closed_window = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    let running = start(Limits {
        unread: SOON,
        ..patient()
    })
    .await;
    running.raw(&[&closed_window[..], &call].concat()).await;
    // One that reads is not closed by it, however little it asks.
    let open_window = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream
        .write_all(&[&open_window[..], &call].concat())
        .await
        .unwrap();
    let mut read = Vec::new();
    let reading = tokio::time::timeout(SOON * 6, stream.read_to_end(&mut read));
    assert!(reading.await.is_err(), "closed");
    assert!(!read.is_empty());
}

#[tokio::test]
async fn a_drain_lets_calls_finish() {
    let mut running = start(patient()).await;
    let mut orders = running.orders().await;
    let call = tokio::spawn(async move { orders.place_order(order("wait")).await });
    running.seen.arrived.notified().await;
    running.stop.cancel();
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.ended.is_finished());
    running.seen.go_on.notify_one();
    call.await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(5), &mut running.ended)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_drain_is_bounded() {
    let mut running = start(Limits {
        drain: SOON,
        ..patient()
    })
    .await;
    let mut orders = running.orders().await;
    let call = tokio::spawn(async move { orders.place_order(order("wait")).await });
    running.seen.arrived.notified().await;
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), &mut running.ended)
        .await
        .unwrap()
        .unwrap();
    call.await.unwrap().unwrap_err();
}

/// A certificate for `localhost`, good for a hundred years, and its key, which protects nothing.
const CERTIFICATE: &str = include_str!("../../../tests/harness/localhost.crt");
const KEY: &str = include_str!("../../../tests/harness/localhost.key");

#[tokio::test]
async fn tls_is_served_and_an_unfinished_handshake_is_closed() {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    let tls = serve::tls_config(CERTIFICATE.as_bytes(), KEY.as_bytes()).unwrap();
    let limits = Limits {
        tls_handshake: SOON * 4,
        ..patient()
    };
    let running = start_with(limits, Some(tls)).await;
    assert_eq!(running.raw(b"").await, "", "no handshake");

    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("localhost").unwrap();
    let tcp = TcpStream::connect(running.address).await.unwrap();
    let mut stream = connector.connect(name, tcp).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    // The protocol is told by the first bytes, whatever was agreed on.
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.ends_with("alive"), "{answer}");
    serve::tls_config(CERTIFICATE.as_bytes(), b"no key").unwrap_err();
}
