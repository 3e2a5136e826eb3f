//! What becomes of tokens, as rows of acts and of what each token of a family is worth afterwards.

use std::time::Duration;

use super::{
    Admitted, Cutoff, Ending, Full, IssuedToken, Occupancy, Replacement, Revocations, Standing,
};
use crate::session::{
    authentication::Subject,
    id::SessionId,
    index::{IndexKey, TagDigest},
    policy::SessionPolicy,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

const A: SessionId = SessionId::from_bytes([0xA; 16]);
const B: SessionId = SessionId::from_bytes([0xB; 16]);
const C: SessionId = SessionId::from_bytes([0xC; 16]);
const D: SessionId = SessionId::from_bytes([0xD; 16]);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_000_000 + seconds)
}

fn id(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; 16])
}

fn list() -> Revocations {
    Revocations::new(1_000)
}

fn owner(subject: &Subject) -> IndexKey {
    IndexKey::owner("", subject)
}

/// A cut-off at so many seconds, which a process wrote as its first.
fn cutoff(second: u64) -> Cutoff {
    Cutoff::new(
        at(second),
        at(second).after(SessionPolicy::MAX_ABSOLUTE),
        [1; 16],
    )
}

/// A request that another process admitted at so many seconds.
fn admitted(second: u64) -> Admitted {
    Admitted::new(at(second), [2; 16])
}

#[derive(Clone, Copy, Debug)]
enum Act {
    End(Ending),
    Elevate(SessionId, SessionId),
    /// A renewal whose grace time ends so many seconds after the beginning.
    Renew(SessionId, SessionId, u64),
    /// A binding to a device; the token before works until so many seconds after the beginning.
    Bind(SessionId, SessionId, u64),
}

use Act::{Bind, Elevate, End, Renew};
use Ending::{Ended, Superseded};

/// Carries out an act on the family of A, and says whether it was won.
fn act(list: &Revocations, second: u64, act: Act) -> bool {
    let replace = |token: &SessionId, successor, how| {
        let token = IssuedToken::new(&A, token, None, at(0));
        list.replace(token, successor, how, at(10_000), at(second))
            .unwrap()
    };
    match act {
        End(how) => list.end(&A, how, at(10_000), at(second)).unwrap(),
        Elevate(token, successor) => replace(&token, successor, Replacement::Elevated).is_some(),
        Renew(token, successor, grace) => {
            let grace_until = at(grace);
            replace(&token, successor, Replacement::Renewed { grace_until }).is_some()
        }
        Bind(token, successor, crossing) => {
            let crossing_until = at(crossing);
            replace(&token, successor, Replacement::Bound { crossing_until }).is_some()
        }
    }
}

/// The list after these acts, each of which must have been won.
#[track_caller]
fn after(acts: &[(u64, Act)]) -> Revocations {
    let list = list();
    for &(second, one) in acts {
        assert!(act(&list, second, one), "{one:?}");
    }
    list
}

#[track_caller]
fn check(list: &Revocations, second: u64, expected: &[(SessionId, Standing)]) {
    for &(id, standing) in expected {
        let token = IssuedToken::new(&A, &id, None, at(0));
        assert_eq!(list.standing(token, at(second)), standing, "{id}");
    }
}

#[test]
fn a_token_that_nothing_happened_to_is_current() {
    check(&list(), 0, &[(A, Standing::Current)]);
    let other = list();
    assert!(other.end(&B, Ended, at(100), at(1)).unwrap());
    check(&other, 2, &[(A, Standing::Current)]);
}

#[test]
fn a_logged_out_session_has_ended() {
    let list = after(&[(1, End(Ended))]);
    for lost in [End(Ended), End(Superseded), Elevate(A, B), Renew(A, B, 12)] {
        assert!(!act(&list, 2, lost), "{lost:?}");
    }
    check(&list, 3, &[(A, Standing::Ended), (B, Standing::Ended)]);
}

#[test]
fn a_change_of_privilege_has_no_grace() {
    check(
        &after(&[(1, Elevate(A, B))]),
        1,
        &[(A, Standing::Superseded), (B, Standing::Current)],
    );
    check(
        &after(&[(1, End(Superseded))]),
        1,
        &[(A, Standing::Superseded)],
    );
}

