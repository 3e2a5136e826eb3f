//! The published suite that every [`SessionStore`](crate::store::SessionStore) must pass.
//!
//! Each check has a name that states a property of the [contract](crate::store::SessionStore), begins with
//! an empty store, and is run for real: with up to 16 tasks at once, on two nodes where the author of the
//! store provides a second one, and over a restart of the engine where they provide that.
//!
//! # Examples
//!
//! ```
//! use std::time::SystemTime;
//! use tower_session_guard::{MemoryStore, testing::store_contract::StoreContract};
//!
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! let now = SystemTime::now().into();
//! let report = StoreContract::new(now, || async { MemoryStore::new() }).run().await;
//! report.assert_held();
//! # });
//! ```
//!
//! A store on a server is made with a namespace of its own each time. It has a second node and a restart:
//!
//! ```no_run
//! use tower_session_guard::testing::store_contract::{StoreContract, StoreUnderTest};
//! # use tower_session_guard::{MemoryStore, Timestamp};
//! # async fn connect(namespace: &str) -> MemoryStore { MemoryStore::new() }
//! # async fn restart_the_server() {}
//! # fn fresh_namespace() -> String { String::new() }
//! # async fn run(now: Timestamp) {
//! let make = || async {
//!     let namespace = fresh_namespace();
//!     StoreUnderTest::new(connect(&namespace).await)
//!         .with_second_node(connect(&namespace).await)
//!         .with_restart(restart_the_server)
//! };
//! StoreContract::new(now, make).run().await.assert_held();
//! # }
//! ```
//!
//! A store that answers from copies of its node says how old they may be, which adds the checks of copies:
//!
//! ```no_run
//! use std::time::Duration;
//! use tower_session_guard::{store::Lease, testing::store_contract::{StoreContract, StoreUnderTest}};
//! # use tower_session_guard::{MemoryStore, Timestamp, testing::store_contract::Path};
//! # async fn cached(lease: Lease) -> MemoryStore { MemoryStore::new() }
//! # async fn disturb_the_second_node(path: Path) {}
//! # async fn run(now: Timestamp) -> Result<(), tower_session_guard::ConfigError> {
//! let lease = Lease::exact(Duration::from_millis(250))?;
//! let make = || async {
//!     StoreUnderTest::new(cached(lease).await)
//!         .with_second_node(cached(lease).await)
//!         .with_path(disturb_the_second_node)
//! };
//! let contract = StoreContract::new(now, make).with_freshness(lease.into());
//! contract.run().await.assert_held();
//! # Ok(())
//! # }
//! ```

mod context;
mod copies;
mod creation;
mod cutoffs;
mod data;
mod expiry;
mod freshness;
mod index;
mod nodes;
mod races;
mod removal;
mod replacement;
mod report;
mod revocation;
mod subjects;
mod under_test;
mod volume;

use std::{fmt, pin::Pin, time::Instant};

use self::context::{Clock, Context, Failure};
pub use self::{
    freshness::{Freshness, Path},
    report::{CheckReport, CheckResult, ContractReport},
    under_test::StoreUnderTest,
};
use crate::session::time::Timestamp;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The suite, ready to be run against stores that a closure makes.
#[must_use]
pub struct StoreContract<M> {
    make: M,
    clock: Clock,
    freshness: Freshness,
}

struct Check {
    name: &'static str,
    run: fn(Context) -> Boxed<Result<(), Failure>>,
}

macro_rules! checks {
    ($($module:ident: $($check:ident),+;)+) => {
        &[$($(Check {
            name: stringify!($check),
            run: |context| Box::pin($module::$check(context)),
        }),+),+]
    };
}

