//! The store contract, held against the stores of this crate (R14, R16, R65, R66, R70, A24, A25, A29,
//! A35, S01, S02, S05, S12, S13, S21), and against stores with one flaw each.

#![cfg(feature = "testing")]

mod flawed;

use std::time::{Duration, SystemTime};

use tower_session_guard::{
    MemoryStore,
    testing::store_contract::{CheckResult, Freshness, StoreContract, StoreUnderTest, check_names},
};

use self::flawed::{Cached, CopyFlaw, Flaw, Flawed};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_in_memory_holds_the_contract() {
    let make = || async {
        let store = MemoryStore::new();
        StoreUnderTest::new(store.clone()).with_second_node(store)
    };
    let now = SystemTime::now().into();
    let report = StoreContract::new(now, make).run().await;
    println!("memory: {report}");
    report.assert_held();
    assert_eq!(report.skipped(), 2, "{report}");
}

fn under_test(flaw: Flaw) -> StoreUnderTest {
    let store = Flawed::new(flaw);
    let engine = store.clone();
    let volume = match flaw {
        Flaw::EndingWalksTheIndex => 8_000,
        Flaw::EndingHoldsTheEngine => 100,
        _ => 1_000,
    };
    StoreUnderTest::new(store.clone())
        .with_volume(volume)
        .with_second_node(store.second_node())
        .with_restart(move || {
            engine.restart();
            async {}
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_without_a_flaw_holds_the_contract() {
    let make = || async { under_test(Flaw::Nothing) };
    let now = SystemTime::now().into();
    let report = StoreContract::new(now, make).run().await;
    report.assert_held();
    assert_eq!(report.skipped(), 0, "{report}");
}

/// Each flaw and a check that is there to find it.
const FOUND_BY: &[(Flaw, &str)] = &[
    (
        Flaw::LoadCreates,
        "an_unknown_id_is_nothing_and_stays_nothing",
    ),
    (Flaw::LosesLabels, "a_created_record_comes_back_whole"),
    (Flaw::CreateOverwrites, "create_never_overwrites"),
    (Flaw::CreateRaces, "one_of_16_creations_wins"),
    (
        Flaw::RefusedCreateUnindexes,
        "a_refused_create_leaves_the_index_alone",
    ),
    (
        Flaw::RefusedCreateIndexes,
        "a_refused_create_leaves_the_index_alone",
    ),
    (
        Flaw::WorksBeforeItIsPolled,
        "a_future_that_is_never_polled_does_nothing",
    ),
    (Flaw::ReplaceIgnoresRevision, "a_stale_revision_conflicts"),
    (
        Flaw::ReplaceWritesNothing,
        "replace_writes_over_the_revision_it_was_given",
    ),
    (Flaw::ReplaceUpserts, "replace_of_nothing_creates_nothing"),
    (Flaw::ReplaceUpserts, "replace_of_a_removed_record_is_gone"),
    (Flaw::ReplaceRaces, "one_of_16_rotations_wins"),
    (Flaw::ReplaceRaces, "none_of_16_parallel_writes_is_lost"),
    (
        Flaw::ReplaceRaces,
        "parallel_rotations_on_two_nodes_have_one_winner",
    ),
    (
        Flaw::ReplaceRevives,
        "a_write_never_revives_a_removed_session",
    ),
    (
        Flaw::RevisionIsADigest,
        "every_write_has_a_revision_of_its_own",
    ),
    (Flaw::LosesDevices, "a_device_goes_through_every_write"),
    (Flaw::RemoveKeepsRecord, "a_removed_record_is_gone_at_once"),
    (Flaw::RemoveRaces, "one_of_16_removals_removes"),
    (
        Flaw::RemoveUnindexesSubject,
        "a_removal_touches_nothing_else",
    ),
    (Flaw::CountsExpired, "live_records_counts_the_live_ones"),
    (Flaw::ExpiredIsVisible, "an_expired_record_is_invisible"),
    (Flaw::ExpiryIsInclusive, "an_expired_record_is_invisible"),
    (Flaw::ExpiryByOwnClock, "an_expired_record_is_invisible"),
    (
        Flaw::ExpiryByOwnClock,
        "nodes_with_skewed_clocks_share_sessions",
    ),
    (Flaw::ExpiredIsReplaced, "an_expired_record_is_not_replaced"),
    (Flaw::ExpiredIsListed, "an_expired_record_is_not_listed"),
    (
        Flaw::CreateOverwrites,
        "an_expired_id_never_shows_its_old_record",
    ),
    (
        Flaw::ReadDestroysExpired,
        "reading_with_a_fast_clock_destroys_nothing",
    ),
    (Flaw::FirstExpiryStays, "a_later_expiry_holds"),
    (Flaw::FirstExpiryStays, "an_earlier_expiry_holds"),
    (
        Flaw::FirstExpiryStays,
        "a_record_that_is_over_ends_its_session",
    ),
    (
        Flaw::EngineDropsAtFirstExpiry,
        "a_session_in_use_outlives_its_first_expiry",
    ),
    (Flaw::ExpiredIsVisible, "a_far_expiry_is_kept"),
    (Flaw::ListsEverybody, "a_subjects_live_sessions_are_listed"),
    (Flaw::ReplaceUnindexes, "the_list_follows_replaced_records"),
    (Flaw::SubjectsLoseCase, "subjects_with_odd_names_stay_apart"),
    (
        Flaw::SubjectsLoseSpaces,
        "subjects_with_odd_names_stay_apart",
    ),
    (Flaw::SubjectsEndAtNul, "subjects_with_odd_names_stay_apart"),
    (
        Flaw::ListsOnePage,
        "a_subject_of_many_sessions_is_listed_whole",
    ),
    (
        Flaw::PagesAreUnbounded,
        "a_subject_of_many_sessions_is_listed_whole",
    ),
    (
        Flaw::OwnersLoseTheirAudience,
        "audiences_with_the_same_subject_stay_apart",
    ),
    (
        Flaw::ActorsAreNotListed,
        "a_record_is_listed_and_ended_under_each_of_its_owners",
    ),
    (
        Flaw::TagsAreNotListed,
        "a_tag_ends_the_sessions_that_named_it",
    ),
    (
        Flaw::ReplaceChangesOwners,
        "a_record_never_changes_its_owners_or_tags",
    ),
    (
        Flaw::ReplaceChecksSubjectOnly,
        "a_record_never_changes_its_owners_or_tags",
    ),
    (
        Flaw::CountsWhatIsLeftOut,
        "create_counts_the_owners_sessions",
    ),
    (Flaw::CountsTooFew, "create_counts_the_owners_sessions"),
    (
        Flaw::ForgetsWhatIsLeftOut,
        "create_counts_the_owners_sessions",
    ),
    (
        Flaw::RemoveIgnoresKey,
        "a_removal_under_a_key_is_of_that_keys_sessions",
    ),
    (Flaw::CursorSkips, "pages_of_one_entry_reach_the_end"),
    (Flaw::CursorStandsStill, "pages_of_one_entry_reach_the_end"),
    (
        Flaw::RemoveReadsRecord,
        "a_record_of_a_later_release_is_listed_counted_and_ended",
    ),
    (
        Flaw::LoadHidesUnreadable,
        "a_record_of_a_later_release_is_listed_counted_and_ended",
    ),
    (
        Flaw::ListStopsAtUnreadable,
        "a_record_of_a_later_release_is_listed_counted_and_ended",
    ),
    (
        Flaw::UnreadableIsUnlisted,
        "a_record_of_a_later_release_is_listed_counted_and_ended",
    ),
    (
        Flaw::CutoffsAreForgotten,
        "a_cutoff_comes_back_on_every_node",
    ),
    (
        Flaw::CutoffsOfTagsAreForgotten,
        "a_cutoff_comes_back_on_every_node",
    ),
    (
        Flaw::CutoffsStayOnTheirNode,
        "a_cutoff_comes_back_on_every_node",
    ),
    (Flaw::CutoffsFall, "a_cutoff_never_falls"),
    (Flaw::LaterCutoffsShorten, "a_cutoff_never_falls"),
    (Flaw::CutoffsLastADay, "a_cutoff_outlives_every_token"),
    (Flaw::CutoffsLastForever, "a_cutoff_outlives_every_token"),
    (
        Flaw::CutoffsEndWithTheirSessions,
        "a_cutoff_outlives_every_token",
    ),
    (Flaw::CutoffsRace, "none_of_16_parallel_cutoffs_is_lost"),
    (
        Flaw::EndingWalksTheIndex,
        "many_sessions_of_one_owner_are_listed_and_ended_in_linear_time",
    ),
    (
        Flaw::EndingHoldsTheEngine,
        "others_are_served_while_many_sessions_end",
    ),
    (
        Flaw::IndexLosesParallelLogins,
        "the_index_is_exact_after_parallel_logins_and_logouts",
    ),
    (
        Flaw::IndexLosesParallelLogins,
        "remove_all_of_ends_all_while_logins_run",
    ),
    (
        Flaw::RevokesNothing,
        "remove_all_of_ends_every_session_of_the_subject",
    ),
    (
        Flaw::RevokesTheException,
        "remove_all_of_spares_its_exception",
    ),
    (
        Flaw::SparesAllForAForeignException,
        "a_foreign_exception_spares_nothing",
    ),
    (
        Flaw::RevokesOnlyUnchanged,
        "remove_all_of_ends_sessions_that_are_being_written",
    ),
    (Flaw::BansRevoked, "a_revoked_subject_can_log_in_again"),
    (Flaw::DropsLargeRecords, "large_data_comes_back"),
    (Flaw::EmptyIsMissing, "empty_data_comes_back"),
    (Flaw::LossyText, "any_bytes_come_back"),
    (Flaw::IdsAreText, "ids_of_any_bytes_are_kept_apart"),
    (Flaw::SecondNodeCaches, "two_nodes_see_each_other_at_once"),
    (Flaw::SecondNodeCaches, "a_revocation_holds_on_every_node"),
    (
        Flaw::NeverReconnects,
        "the_store_works_again_after_a_restart",
    ),
    (Flaw::RestartRevives, "a_restart_revives_nothing"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_flaw_is_found_by_the_check_that_is_there_for_it() {
    let mut missed = Vec::new();
    for &(flaw, name) in FOUND_BY {
        let make = || async { under_test(flaw) };
        let contract = StoreContract::new(SystemTime::now().into(), make);
        let report = contract.run_where(|check| check == name).await;
        let [check] = report.checks() else {
            panic!("no check is called {name}");
        };
        if !matches!(check.result(), CheckResult::Broken(_)) {
            missed.push((flaw, name));
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

const LEASE: Duration = Duration::from_millis(100);

/// Each flaw of copies and a check that is there to find it.
const COPIES_FOUND_BY: &[(CopyFlaw, &str)] = &[
    (
        CopyFlaw::OwnWritesStay,
        "a_node_sees_its_own_writes_at_once",
    ),
    (
        CopyFlaw::OwnEndingsStay,
        "a_node_sees_its_own_writes_at_once",
    ),
    (
        CopyFlaw::ReplacementsAreNotTold,
        "data_reaches_another_node_in_time",
    ),
    (
        CopyFlaw::NothingWaits,
        "an_ending_holds_on_another_node_in_time",
    ),
    (
        CopyFlaw::FillsAreUnguarded,
        "what_is_read_while_it_changes_is_not_kept",
    ),
    (
        CopyFlaw::NothingWaits,
        "all_that_ended_while_logins_ran_has_ended_on_every_node",
    ),
    (
        CopyFlaw::TrustedForever,
        "a_node_that_hears_nothing_admits_nothing_that_ended",
    ),
    (
        CopyFlaw::KeptOverAReconnect,
        "a_node_that_connects_again_admits_nothing_that_ended",
    ),
    (
        CopyFlaw::TrustedFromTheAnswer,
        "a_node_that_hears_late_admits_nothing_that_ended",
    ),
    (
        CopyFlaw::LoadAnswersFromCopies,
        "load_is_never_answered_from_a_copy",
    ),
];

fn copies_under_test(flaw: CopyFlaw) -> StoreUnderTest {
    let store = Cached::new(flaw, LEASE);
    let second = store.second_node();
    let way = second.clone();
    StoreUnderTest::new(store)
        .with_volume(1_000)
        .with_second_node(second)
        .with_path(move |path| {
            way.set_path(path);
            async {}
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_without_a_flaw_hold_the_contract() {
    for freshness in [Freshness::Exact(LEASE), Freshness::Bounded(LEASE)] {
        let make = || async { copies_under_test(CopyFlaw::Nothing) };
        let contract = StoreContract::new(SystemTime::now().into(), make);
        let report = contract.with_freshness(freshness).run().await;
        report.assert_held();
        assert_eq!(report.skipped(), 2, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_flaw_of_copies_is_found_by_the_check_that_is_there_for_it() {
    let mut missed = Vec::new();
    for &(flaw, name) in COPIES_FOUND_BY {
        let make = || async { copies_under_test(flaw) };
        let contract = StoreContract::new(SystemTime::now().into(), make);
        let contract = contract.with_freshness(Freshness::Exact(LEASE));
        let report = contract.run_where(|check| check == name).await;
        let [check] = report.checks() else {
            panic!("no check is called {name}");
        };
        if !matches!(check.result(), CheckResult::Broken(_)) {
            missed.push((flaw, name));
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// A check that no flaw can fail would prove nothing.
#[test]
fn every_check_has_a_flaw_that_it_finds() {
    let found = FOUND_BY.iter().map(|(_, name)| name);
    let found = found.chain(COPIES_FOUND_BY.iter().map(|(_, name)| name));
    let is_idle = |check: &&str| found.clone().all(|name| name != check);
    let idle: Vec<_> = check_names().filter(is_idle).collect();
    assert!(idle.is_empty(), "{idle:?}");
}