#[test]
fn a_renewed_token_works_for_its_grace_time_and_never_again() {
    let list = after(&[(0, Renew(A, B, 10))]);
    check(&list, 9, &[(A, Standing::Grace), (B, Standing::Current)]);
    check(&list, 10, &[(A, Standing::Reused), (B, Standing::Current)]);
}

#[test]
fn a_token_in_its_grace_time_is_not_renewed_again() {
    let list = after(&[(0, Renew(A, B, 10))]);
    assert!(!act(&list, 5, Renew(A, C, 15)));
    check(&list, 5, &[(A, Standing::Grace), (B, Standing::Current)]);
}

#[test]
fn a_second_renewal_cuts_the_first_grace_time_short() {
    let list = after(&[(0, Renew(A, B, 10)), (5, Renew(B, C, 15))]);
    check(
        &list,
        6,
        &[
            (A, Standing::Superseded),
            (B, Standing::Grace),
            (C, Standing::Current),
        ],
    );
    assert!(!act(&list, 6, Elevate(A, D)));
}

#[test]
fn an_elevation_in_the_grace_time_leaves_one_live_token() {
    let list = after(&[(0, Renew(A, B, 10)), (5, Elevate(A, C))]);
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
    let list = after(&[(0, Renew(A, B, 10)), (5, Elevate(B, C))]);
    // An honest request may still carry A: that is no theft, however late it comes.
    for second in [6, 60] {
        check(
            &list,
            second,
            &[
                (A, Standing::Superseded),
                (B, Standing::Superseded),
                (C, Standing::Current),
            ],
        );
    }
    assert!(!act(&list, 6, Elevate(A, D)));
}

#[test]
fn a_token_whose_grace_time_is_over_raises_nothing() {
    let list = after(&[(0, Renew(A, B, 10))]);
    assert!(!act(&list, 10, Elevate(A, C)));
    check(&list, 10, &[(A, Standing::Reused), (B, Standing::Current)]);
}

/// D11, D13: what a binding replaced opens the session for its minute, is replaced by nothing, and is no theft later.
#[test]
fn a_token_that_a_binding_replaced_crosses_for_its_minute() {
    // The same where a renewal before would make a theft of an older token.
    for (list, old) in [(list(), A), (after(&[(0, Renew(A, D, 1))]), D)] {
        let (crossing, current) = ((old, Standing::Crossing), (B, Standing::Current));
        assert!(act(&list, 5, Bind(old, B, 65)));
        check(&list, 64, &[crossing, current]);
        for lost in [
            Elevate(old, C),
            Renew(old, C, 75),
            Bind(old, C, 70),
            Bind(old, B, 70),
        ] {
            assert!(!act(&list, 6, lost), "{lost:?}");
        }
        let token = IssuedToken::new(&A, &old, None, at(0));
        assert_eq!(list.may_reissue(token, at(6)), Ok(false));
        check(&list, 64, &[crossing, current]);
        check(&list, 65, &[(old, Standing::Superseded), current]);
        assert!(!act(&list, 65, Elevate(old, C)));
    }
}

/// D13: of two bindings one wins, and of a binding and another replacement.
#[test]
fn a_binding_takes_the_present_token_only() {
    for first in [Bind(A, B, 60), Renew(A, B, 10), Elevate(A, B), End(Ended)] {
        let list = after(&[(0, first)]);
        assert!(!act(&list, 1, Bind(A, C, 61)), "{first:?}");
    }
}

/// A successor that is renewed or whose level changes ends the minute of what it replaced.
#[test]
fn what_comes_after_a_binding_ends_its_minute() {
    for next in [Renew(B, C, 20), Elevate(B, C)] {
        let list = after(&[(0, Bind(A, B, 60)), (10, next)]);
        check(
            &list,
            11,
            &[(A, Standing::Superseded), (C, Standing::Current)],
        );
    }
    // The token that a renewal replaced before the binding, whose grace time is cut short.
    let list = after(&[(0, Renew(A, B, 30)), (1, Bind(B, C, 61))]);
    check(
        &list,
        2,
        &[
            (A, Standing::Superseded),
            (B, Standing::Crossing),
            (C, Standing::Current),
        ],
    );
}

/// D13: of bindings at the same time one wins.
#[test]
fn one_of_parallel_bindings_wins() {
    for _ in 0..200 {
        let list = list();
        let wins: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let list = &list;
                    scope.spawn(move || act(list, 1, Bind(A, id(200 + thread), 61)))
                })
                .collect();
            let wins = threads.into_iter().map(|thread| thread.join().unwrap());
            wins.filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }
}

