//! Messages of payment providers. A message is a hint: it is verified, the provider is asked, the ledger is told, and only then is the
//! message noted as settled. So one that comes twice, late or out of order changes nothing.

use bytes::Bytes;
use http::HeaderMap;

use super::Context;
use crate::{
    jobs::payments::LookError,
    ledger::AttemptId,
    payments::{AttemptKey, WebhookError},
};

/// Why a message is not settled.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// There is no such provider here.
    #[error("unknown provider")]
    UnknownProvider,
    /// It is not to be believed.
    #[error(transparent)]
    Refused(#[from] WebhookError),
    /// It could not be settled now: send it again.
    #[error("{0}")]
    Later(String),
}

/// Settles a message of the provider `name`.
///
/// # Errors
/// If it is refused, or should come again.
pub async fn receive(
    ctx: &Context,
    name: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(), Unsettled> {
    let provider = ctx.payments.providers().get(name);
    let provider = provider.ok_or(Unsettled::UnknownProvider)?;
    let event = provider.verify_webhook(headers, body, ctx.env.now())?;
    let Some(key) = event.key else {
        return Ok(()); // nothing of ours
    };
    let later = |error: crate::store::StoreError| Unsettled::Later(error.to_string());
    let seen = ctx
        .store
        .get_payment_event(provider.name(), &event.event_id);
    if seen.await.map_err(later)?.is_some() {
        return Ok(());
    }
    match ctx.payments.look(attempt(key)).await {
        // Of a test system that shares the provider's account, say: there is nothing to settle.
        Ok(()) | Err(LookError::Unknown) => {}
        Err(LookError::Unavailable(cause)) => return Err(Unsettled::Later(cause)),
    }
    let now = ctx.env.now();
    let noted = ctx
        .store
        .put_payment_event(provider.name(), &event.event_id, now);
    noted.await.map_err(later)?;
    Ok(())
}

const fn attempt(key: AttemptKey) -> AttemptId {
    AttemptId {
        drop_id: key.drop_id,
        order_id: key.order_id,
        attempt: key.attempt,
    }
}
