//! What becomes of tokens, as rows of acts and of what each token is worth afterwards.

use std::time::Duration;

use super::{Retirement, Revocations, Standing};
use crate::session::{authentication::Subject, id::SessionId, time::Timestamp};

const A: SessionId = SessionId::from_bytes([0xA; 16]);
const B: SessionId = SessionId::from_bytes([0xB; 16]);
const C: SessionId = SessionId::from_bytes([0xC; 16]);
const D: SessionId = SessionId::from_bytes([0xD; 16]);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_000_000 + seconds)
}

fn elevated(successor: SessionId) -> Retirement {
    Retirement::Elevated { successor }
}

/// A renewal whose grace time ends so many seconds after the beginning.
fn renewed(successor: SessionId, grace: u64) -> Retirement {
    Retirement::Renewed {
        successor,
        grace_until: at(grace),
    }
}

/// The list after these acts: at so many seconds, this token was retired so; each must have been won.
#[track_caller]
fn after(acts: &[(u64, SessionId, Retirement)]) -> Revocations {
    let list = Revocations::new();
    for &(second, id, how) in acts {
        let won = list.retire(&id, how, at(10_000), at(second));
        assert!(won, "{id} {how:?}");
    }
    list
}

#[track_caller]
fn check(list: &Revocations, second: u64, expected: &[(SessionId, Standing)]) {
    for &(id, status) in expected {
        assert_eq!(list.standing(&id, None, at(0), at(second)), status, "{id}");
    }
}

#[test]
fn a_token_that_nobody_retired_is_good() {
    check(&Revocations::new(), 0, &[(A, Standing::Current)]);
    check(
        &after(&[(1, B, Retirement::Ended)]),
        2,
        &[(A, Standing::Current)],
    );
}

#[test]
fn a_logged_out_token_has_ended() {
    let list = after(&[(1, A, Retirement::Ended)]);
    check(&list, 2, &[(A, Standing::Ended)]);
    assert!(!list.retire(&A, Retirement::Ended, at(10_000), at(2)));
    assert!(!list.retire(&A, Retirement::Superseded, at(10_000), at(2)));
    assert!(!list.retire(&A, elevated(B), at(10_000), at(2)));
    assert!(!list.retire(&A, renewed(B, 12), at(10_000), at(2)));
    check(&list, 3, &[(A, Standing::Ended), (B, Standing::Current)]);
}

#[test]
fn a_change_of_privilege_has_no_grace() {
    check(
        &after(&[(1, A, elevated(B))]),
        1,
        &[(A, Standing::Superseded), (B, Standing::Current)],
    );
    check(
        &after(&[(1, A, Retirement::Superseded)]),
        1,
        &[(A, Standing::Superseded)],
    );
}

#[test]
fn a_renewed_token_works_for_its_grace_time_and_never_again() {
    let list = after(&[(0, A, renewed(B, 10))]);
    check(&list, 9, &[(A, Standing::Grace), (B, Standing::Current)]);
    check(&list, 10, &[(A, Standing::Reused), (B, Standing::Current)]);
}

#[test]
fn a_token_in_its_grace_time_is_not_renewed_again() {
    let list = after(&[(0, A, renewed(B, 10))]);
    assert!(!list.retire(&A, renewed(C, 15), at(10_000), at(5)));
    check(&list, 5, &[(A, Standing::Grace), (B, Standing::Current)]);
}

#[test]
fn a_second_renewal_cuts_the_first_grace_time_short() {
    let list = after(&[(0, A, renewed(B, 10)), (5, B, renewed(C, 15))]);
    check(
        &list,
        6,
        &[
            (A, Standing::Superseded),
            (B, Standing::Grace),
            (C, Standing::Current),
        ],
    );
    assert!(!list.retire(&A, elevated(D), at(10_000), at(6)));
}

#[test]
fn an_elevation_in_the_grace_time_leaves_one_live_token() {
    let list = after(&[(0, A, renewed(B, 10)), (5, A, elevated(C))]);
    check(
        &list,
        6,
        &[
            (A, Standing::Superseded),
            (B, Standing::Superseded),
            (C, Standing::Current),
        ],
    );
}

#[test]
fn an_elevation_of_the_successor_ends_the_grace_time() {
    let list = after(&[(0, A, renewed(B, 10)), (5, B, elevated(C))]);
    // An honest request may still carry A: that is no theft, however late it comes.
    check(
        &list,
        6,
        &[
            (A, Standing::Superseded),
            (B, Standing::Superseded),
            (C, Standing::Current),
        ],
    );
    check(&list, 60, &[(A, Standing::Superseded)]);
    assert!(!list.retire(&A, elevated(D), at(10_000), at(6)));
}

#[test]
fn a_token_whose_grace_time_is_over_raises_nothing() {
    let list = after(&[(0, A, renewed(B, 10))]);
    assert!(!list.retire(&A, elevated(C), at(10_000), at(10)));
    check(&list, 10, &[(A, Standing::Reused), (B, Standing::Current)]);
}