#[test]
fn an_ending_ends_the_session_whatever_its_token_is_by_now() {
    for acts in [
        &[(0, Bind(A, B, 60))][..],
        &[(0, Renew(A, B, 10))],
        &[(0, Elevate(A, B))],
        &[(0, Renew(A, C, 10)), (1, Elevate(C, B))],
    ] {
        for (how, standing) in [(Ended, Standing::Ended), (Superseded, Standing::Superseded)] {
            let list = after(acts);
            assert!(act(&list, 2, End(how)));
            check(&list, 61, &[A, B, C, D].map(|id| (id, standing)));
        }
    }
}

#[test]
fn a_token_is_never_its_own_successor() {
    let list = after(&[(0, Renew(A, B, 10))]);
    for lost in [Elevate(B, B), Renew(B, B, 20)] {
        assert!(!act(&list, 1, lost), "{lost:?}");
    }
    assert!(act(&list, 2, End(Ended)));
}

/// S14: however often a token is renewed, the family has one entry of bounded size.
#[test]
fn a_long_chain_of_renewals_takes_one_entry() {
    let list = list();
    let nth = |n: u64| {
        let mut bytes = [0xE; 16];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        SessionId::from_bytes(bytes)
    };
    let mut token = A;
    for n in 0..10_000 {
        assert!(act(&list, n * 20, Renew(token, nth(n), n * 20 + 10)));
        token = nth(n);
    }
    assert_eq!(list.len(), 1);
    check(
        &list,
        300_000,
        &[
            (token, Standing::Current),
            (nth(5), Standing::Reused),
            (A, Standing::Reused),
        ],
    );
    assert!(act(&list, 300_000, End(Ended)));
    check(
        &list,
        300_000,
        &[(token, Standing::Ended), (A, Standing::Ended)],
    );
}

/// S17: as with a record's secrets.
#[test]
fn a_token_that_an_elevation_replaced_is_no_theft_after_any_number_of_rotations() {
    let list = after(&[(0, Renew(A, B, 10)), (20, Elevate(B, C))]);
    let mut token = C;
    for n in 0..20 {
        let next = id(100 + n);
        assert!(act(&list, 30 + u64::from(n), Elevate(token, next)));
        check(
            &list,
            60,
            &[(B, Standing::Superseded), (C, Standing::Superseded)][..usize::from(n > 0) + 1],
        );
        token = next;
    }
}

/// R11, A25: of parallel elevations with one token, one has a successor.
#[test]
fn one_of_parallel_elevations_wins() {
    for _ in 0..200 {
        let list = list();
        let wins: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let list = &list;
                    scope.spawn(move || act(list, 1, Elevate(A, id(200 + thread))))
                })
                .collect();
            let wins = threads.into_iter().map(|thread| thread.join().unwrap());
            wins.filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }
}

fn standing_of(
    list: &Revocations,
    token: SessionId,
    subject: &Subject,
    issued_at: Timestamp,
) -> Standing {
    list.standing(
        IssuedToken::new(&token, &token, Some(subject), issued_at),
        at(50),
    )
}

#[test]
fn a_revoked_subject_keeps_no_token_that_was_issued_until_then() {
    let (alice, bob) = (Subject::from("alice"), Subject::from("bob"));
    let list = list();
    list.end_all(&owner(&alice), &cutoff(10), None, at(10))
        .unwrap();
    let later = at(10).after(Duration::from_millis(1));
    for (subject, issued_at, expected) in [
        (&alice, at(9), Standing::Ended),
        (&alice, at(10), Standing::Ended),
        (&alice, later, Standing::Current),
        (&bob, at(9), Standing::Current),
    ] {
        assert_eq!(standing_of(&list, A, subject, issued_at), expected);
    }
    let guest = IssuedToken::new(&A, &A, None, at(9));
    assert_eq!(list.standing(guest, at(20)), Standing::Current);
    list.end_all(&owner(&alice), &cutoff(5), None, at(11))
        .unwrap();
    assert_eq!(
        standing_of(&list, A, &alice, at(10)),
        Standing::Ended,
        "it never moves back"
    );
}

