//! What is written about calls, and what never is.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use tonic_types::StatusExt as _;

use super::*;

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_bug_is_logged_once_with_the_ids_to_find_it_by() {
    let lines = Lines::default();
    let writer = lines.clone();
    let logs = tracing_subscriber::fmt()
        .json()
        .with_env_filter("livedrop_server=debug")
        .with_writer(move || writer.clone());
    // A subscriber that is the only one is asked for by the thread that comes by a line first: another test's, which has none, and the line
    // is off for good.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    // All tasks of this test run on its thread.
    let _guard = tracing::subscriber::set_default(logs.finish());
    let running = start(Limits::strict()).await;
    let mut request = order("panic");
    request
        .metadata_mut()
        .insert("x-correlation-id", "find-me".parse().unwrap());
    let status = running
        .orders()
        .await
        .place_order(request)
        .await
        .unwrap_err();
    let error_id = &status.get_details_error_info().unwrap().metadata["errorId"];

    let written = String::from_utf8(lines.0.lock().clone()).unwrap();
    let of_error: Vec<&str> = written
        .lines()
        .filter(|line| line.contains(error_id))
        .collect();
    assert_eq!(of_error.len(), 1, "{written}");
    for part in [
        "ERROR",
        "find-me",
        "livedrop.v1.OrderService/PlaceOrder",
        "the secret of ann",
    ] {
        assert!(of_error[0].contains(part), "{part} in {}", of_error[0]);
    }
    let access: Vec<&str> = written
        .lines()
        .filter(|line| line.contains("call failed"))
        .collect();
    assert_eq!(access.len(), 1, "{written}");
    assert!(
        access[0].contains("\"code\":\"INTERNAL\"")
            && access[0].contains("find-me")
            && access[0].contains(&BUYER.to_string()),
        "{written}"
    );
    assert!(
        !written.contains("Bearer") && !written.contains("good"),
        "{written}"
    );
}