const CHECKS: &[Check] = checks! {
    creation:
        a_created_record_comes_back_whole,
        an_unknown_id_is_nothing_and_stays_nothing,
        create_never_overwrites,
        a_refused_create_leaves_the_index_alone,
        a_future_that_is_never_polled_does_nothing;
    replacement:
        replace_writes_over_the_revision_it_was_given,
        a_stale_revision_conflicts,
        replace_of_nothing_creates_nothing,
        replace_of_a_removed_record_is_gone,
        every_write_has_a_revision_of_its_own,
        a_device_goes_through_every_write;
    removal:
        a_removed_record_is_gone_at_once,
        a_removal_touches_nothing_else,
        live_records_counts_the_live_ones;
    expiry:
        an_expired_record_is_invisible,
        an_expired_record_is_not_replaced,
        an_expired_record_is_not_listed,
        an_expired_id_never_shows_its_old_record,
        a_later_expiry_holds,
        an_earlier_expiry_holds,
        a_record_that_is_over_ends_its_session,
        a_session_in_use_outlives_its_first_expiry,
        a_far_expiry_is_kept,
        reading_with_a_fast_clock_destroys_nothing,
        nodes_with_skewed_clocks_share_sessions;
    races:
        one_of_16_creations_wins,
        one_of_16_rotations_wins,
        one_of_16_removals_removes,
        none_of_16_parallel_writes_is_lost,
        a_write_never_revives_a_removed_session,
        the_index_is_exact_after_parallel_logins_and_logouts;
    subjects:
        a_subjects_live_sessions_are_listed,
        the_list_follows_replaced_records,
        subjects_with_odd_names_stay_apart,
        a_subject_of_many_sessions_is_listed_whole;
    index:
        audiences_with_the_same_subject_stay_apart,
        a_record_is_listed_and_ended_under_each_of_its_owners,
        a_tag_ends_the_sessions_that_named_it,
        a_record_never_changes_its_owners_or_tags,
        create_counts_the_owners_sessions,
        a_removal_under_a_key_is_of_that_keys_sessions,
        pages_of_one_entry_reach_the_end,
        a_record_of_a_later_release_is_listed_counted_and_ended;
    cutoffs:
        a_cutoff_comes_back_on_every_node,
        a_cutoff_never_falls,
        a_cutoff_outlives_every_token,
        none_of_16_parallel_cutoffs_is_lost;
    volume:
        many_sessions_of_one_owner_are_listed_and_ended_in_linear_time,
        others_are_served_while_many_sessions_end;
    revocation:
        remove_all_of_ends_every_session_of_the_subject,
        remove_all_of_spares_its_exception,
        a_foreign_exception_spares_nothing,
        remove_all_of_ends_all_while_logins_run,
        remove_all_of_ends_sessions_that_are_being_written,
        a_revoked_subject_can_log_in_again;
    data:
        empty_data_comes_back,
        large_data_comes_back,
        any_bytes_come_back,
        ids_of_any_bytes_are_kept_apart;
    nodes:
        two_nodes_see_each_other_at_once,
        a_revocation_holds_on_every_node,
        parallel_rotations_on_two_nodes_have_one_winner,
        the_store_works_again_after_a_restart,
        a_restart_revives_nothing;
};

/// Of stores that answer from copies of their own, besides.
const CHECKS_OF_COPIES: &[Check] = checks! {
    copies:
        a_node_sees_its_own_writes_at_once,
        load_is_never_answered_from_a_copy,
        data_reaches_another_node_in_time,
        an_ending_holds_on_another_node_in_time,
        what_is_read_while_it_changes_is_not_kept,
        all_that_ended_while_logins_ran_has_ended_on_every_node,
        a_node_that_hears_nothing_admits_nothing_that_ended,
        a_node_that_connects_again_admits_nothing_that_ended,
        a_node_that_hears_late_admits_nothing_that_ended;
};

/// The names of all checks, in the order in which they run. The last nine are of copies: they run where the
/// [freshness](Freshness) is not immediate.
pub fn check_names() -> impl Iterator<Item = &'static str> {
    let checks = CHECKS.iter().chain(CHECKS_OF_COPIES);
    checks.map(|check| check.name)
}

impl<M, F> StoreContract<M>
where
    M: Fn() -> F,
    F: Future,
    F::Output: Into<StoreUnderTest>,
{
    /// The suite for the stores that `make` makes: each one empty, also of what an earlier one wrote.
    ///
    /// `now` is the time at which the suite begins; from there it follows the machine's steady clock. An
    /// engine that drops expired records by a clock of its own needs the real time here.
    pub fn new(now: Timestamp, make: M) -> Self {
        Self {
            make,
            clock: Clock::new(now, Instant::now()),
            freshness: Freshness::Immediate,
        }
    }

    /// Sets how old what another node wrote may be, for stores that answer from copies of their own, and adds the
    /// checks of copies. It is [`Freshness::Immediate`] otherwise.
    pub const fn with_freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// Runs every check, one after the other, and reports on each.
    ///
    /// It needs a Tokio runtime; races are real only on one with several threads. A store that panics
    /// fails the check; one that never answers holds up the suite.
    pub async fn run(self) -> ContractReport {
        self.run_where(|_| true).await
    }

    /// Runs the checks whose names pass `wanted`.
    pub async fn run_where(self, wanted: impl Fn(&str) -> bool) -> ContractReport {
        let mut checks = Vec::new();
        let of_copies = match self.freshness {
            Freshness::Immediate => &[],
            Freshness::Exact(_) | Freshness::Bounded(_) => CHECKS_OF_COPIES,
        };
        let all = CHECKS.iter().chain(of_copies);
        for check in all.filter(|check| wanted(check.name)) {
            let store = (self.make)().await.into();
            let context = Context::new(store, self.clock, self.freshness);
            let result = match tokio::spawn((check.run)(context)).await {
                Ok(Ok(())) => CheckResult::Held,
                Ok(Err(Failure::Skipped(why))) => CheckResult::Skipped(why),
                Ok(Err(Failure::Broken(what))) => CheckResult::Broken(what),
                Err(_) => CheckResult::Broken("the store panicked".to_owned()),
            };
            checks.push(CheckReport::new(check.name, result));
        }
        ContractReport::new(checks)
    }
}

impl<M> fmt::Debug for StoreContract<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreContract").finish_non_exhaustive()
    }
}