/// S21.
#[test]
fn an_owner_of_another_audience_and_another_tag_are_spared() {
    let alice = Subject::from("alice");
    let list = list();
    list.end_all(&IndexKey::owner("shop", &alice), &cutoff(10), None, at(10))
        .unwrap();
    list.end_all(&IndexKey::tag("shop", "sid"), &cutoff(10), None, at(10))
        .unwrap();
    let tags = [TagDigest::of("shop", "sid")];
    let token = |audience, subject, tags| IssuedToken {
        audience,
        tags,
        ..IssuedToken::new(&A, &A, subject, at(5))
    };
    let bob = Subject::from("bob");
    for (token, expected) in [
        (token("shop", Some(&alice), &[][..]), Standing::Ended),
        (token("", Some(&alice), &[]), Standing::Current),
        (token("admin", Some(&alice), &[]), Standing::Current),
        (token("shop", Some(&bob), &tags), Standing::Ended),
        (token("shop", Some(&bob), &[]), Standing::Current),
    ] {
        assert_eq!(list.standing(token, at(20)), expected, "{token:?}");
    }
    let acting = IssuedToken {
        actor: Some(&alice),
        ..token("shop", Some(&bob), &[])
    };
    assert_eq!(list.standing(acting, at(20)), Standing::Ended);
}

#[test]
fn an_elevation_does_not_slip_past_a_revocation() {
    let alice = Subject::from("alice");
    let token = IssuedToken::new(&A, &A, Some(&alice), at(0));
    let elevate = |list: &Revocations| {
        let replaced = list.replace(token, B, Replacement::Elevated, at(100), at(20));
        replaced.unwrap()
    };
    let first_revoked = list();
    first_revoked
        .end_all(&owner(&alice), &cutoff(10), None, at(10))
        .unwrap();
    assert_eq!(elevate(&first_revoked), None);
    assert_eq!(first_revoked.len(), 1);

    // The revocation was asked for at second 10, and comes when the elevation of second 20 is done.
    let first_elevated = list();
    assert_eq!(elevate(&first_elevated), Some(at(20)));
    first_elevated
        .end_all(&owner(&alice), &cutoff(10), None, at(10))
        .unwrap();
    let successor = IssuedToken::new(&A, &B, Some(&alice), at(20));
    assert_eq!(first_elevated.standing(successor, at(21)), Standing::Ended);
}

#[test]
fn a_token_issued_anew_does_not_slip_past_a_revocation() {
    let alice = Subject::from("alice");
    let token = IssuedToken::new(&A, &A, Some(&alice), at(0));
    let list = list();
    assert!(list.may_reissue(token, at(20)).unwrap());
    // The revocation was asked for at second 10, and comes when the token has left again.
    list.end_all(&owner(&alice), &cutoff(10), None, at(10))
        .unwrap();
    assert_eq!(standing_of(&list, A, &alice, at(20)), Standing::Ended);
    assert!(!list.may_reissue(token, at(30)).unwrap());

    let renewed = after(&[(0, Renew(A, B, 10))]);
    let in_grace = IssuedToken::new(&A, &A, None, at(0));
    assert!(!renewed.may_reissue(in_grace, at(5)).unwrap());
}

/// A24, S05: a login that was under way when everything ended does not survive, whatever the clocks say.
#[test]
fn a_login_does_not_slip_past_a_revocation() {
    let alice = owner(&"alice".into());
    let keys = [alice.clone()];
    let issue = |list: &Revocations, admitted: &Admitted, second| {
        list.issue(&keys, admitted, at(second)).unwrap()
    };
    // The login was issued first; the clock is set back before the revocation.
    let issued = list();
    assert_eq!(issue(&issued, &admitted(20), 20), Some(at(20)));
    issued.end_all(&alice, &cutoff(10), None, at(10)).unwrap();
    assert_eq!(
        standing_of(&issued, A, &"alice".into(), at(20)),
        Standing::Ended
    );

    let revoked = list();
    revoked.end_all(&alice, &cutoff(30), None, at(30)).unwrap();
    for (second, survives) in [(29, false), (30, false), (31, true)] {
        let issued = issue(&revoked, &admitted(second), 40);
        assert_eq!(issued.is_some(), survives, "{second}");
    }
    // One of the same process that arrived after the answer, while the clock stands.
    let next = Admitted::new(at(30), [1; 16]);
    assert!(issue(&revoked, &next, 30).unwrap() > at(30));
}