#[test]
fn a_logout_ends_the_session_whatever_its_token_is_by_now() {
    for acts in [
        &[(0, A, renewed(B, 10)), (1, A, Retirement::Ended)][..],
        &[(0, A, renewed(B, 10)), (60, A, Retirement::Ended)],
        &[(0, A, elevated(B)), (1, A, Retirement::Ended)],
        &[
            (0, A, renewed(C, 10)),
            (1, C, elevated(B)),
            (2, A, Retirement::Ended),
        ],
    ] {
        check(&after(acts), 61, &[(B, Standing::Ended)]);
    }
    let list = after(&[(0, A, renewed(B, 10)), (1, B, Retirement::Ended)]);
    check(&list, 2, &[(A, Standing::Ended), (B, Standing::Ended)]);
}

#[test]
fn a_login_ends_the_session_that_it_came_with() {
    let list = after(&[(0, A, renewed(B, 10)), (1, A, Retirement::Superseded)]);
    check(
        &list,
        2,
        &[(A, Standing::Superseded), (B, Standing::Superseded)],
    );
    let list = after(&[(0, A, elevated(B)), (1, A, Retirement::Superseded)]);
    check(&list, 2, &[(B, Standing::Superseded)]);
}

#[test]
fn a_reused_token_ends_its_whole_family() {
    let list = after(&[
        (0, A, renewed(B, 10)),
        (20, B, renewed(C, 30)),
        (40, C, elevated(D)),
    ]);
    check(
        &list,
        50,
        &[
            (A, Standing::Reused),
            (B, Standing::Reused),
            (D, Standing::Current),
        ],
    );
    list.end_family(&A, at(10_000), at(50));
    check(&list, 50, &[A, B, C, D].map(|id| (id, Standing::Ended)));
}

#[test]
fn the_session_of_a_later_login_is_another_family() {
    let list = after(&[(0, A, renewed(B, 10)), (20, B, Retirement::Superseded)]);
    list.end_family(&A, at(10_000), at(30));
    check(
        &list,
        30,
        &[
            (A, Standing::Ended),
            (B, Standing::Superseded),
            (C, Standing::Current),
        ],
    );
}

#[test]
fn a_chain_of_tokens_never_closes_into_a_ring() {
    let list = after(&[(0, A, renewed(B, 10))]);
    assert!(!list.retire(&B, renewed(A, 20), at(10_000), at(1)));
    assert!(!list.retire(&B, elevated(B), at(10_000), at(1)));
    assert!(list.retire(&A, Retirement::Ended, at(10_000), at(2)));
}

/// R11, A25: of parallel elevations with one token, one has a successor.
#[test]
fn one_of_parallel_elevations_wins() {
    for round in 0..200 {
        let list = Revocations::new();
        let id = SessionId::from_bytes([round; 16]);
        let wins: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let list = &list;
                    let successor = SessionId::from_bytes([200 + thread; 16]);
                    scope.spawn(move || list.retire(&id, elevated(successor), at(99), at(1)))
                })
                .collect();
            let wins = threads.into_iter().map(|thread| thread.join().unwrap());
            wins.filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }
}

#[test]
fn a_revoked_subject_keeps_no_token_that_was_issued_until_then() {
    let (alice, bob) = (Subject::from("alice"), Subject::from("bob"));
    let list = Revocations::new();
    list.end_subject(&alice, at(10), at(100));
    assert_eq!(list.cutoff(&alice), Some(at(10)));
    assert_eq!(list.cutoff(&bob), None);
    for (subject, issued_at, expected) in [
        (Some(&alice), at(9), Standing::Ended),
        (Some(&alice), at(10), Standing::Ended),
        (
            Some(&alice),
            at(10).after(Duration::from_millis(1)),
            Standing::Current,
        ),
        (Some(&bob), at(9), Standing::Current),
        (None, at(9), Standing::Current),
    ] {
        assert_eq!(list.standing(&A, subject, issued_at, at(20)), expected);
    }
    list.end_subject(&alice, at(5), at(100));
    assert_eq!(
        list.cutoff(&alice),
        Some(at(10)),
        "a cut-off never moves back"
    );
}

#[test]
fn an_elevation_does_not_slip_past_a_revocation() {
    let alice = Subject::from("alice");
    let retire =
        |list: &Revocations| list.retire_of(&A, Some(&alice), at(0), elevated(B), at(100), at(20));
    let first_revoked = Revocations::new();
    first_revoked.end_subject(&alice, at(10), at(100));
    assert_eq!(retire(&first_revoked), None);
    assert_eq!(first_revoked.len(), 1);

    // The revocation was asked for at second 10, and comes when the elevation of second 20 is done.
    let first_elevated = Revocations::new();
    assert_eq!(retire(&first_elevated), Some(at(20)));
    first_elevated.end_subject(&alice, at(10), at(100));
    let successor = first_elevated.standing(&B, Some(&alice), at(20), at(21));
    assert_eq!(successor, Standing::Ended);
}

