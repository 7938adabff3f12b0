//! What every backend must do: one suite, run against each. A property is a public async function over a store; a change of a storage trait
//! comes with one.
//!
//! Properties use ids of their own, so they may share a keyspace that has been used before.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests, in the library only so that the integration tests can run them too"
)]

pub mod claims;
pub mod drop_times;
pub mod ledgers;
pub mod open_ledgers;
pub mod reopening;
pub mod requests;
pub mod rows;

pub(in crate::store) mod samples;

/// Makes a test of each property. `$make` is an expression that makes a future of a store and something to keep alive meanwhile.
/// What is not here is [`reopening::everything_survives`], which needs to know how to reopen.
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance! { @tests $make;
            ledgers::appends_are_put_if_absent,
            ledgers::records_come_back_byte_for_byte,
            ledgers::racing_appends_have_one_winner,
            ledgers::reading_crosses_segments,
            ledgers::a_gap_is_an_error,
            ledgers::pages_keep_their_limit,
            open_ledgers::notes_are_listed_by_shard,
            rows::drops_are_put_if_absent,
            rows::drops_change_by_version,
            rows::accounts_are_put_if_absent,
            rows::accounts_change_by_version,
            rows::creators_are_put_if_absent,
            rows::sessions_are_put_if_absent,
            rows::sessions_change_by_version,
            rows::racing_updates_have_one_winner,
            claims::emails_are_claimed_and_taken_over,
            claims::handles_are_claimed_and_taken_over,
            claims::emails_and_handles_are_apart,
            claims::racing_claims_have_one_winner,
            requests::a_request_is_claimed_once,
            requests::caller_method_and_id_make_the_key,
            drop_times::pages_go_both_ways,
            drop_times::partitions_are_apart,
            drop_times::the_latest_write_stays,
        }
    };
    (@tests $make:expr; $($module:ident::$property:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $property() {
            let (store, _keep) = $make.await;
            $crate::store::conformance::$module::$property(&store).await;
        }
    )*};
}