/// S15, S09: a clock that once ran ahead moves a cut-off by less than the allowance, so a login is believed.
#[test]
fn a_clock_that_jumped_ahead_locks_nobody_out() {
    let alice = owner(&"alice".into());
    let list = list();
    let year = 365 * 86_400;
    let ahead = Admitted::new(at(year), [2; 16]);
    assert!(
        list.issue(std::slice::from_ref(&alice), &ahead, at(year))
            .unwrap()
            .is_some()
    );
    list.end_all(&alice, &cutoff(10), None, at(10)).unwrap();
    let later = Admitted::new(at(10), [1; 16]);
    let issue = list.issue(&[alice], &later, at(10)).unwrap().unwrap();
    assert!(issue <= at(10).after(CLOCK_ALLOWANCE), "{issue:?}");
    assert_eq!(
        standing_of(&list, A, &"alice".into(), issue),
        Standing::Current
    );
    let ended = at(10).after(CLOCK_ALLOWANCE - Duration::from_millis(1));
    assert_eq!(
        standing_of(&list, A, &"alice".into(), ended),
        Standing::Ended
    );
}

#[test]
fn entries_are_dropped_once_their_tokens_have_expired() {
    let list = list();
    for byte in 0..100 {
        assert!(list.end(&id(byte), Ended, at(100), at(0)).unwrap());
    }
    let brief = Cutoff::new(at(0), at(100), [0; 16]);
    list.end_all(&owner(&"alice".into()), &brief, None, at(0))
        .unwrap();
    assert_eq!(list.len(), 101);
    // A clock that was set back a little may still believe those tokens.
    assert!(list.end(&id(200), Ended, at(900), at(159)).unwrap());
    assert_eq!(list.len(), 102);
    for byte in 201..=230 {
        assert!(list.end(&id(byte), Ended, at(900), at(160)).unwrap());
    }
    assert_eq!(list.len(), 31);
}

#[test]
fn an_entry_lasts_as_long_as_its_longest_token() {
    let list = list();
    let grace_until = at(10);
    let token = IssuedToken::new(&A, &A, None, at(0));
    let renewed = list.replace(
        token,
        B,
        Replacement::Renewed { grace_until },
        at(500),
        at(0),
    );
    assert!(renewed.unwrap().is_some());
    assert!(list.end(&A, Ended, at(100), at(20)).unwrap());
    for byte in 100..120 {
        assert!(list.end(&id(byte), Ended, at(900), at(300)).unwrap());
    }
    check(&list, 301, &[(A, Standing::Ended)]);
}

/// R67, R69.
#[test]
fn the_session_that_ends_the_others_is_spared() {
    let alice = Subject::from("alice");
    let key = owner(&alice);
    let token = |id, issued_at| IssuedToken::new(id, id, Some(&alice), issued_at);
    let list = list();
    assert!(
        list.end_others(token(&A, at(1)), &key, &cutoff(10), at(10))
            .unwrap()
    );
    assert_eq!(list.standing(token(&A, at(1)), at(50)), Standing::Current);
    assert_eq!(list.standing(token(&B, at(10)), at(50)), Standing::Ended);
    assert_eq!(list.standing(token(&B, at(11)), at(50)), Standing::Current);

    // Its next token lives, also within the same moment.
    let next = list.replace(token(&A, at(1)), C, Replacement::Elevated, at(100), at(10));
    let issue = next.unwrap().unwrap();
    assert!(issue > at(10));
    let successor = IssuedToken::new(&A, &C, Some(&alice), issue);
    assert_eq!(list.standing(successor, at(50)), Standing::Current);

    // And everything ends that token too.
    list.end_all(&key, &cutoff(10), None, at(10)).unwrap();
    assert_eq!(list.standing(successor, at(50)), Standing::Ended);
}

/// A24, R16.
#[test]
fn nothing_that_ended_comes_back_by_ending_the_others() {
    let alice = Subject::from("alice");
    let key = owner(&alice);
    let token = IssuedToken::new(&A, &A, Some(&alice), at(1));
    let revoked = list();
    revoked.end_all(&key, &cutoff(10), None, at(10)).unwrap();
    assert!(
        !revoked
            .end_others(token, &key, &cutoff(20), at(20))
            .unwrap()
    );
    assert_eq!(revoked.standing(token, at(21)), Standing::Ended);
    assert_eq!(standing_of(&revoked, B, &alice, at(15)), Standing::Current);

    let logged_out = after(&[(1, End(Ended))]);
    assert!(
        !logged_out
            .end_others(token, &key, &cutoff(20), at(20))
            .unwrap()
    );
    assert_eq!(
        standing_of(&logged_out, B, &alice, at(0)),
        Standing::Current
    );
}

