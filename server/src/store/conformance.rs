//! What every backend must do: one suite, run against each. A property is a public async function over a store; a change of a storage trait
//! comes with one.
//!
//! Properties use ids of their own, so they may share a keyspace that has been used before.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these are tests, in the library only so that the integration tests can run them too"
)]

pub mod audit;
pub mod claims;
pub mod drop_lists;
pub mod drop_times;
pub mod follows;
pub mod jobs;
pub mod ledgers;
pub mod open_ledgers;
pub mod order_rows;
pub mod outbox;
pub mod payments;
pub mod processes;
pub mod products;
pub mod projections;
pub mod reopening;
pub mod requests;
pub mod rows;
pub mod search;
pub mod truth;

pub(in crate::store) mod pages;
pub(crate) mod samples;

/// Makes a test of each property. `$make` is an expression that makes a future of a store and something to keep alive meanwhile.
/// What is not here is [`reopening::everything_survives`], which needs to know how to reopen, and
/// [`projections::truncating_empties_derived_rows_only`], which needs a store of its own.
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
            rows::creators_change_by_version,
            rows::sessions_are_put_if_absent,
            rows::sessions_change_by_version,
            rows::ended_accounts_are_listed_by_hour,
            rows::racing_updates_have_one_winner,
            claims::emails_are_claimed_and_taken_over,
            claims::handles_are_claimed_and_taken_over,
            claims::emails_are_released_by_their_claim_only,
            claims::emails_and_handles_are_apart,
            claims::racing_claims_have_one_winner,
            requests::a_request_is_claimed_once,
            requests::caller_method_and_id_make_the_key,
            drop_times::pages_go_both_ways,
            drop_times::partitions_are_apart,
            drop_times::the_latest_write_stays,
            drop_lists::creator_drops_page_both_ways,
            drop_lists::creators_drops_are_apart,
            drop_lists::a_scan_has_every_drop_once,
            products::products_are_put_if_absent,
            products::products_come_back_as_put,
            products::products_change_by_version,
            products::creator_products_page_both_ways,
            products::creators_products_are_apart,
            follows::edges_change_by_version,
            follows::racing_edges_have_one_winner,
            follows::edges_are_read_in_the_order_asked,
            follows::the_latest_version_stays_listed,
            follows::follow_rows_page_both_ways,
            follows::follow_lists_are_apart,
            follows::follow_buckets_change_by_version,
            order_rows::orders_come_back_as_put,
            order_rows::the_greatest_place_stays,
            order_rows::slices_of_orders_are_bounded,
            order_rows::buyer_orders_page_both_ways,
            order_rows::buyers_and_months_are_apart,
            order_rows::drop_orders_page_both_ways,
            order_rows::drops_and_segments_are_apart,
            projections::the_last_checkpoint_stays,
            projections::the_newest_status_stays,
            projections::statuses_come_back_as_put,
            payments::attempts_are_put_if_absent,
            payments::racing_attempts_have_one_winner,
            payments::events_are_settled_once,
            outbox::intents_page_both_ways,
            outbox::shards_and_hours_are_apart,
            outbox::intents_are_removed,
            search::changes_page_both_ways,
            outbox::the_greatest_version_stays_announced,
            jobs::jobs_change_by_version,
            jobs::jobs_are_apart,
            jobs::racing_jobs_have_one_winner,
            audit::entries_are_listed_oldest_first,
            audit::the_audit_list_is_bounded,
            truth::a_scan_has_every_row_once,
            truth::the_truth_is_put_if_absent,
            truth::what_was_put_is_as_if_written,
            truth::racing_puts_of_equal_rows_all_succeed,
            processes::processes_are_known_until_they_leave,
            processes::a_silent_process_is_dead,
            processes::clocks_go_on,
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
