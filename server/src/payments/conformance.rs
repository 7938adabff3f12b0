//! What every payment provider must do: one suite, run against each. A property is a public async function over a [`Scene`], which brings
//! the provider to what the property is about; a change of the trait comes with one.
//!
//! Properties use ids of their own, so they may share a provider that has been used before.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests, in the library only so that the integration tests can run them too"
)]

pub mod buyers;
pub mod cancels;
pub mod outcomes;
pub mod refunds;
pub mod scene;
pub mod starts;
pub mod webhooks;

pub use scene::{Behaviour, Scene, Taken};

/// Makes a test of each property. `$make` is an expression that makes a future of a [`Scene`], which is kept alive meanwhile.
#[macro_export]
macro_rules! payments_conformance {
    ($make:expr) => {
        $crate::payments_conformance! { @tests $make;
            starts::amounts_and_currencies_arrive,
            starts::a_key_charges_once,
            starts::racing_starts_charge_once,
            starts::a_reopened_provider_charges_once,
            starts::another_amount_under_a_key_is_not_charged,
            starts::attempts_are_apart,
            starts::the_unknown_is_not_found,
            outcomes::failures_say_why_and_stay,
            outcomes::pending_is_captured_later,
            outcomes::a_lost_answer_is_found_by_asking,
            outcomes::a_failure_may_capture_late,
            buyers::approved_is_captured_when_confirmed,
            buyers::nothing_is_captured_before_approval,
            buyers::declined_is_failed,
            buyers::a_reopened_provider_goes_on,
            cancels::pending_is_never_captured,
            cancels::waiting_for_the_buyer_is_never_captured,
            cancels::approved_is_never_captured,
            cancels::a_late_capture_is_prevented,
            cancels::captured_stays_captured,
            cancels::failed_stays_failed,
            cancels::the_never_seen_is_not_charged_later,
            refunds::money_goes_back_once,
            refunds::racing_refunds_give_back_once,
            refunds::a_reopened_provider_gives_back_once,
            refunds::a_failed_refund_works_later,
            refunds::what_was_not_captured_is_not_refunded,
            webhooks::a_message_names_its_attempt,
            webhooks::stale_is_refused,
            webhooks::tampered_is_refused,
            webhooks::unsigned_is_refused,
        }
    };
    (@tests $make:expr; $($module:ident::$property:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $property() {
            let scene = $make.await;
            $crate::payments::conformance::$module::$property(&scene).await;
        }
    )*};
}