/// S04: at the bound what lets tokens leave fails, while endings are remembered in room kept for them.
#[test]
fn a_full_list_remembers_endings_only() {
    let list = Revocations::new(32);
    let alice = owner(&"alice".into());
    let token = IssuedToken::new(&A, &A, None, at(0));
    assert_eq!(list.occupancy(), Occupancy::Low);
    for byte in 100..116 {
        assert!(list.end(&id(byte), Ended, at(100), at(0)).unwrap());
    }
    assert_eq!(list.occupancy(), Occupancy::High);
    for byte in 116..132 {
        assert!(list.may_reissue(token, at(0)).unwrap());
        assert!(list.end(&id(byte), Ended, at(100), at(0)).unwrap());
    }
    assert_eq!(list.occupancy(), Occupancy::Full);
    assert_eq!(
        list.issue(std::slice::from_ref(&alice), &admitted(0), at(0)),
        Err(Full)
    );
    assert_eq!(list.may_reissue(token, at(0)), Err(Full));
    let elevate =
        |list: &Revocations| list.replace(token, B, Replacement::Elevated, at(100), at(0));
    assert_eq!(elevate(&list), Err(Full));
    // A logout, and everything of a subject.
    assert!(list.end(&A, Ended, at(100), at(0)).unwrap());
    list.end_all(&alice, &cutoff(0), None, at(0)).unwrap();
    assert_eq!(list.standing(token, at(0)), Standing::Ended);
    // The same again takes no more room; something new does not fit.
    assert!(!list.end(&A, Ended, at(100), at(0)).unwrap());
    assert_eq!(list.end(&B, Ended, at(100), at(0)), Err(Full));
    // Once they have expired, a login finds room, also where nobody is left to log out.
    let late = 100 + 61;
    let issued = list.issue(&[owner(&"bob".into())], &admitted(late), at(late));
    assert!(issued.unwrap().is_some());
}

/// S04: a login finds room once what filled the list is over, also where nobody is left who could log out.
#[test]
fn a_list_whose_entries_are_over_is_not_full() {
    let filled = || {
        let list = Revocations::new(200);
        for byte in 0..=212 {
            let ended = list.end(&id(byte), Ended, at(100), at(0));
            assert_eq!(ended.is_ok(), byte < 212, "{byte}");
        }
        list
    };
    let token = IssuedToken::new(&A, &A, None, at(0));
    let alice = [owner(&"alice".into())];
    let late = 100 + 60;
    let list = filled();
    for (now, has_room) in [(late - 1, false), (late, true)] {
        let issued = list.issue(&alice, &admitted(now), at(now));
        assert_eq!(issued.is_ok(), has_room, "{now}");
    }
    assert!(filled().may_reissue(token, at(late)).is_ok());
    let replaced = filled().replace(token, B, Replacement::Elevated, at(999), at(late));
    assert!(replaced.is_ok());
    assert!(filled().end(&A, Ended, at(999), at(late)).is_ok());
}

/// R56: how a session ended, whatever its token is by now.
#[test]
fn the_end_of_a_session_is_told_by_any_of_its_tokens() {
    let alice = "alice".into();
    let ending = |list: &Revocations, token: SessionId, subject, second| {
        list.ending(IssuedToken::new(&A, &token, subject, at(second)))
    };
    let list = after(&[(1, Renew(A, B, 10)), (2, Elevate(B, C))]);
    for token in [A, B, C] {
        assert_eq!(ending(&list, token, None, 0), None);
    }
    for how in [Ended, Superseded] {
        let list = after(&[(1, Elevate(A, B)), (2, End(how))]);
        assert_eq!(ending(&list, A, None, 0), Some(how));
        assert_eq!(ending(&list, B, None, 0), Some(how));
    }
    // With everything of a subject, but for the session that is spared.
    list.end_all(&owner(&alice), &cutoff(5), Some(A), at(5))
        .unwrap();
    assert_eq!(ending(&list, C, Some(&alice), 2), None);
    list.end_all(&owner(&alice), &cutoff(6), None, at(6))
        .unwrap();
    assert_eq!(ending(&list, C, Some(&alice), 2), Some(Ended));
    assert_eq!(ending(&list, C, Some(&alice), 7), None);
}
