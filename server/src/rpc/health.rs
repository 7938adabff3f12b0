//! Whether this process can serve: one handle that `/readyz` and `grpc.health.v1` both read.

use std::{borrow::Cow, sync::Arc};

use tokio::sync::watch;
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};

use super::policy::{Kind, METHODS};

/// Ready, or why not. Starts as "starting"; clones share it.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: Arc<watch::Sender<Option<Cow<'static, str>>>>,
}

impl Default for Readiness {
    fn default() -> Self {
        let (state, _) = watch::channel(Some(Cow::Borrowed("starting")));
        Self {
            state: Arc::new(state),
        }
    }
}

impl Readiness {
    /// Calls may come.
    pub fn set_ready(&self) {
        self.state.send_replace(None);
    }

    /// Calls had better go elsewhere, because of `reason`. It is shown to anyone who asks.
    pub fn set_not_ready(&self, reason: impl Into<Cow<'static, str>>) {
        self.state.send_replace(Some(reason.into()));
    }

    /// Why not; `None` is ready.
    #[must_use]
    pub fn reason(&self) -> Option<Cow<'static, str>> {
        self.state.borrow().clone()
    }
}

/// The health service, NOT_SERVING until `readiness` says else, and a task that keeps the two the same. The task ends with the handle.
pub(super) async fn service(
    readiness: &Readiness,
) -> (
    HealthServer<HealthService>,
    impl Future<Output = ()> + Send + 'static,
) {
    // A new reporter says SERVING for the empty name, so it is corrected before anyone can ask.
    let reporter = HealthReporter::new();
    let mut changes = readiness.state.subscribe();
    report(&reporter, changes.borrow_and_update().is_none()).await;
    let service = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    let follow = async move {
        while changes.changed().await.is_ok() {
            let ready = changes.borrow_and_update().is_none();
            report(&reporter, ready).await;
        }
    };
    (service, follow)
}

async fn report(reporter: &HealthReporter, ready: bool) {
    let status = if ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for name in services() {
        reporter.set_service_status(name, status).await;
    }
}

/// The empty name, which stands for the whole server, and each business service.
fn services() -> impl Iterator<Item = &'static str> {
    let business = METHODS
        .iter()
        .filter(|method| method.kind != Kind::Infrastructure);
    let mut names: Vec<&str> = business
        .filter_map(|method| method.name().split('/').next())
        .collect();
    names.dedup();
    std::iter::once("").chain(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_health() {
        let names: Vec<&str> = services().collect();
        assert_eq!(names.first(), Some(&""));
        assert!(names.contains(&"livedrop.v1.OrderService"), "{names:?}");
        assert!(
            names.iter().all(|name| !name.starts_with("grpc.")),
            "{names:?}"
        );
        let mut unique = names.clone();
        unique.dedup();
        assert_eq!(unique, names);
    }
}