#[test]
fn a_token_issued_anew_does_not_slip_past_a_revocation() {
    let alice = Subject::from("alice");
    let list = Revocations::new();
    assert!(list.may_reissue(&A, Some(&alice), at(0), at(20)));
    // The revocation was asked for at second 10, and comes when the token has left again.
    list.end_subject(&alice, at(10), at(100));
    let status = list.standing(&A, Some(&alice), at(20), at(21));
    assert_eq!(status, Standing::Ended);
    assert!(!list.may_reissue(&A, Some(&alice), at(0), at(30)));

    let renewed = after(&[(0, A, renewed(B, 10))]);
    assert!(!renewed.may_reissue(&A, None, at(0), at(5)));
}

#[test]
fn entries_are_dropped_once_their_tokens_have_expired() {
    let list = Revocations::new();
    for byte in 0..100 {
        let id = SessionId::from_bytes([byte; 16]);
        assert!(list.retire(&id, Retirement::Ended, at(100), at(0)));
    }
    list.end_subject(&"alice".into(), at(0), at(100));
    assert_eq!(list.len(), 101);
    // A clock that was set back a little may still believe those tokens.
    assert!(list.retire(
        &SessionId::from_bytes([200; 16]),
        Retirement::Ended,
        at(900),
        at(159)
    ));
    assert_eq!(list.len(), 102);
    for byte in 201..=230 {
        let id = SessionId::from_bytes([byte; 16]);
        assert!(list.retire(&id, Retirement::Ended, at(900), at(160)));
    }
    assert_eq!(list.len(), 31);
    check(
        &list,
        161,
        &[(SessionId::from_bytes([200; 16]), Standing::Ended)],
    );
}

#[test]
fn an_entry_lasts_as_long_as_its_longest_token() {
    let list = Revocations::new();
    assert!(list.retire(&A, renewed(B, 10), at(500), at(0)));
    list.end_family(&A, at(100), at(20));
    for byte in 100..120 {
        let id = SessionId::from_bytes([byte; 16]);
        let _ = list.retire(&id, Retirement::Ended, at(900), at(300));
    }
    check(&list, 301, &[(A, Standing::Ended)]);
}

/// R67, R69.
#[test]
fn the_session_that_ends_the_others_is_spared() {
    let alice = Subject::from("alice");
    let status =
        |list: &Revocations, id, issued| list.standing(&id, Some(&alice), at(issued), at(50));
    let list = Revocations::new();
    assert!(list.end_others(&alice, &A, at(1), at(10), at(100)));
    assert_eq!(status(&list, A, 1), Standing::Current);
    assert_eq!(status(&list, B, 10), Standing::Ended);
    assert_eq!(status(&list, B, 11), Standing::Current);

    // Its next token is issued after the cut-off, also within the same moment, and lives.
    let issue = list.retire_of(&A, Some(&alice), at(1), elevated(C), at(100), at(10));
    let issue = issue.unwrap();
    assert!(issue > at(10));
    let successor = |list: &Revocations| list.standing(&C, Some(&alice), issue, at(50));
    assert_eq!(successor(&list), Standing::Current);

    // And everything ends that token too.
    list.end_subject(&alice, at(10), at(100));
    assert_eq!(successor(&list), Standing::Ended);
}

/// A24, R16.
#[test]
fn nothing_that_ended_comes_back_by_ending_the_others() {
    let alice = Subject::from("alice");
    let revoked = Revocations::new();
    revoked.end_subject(&alice, at(10), at(100));
    assert!(!revoked.end_others(&alice, &A, at(1), at(20), at(100)));
    assert_eq!(
        revoked.standing(&A, Some(&alice), at(1), at(21)),
        Standing::Ended
    );
    assert_eq!(revoked.cutoff(&alice), Some(at(10)));

    let logged_out = after(&[(1, A, Retirement::Ended)]);
    assert!(!logged_out.end_others(&alice, &A, at(0), at(20), at(100)));
    assert_eq!(
        logged_out.standing(&B, Some(&alice), at(0), at(21)),
        Standing::Current
    );
}

#[test]
fn a_request_in_its_grace_time_spares_the_token_that_followed() {
    let alice = Subject::from("alice");
    let list = after(&[(1, A, renewed(B, 11))]);
    assert!(list.end_others(&alice, &A, at(0), at(5), at(100)));
    let status = |id| list.standing(&id, Some(&alice), at(1), at(50));
    assert_eq!(status(B), Standing::Current);
    assert_eq!(status(A), Standing::Ended);
}

/// A24: the clock is set back between a login and the revocation.
#[test]
fn a_login_does_not_slip_past_a_revocation() {
    let alice = Subject::from("alice");
    let list = Revocations::new();
    assert_eq!(list.issue_time(&alice, at(20)), at(20));
    list.end_subject(&alice, at(10), at(100));
    let status = list.standing(&A, Some(&alice), at(20), at(21));
    assert_eq!(status, Standing::Ended);
    assert!(list.issue_time(&alice, at(10)) > at(20));
}
