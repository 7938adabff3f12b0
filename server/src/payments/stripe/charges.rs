//! Taking money: what is asked of Stripe in which order, so that an attempt charges once whatever gets lost on the way.
//!
//! A failed payment is left as it is. Only this server can confirm it (`api::create`), and [`confirm`] does so in one status only, which
//! no failed payment has.

use std::time::Duration;

use super::{
    api,
    client::{Answer, Client},
    fault::{Fault, Refused},
    intent::Intent,
};
use crate::{
    domain::Timestamp,
    payments::{AttemptKey, Charge, Payment, ProviderError},
};

/// Stripe forgets idempotency keys after 24 hours; an attempt older than this is looked up, never sent.
const KEY_LIFE: Duration = Duration::from_secs(23 * 60 * 60);

pub(super) async fn start(
    client: &Client,
    charge: &Charge,
    return_url: &str,
    now: Timestamp,
) -> Result<Payment, ProviderError> {
    if now.since(charge.started_at) > KEY_LIFE {
        let found = find(client, charge.key, None).await?;
        return found.map_or_else(|| rejected("attempt is too old"), Intent::payment);
    }
    let Some(amount) = super::amount::in_stripes_unit(charge.amount) else {
        return rejected("Stripe has no such amount");
    };
    let intent = match api::create(client, charge, amount, return_url).await {
        Ok(Answer {
            value,
            replayed: false,
        }) => value,
        Ok(Answer { value, .. }) => current(client, &value.id).await?,
        Err(fault) => after_refusal(client, charge.key, fault).await?,
    };
    proceed(client, intent).await?.payment()
}

/// A card error brings its payment. If the key was used before, and what came of that can't be told, the payment is looked for.
async fn after_refusal(
    client: &Client,
    key: AttemptKey,
    fault: Fault,
) -> Result<Intent, ProviderError> {
    let mut refused = match fault {
        Fault::Refused(refused) => refused,
        other @ (Fault::NotSent(_) | Fault::NoAnswer(_)) => return Err(other.of_write()),
    };
    if let Some(intent) = declined(&mut refused) {
        return if refused.replayed {
            current(client, &intent.id).await
        } else {
            Ok(intent)
        };
    }
    if refused.is_other_use_of_key() || (refused.replayed && refused.status >= 500) {
        let unknown = Fault::Refused(refused).of_write();
        let found = find(client, key, None).await.map_err(unsure)?;
        return found.ok_or(unknown);
    }
    Err(Fault::Refused(refused).of_write())
}

pub(super) async fn confirm(
    client: &Client,
    key: AttemptKey,
    reference: &str,
    return_url: &str,
) -> Result<Payment, ProviderError> {
    let Some(intent) = find(client, key, Some(reference)).await? else {
        return rejected("no such payment");
    };
    let intent = match intent.status.as_str() {
        "requires_confirmation" => {
            let confirmed = api::confirm(client, &intent.id, return_url).await;
            changed(client, &intent.id, confirmed).await?
        }
        _ => intent,
    };
    proceed(client, intent).await?.payment()
}

/// Automatic capture leaves nothing to capture; should an account be set up otherwise, the money is taken all the same.
async fn proceed(client: &Client, intent: Intent) -> Result<Intent, ProviderError> {
    if intent.status != "requires_capture" {
        return Ok(intent);
    }
    let captured = api::capture(client, &intent.id).await;
    changed(client, &intent.id, captured).await
}

pub(super) async fn cancel(
    client: &Client,
    key: AttemptKey,
    reference: Option<&str>,
) -> Result<Payment, ProviderError> {
    let intent = match find(client, key, reference).await? {
        Some(intent) => intent,
        // Perhaps it can't be found yet. Taking its idempotency key tells, and keeps a later start from charging.
        None => match api::occupy(client, key).await {
            Ok(answer) => answer.value,
            Err(Fault::Refused(refused)) if refused.is_other_use_of_key() => {
                let text = "payment has begun and can't be found yet";
                return Err(ProviderError::Unavailable(text.to_owned()));
            }
            Err(fault) => return Err(fault.of_write()),
        },
    };
    if ["succeeded", "canceled"].contains(&intent.status.as_str()) {
        return intent.payment();
    }
    let cancelled = api::cancel(client, &intent.id).await;
    changed(client, &intent.id, cancelled).await?.payment()
}

pub(super) async fn look_up(
    client: &Client,
    key: AttemptKey,
    reference: Option<&str>,
) -> Result<Option<Payment>, ProviderError> {
    let found = find(client, key, reference).await?;
    found.map(Intent::payment).transpose()
}

/// An attempt's payment as it is now. A reference of something else is not believed.
pub(super) async fn find(
    client: &Client,
    key: AttemptKey,
    reference: Option<&str>,
) -> Result<Option<Intent>, ProviderError> {
    if let Some(id) = reference.filter(|reference| is_id(reference)) {
        match api::retrieve(client, id).await {
            Ok(intent) if intent.is_of(key) => return Ok(Some(intent)),
            Ok(_) => {}
            Err(Fault::Refused(refused)) if refused.status == 404 => {}
            Err(fault) => return Err(fault.of_read()),
        }
    }
    let mut best = None;
    for id in api::search(client, key).await.map_err(Fault::of_read)? {
        let intent = api::retrieve(client, &id).await.map_err(Fault::of_read)?;
        if intent.status == "succeeded" || best.is_none() {
            best = Some(intent);
        }
    }
    Ok(best)
}

/// Where a payment stands after a change was asked for, which its status may not have allowed.
async fn changed(
    client: &Client,
    id: &str,
    answer: Result<Answer<Intent>, Fault>,
) -> Result<Intent, ProviderError> {
    match answer {
        Ok(answer) => Ok(answer.value),
        Err(Fault::Refused(mut refused)) => match declined(&mut refused) {
            Some(intent) => Ok(intent),
            None if refused.has_code("payment_intent_unexpected_state") => {
                current(client, id).await
            }
            None => Err(Fault::Refused(refused).of_write()),
        },
        Err(fault) => Err(fault.of_write()),
    }
}

/// The payment of a card error.
fn declined(refused: &mut Refused) -> Option<Intent> {
    let intent = (refused.status == 402).then(|| refused.error.payment_intent.take())?;
    intent.map(|intent| *intent)
}

/// After a request that may have taken money, not even a failed read is harmless.
async fn current(client: &Client, id: &str) -> Result<Intent, ProviderError> {
    let read = api::retrieve(client, id).await;
    read.map_err(|fault| unsure(fault.of_read()))
}

fn unsure(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Rejected(text)
        | ProviderError::Unavailable(text)
        | ProviderError::Unknown(text) => ProviderError::Unknown(text),
    }
}

fn rejected(why: &str) -> Result<Payment, ProviderError> {
    Err(ProviderError::Rejected(why.to_owned()))
}

/// It goes into a URL's path.
fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.starts_with("pi_") && text.len() <= 255 && text.bytes().all(fits)
}
