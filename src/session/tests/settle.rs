//! `settle`: every row of what marks do, by outcome, and by how firmly the request still holds its session.

use super::notation::{NOW, came, live, marks, show};
use crate::session::{
    binding,
    event::EventKind::{self, ElevationRefused, ResurrectionBlocked},
    mark::{Login, Mark},
    plan::{Plan, Settled, Verdict},
    policy::SessionPolicy,
    settle::{Outcome, Realm, Settlement, Upkeep, settle, without_session},
};
use std::time::Duration;

use Outcome::{Answered, Dropped, Failed};

fn settled(who: &str, text: &str, outcome: Outcome, policy: &SessionPolicy) -> Settled {
    settle(&Settlement {
        live: live(who).as_ref(),
        came: &came(who.contains("retired"), &[]),
        marks: &marks(text),
        outcome,
        now: NOW,
        policy,
        realm: Realm::default(),
        data_budget: usize::MAX,
            upkeep: Upkeep::Everything,
    })
}

/// With the default policy, whose idle touch is due after a minute and which renews nothing.
#[track_caller]
fn check(who: &str, text: &str, outcome: Outcome, expected: &str) {
    let policy = SessionPolicy::default();
    assert_eq!(show(&settled(who, text, outcome, &policy)), expected);
}

/// R01, R02, R04, R07.
#[test]
fn a_login_starts_a_new_session() {
    check("anonymous", "login:alice", Answered, "start alice@1; logged_in");
    check("retired", "login:alice", Answered, "start alice@1; logged_in");
    check("guest", "login:alice", Answered, "start alice@1 c*=2; logged_in");
    check("alice@1", "login:alice", Answered, "start alice@1 c*=2 k=1; reauthenticated");
    check("alice@1", "login:bob", Answered, "start bob@1; subject_switched");
    check("alice@1 lost", "login:alice", Answered, "start alice@1 c*=2 k=1; reauthenticated");
    check("alice@1 grace", "login:bob", Answered, "start bob@1; subject_switched");
    check("guest", "login:alice elevate:2", Answered, "start alice@2 c*=2; logged_in elevated");
    check("alice@1 lost", "login:bob elevate:2", Answered, "start bob@2; subject_switched elevated");
    check("alice@1", "logout login:bob", Answered, "start afterwards bob@1; logged_out logged_in");
}

/// R10: what raises privilege needs an answer below 500.
#[test]
fn a_login_whose_handler_failed_is_dropped() {
    check("guest", "login:alice", Failed, "keep; login_dropped");
    check("guest", "login:alice", Dropped, "keep; login_dropped");
    check("alice@1", "login:bob put:x:1", Failed, "keep; login_dropped data_dropped");
    check("alice@1", "logout login:bob", Failed, "end; logged_out login_dropped");
    check("alice@1", "logout login:bob", Dropped, "end; logged_out login_dropped");
    check("alice@1", "login:bob logout", Dropped, "end; login_dropped logged_out");
}

/// R03.
#[test]
fn an_elevation_and_a_step_down_replace_the_token() {
    check("alice@1", "elevate:2", Answered, "rotate elevated alice@2 c*=2 k=1; elevated");
    check("alice@1 grace", "elevate:2", Answered, "rotate elevated alice@2 c*=2 k=1; elevated");
    check("alice@2", "step-down", Answered, "rotate steppeddown alice@1 c*=2 k=1; stepped_down");
    check("alice@1", "step-down", Answered, "rotate steppeddown alice@1 c*=2 k=1; stepped_down");
    check("alice@1", "elevate:2 put:x:1", Answered, "rotate elevated alice@2 c*=2 k=1 x=1; elevated");
    check("alice@1", "renew elevate:2", Answered, "rotate elevated alice@2 c*=2 k=1; elevated");
    check("guest", "elevate:2", Answered, "keep; elevation_without_login");
    check("anonymous", "elevate:2", Answered, "keep; elevation_without_login");
    check("anonymous", "step-down", Answered, "keep; step_down_without_login");
    check("guest", "step-down", Answered, "keep; step_down_without_login");
    check("alice@1", "elevate:2", Failed, "keep; elevation_dropped");
    check("alice@1", "elevate:2", Dropped, "keep; elevation_dropped");
}

/// R11: of several elevations of one token, those that come too late are refused.
#[test]
fn an_elevation_of_a_lost_token_is_refused() {
    check("alice@1 lost", "elevate:2", Answered, "keep; elevation_refused; refused");
    check("alice@1 lost", "put:x:1 elevate:2", Answered, "keep; elevation_refused; refused");
    check("alice@1 lost", "elevate:2 logout", Answered, "end; elevated logged_out");
    check("alice@2 lost", "step-down elevate:2", Answered, "save lower alice@1 c*=2 k=1; stepped_down elevation_refused; refused");
    check("alice@1 lost", "elevate:2", Failed, "keep; elevation_dropped");
}

/// Invariant 4: what lowers privilege is carried out whatever happens to the response.
#[test]
fn what_lowers_privilege_happens_whatever_becomes_of_the_response() {
    check("alice@2", "step-down", Failed, "rotate steppeddown alice@1 c*=2 k=1; stepped_down");
    check("alice@2", "step-down", Dropped, "save lower alice@1 c*=2 k=1; stepped_down");
    check("alice@2 lost", "step-down", Answered, "save lower alice@1 c*=2 k=1; stepped_down");
    check("alice@1", "step-down", Dropped, "keep; stepped_down");
    check("alice@1 lost", "step-down", Answered, "keep; stepped_down");
    check("alice@1 lost", "step-down put:x:1", Answered, "save lower alice@1 c*=2 k=1 x=1; stepped_down");
    for who in ["alice@2", "alice@2 lost", "alice@2 grace", "guest"] {
        for outcome in [Answered, Failed, Dropped] {
            check(who, "logout", outcome, "end; logged_out");
        }
    }
    check("anonymous", "logout", Answered, "end");
    check("retired", "logout", Answered, "end");
    check("retired", "logout put:x:1", Answered, "end; retired_token_data_dropped");
    check("guest retired", "logout put:x:1", Answered, "end; logged_out retired_token_data_dropped");
}

/// Invariant 6: beside a retired token, the guest session that came too is read, ended or left alone.
#[test]
fn a_request_with_a_retired_token_writes_nothing_but_a_login() {
    check("guest retired", "put:x:1", Answered, "keep; retired_token_data_dropped");
    check("guest retired", "put:k:1", Answered, "keep");
    check("guest retired", "renew", Answered, "keep; renewal_skipped");
    check("guest retired idle stale", "", Answered, "keep");
    check("guest retired", "logout", Answered, "end; logged_out");
    check("guest retired", "login:alice", Answered, "start alice@1 c*=2; logged_in");
}

/// D11, A50: nothing leaves in the place of a token that a binding replaced, or it would be a session without the device.
#[test]
fn a_request_that_crosses_with_a_binding_writes_nothing_but_a_login() {
    check("alice@1 crossing", "", Answered, "keep");
    check("alice@1 crossing idle stale", "", Answered, "keep");
    check("alice@1 crossing", "put:x:1", Answered, "keep; unbound_use_data_dropped; bound meanwhile");
    check("alice@1 crossing", "renew put:x:1", Answered, "keep; unbound_use_data_dropped; bound meanwhile");
    check("alice@1 crossing", "put:x:1", Failed, "keep; data_dropped");
    check("alice@1 crossing", "put:x:1", Dropped, "keep; data_dropped");
    check("alice@1 crossing", "put:k:1", Answered, "keep");
    check("alice@1 crossing", "renew", Answered, "keep; renewal_skipped");
    check("alice@1 crossing", "elevate:2", Answered, "keep; elevation_refused; refused");
    check("alice@1 crossing", "put:x:1 elevate:2", Answered, "keep; elevation_refused; refused");
    check("alice@1 crossing", "elevate:2", Failed, "keep; elevation_dropped");
    for outcome in [Answered, Failed, Dropped] {
        check("alice@2 crossing", "step-down", outcome, "save lower alice@1 c*=2 k=1; stepped_down");
        check("alice@2 crossing", "logout", outcome, "end; logged_out");
    }
    check("alice@2 crossing", "step-down put:x:1", Answered,
        "save lower alice@1 c*=2 k=1; stepped_down unbound_use_data_dropped; bound meanwhile");
    check("alice@1 crossing", "login:alice", Answered, "start alice@1 c*=2 k=1; reauthenticated");
    check("alice@1 crossing", "logout put:x:1", Answered, "start afterwards guest x=1; logged_out created");
}

/// R12.
#[test]
fn a_renewal_needs_the_token_of_now() {
    check("alice@1", "renew", Answered, "rotate renewed alice@1 c*=2 k=1; renewed");
    check("alice@1", "renew", Failed, "rotate renewed alice@1 c*=2 k=1; renewed");
    check("alice@1", "renew", Dropped, "keep; renewal_dropped");
    check("alice@1", "renew put:x:1 renew", Dropped, "keep; renewal_dropped data_dropped");
    check("alice@1", "renew put:x:1", Failed, "rotate renewed alice@1 c*=2 k=1; data_dropped renewed");
    check("alice@1 grace", "renew", Answered, "keep; renewal_skipped");
    check("alice@1 lost", "renew", Answered, "keep; renewal_skipped");
    check("alice@1 grace", "renew put:x:1", Answered, "save data alice@1 c*=2 k=1 x=1; renewal_skipped");
    check("guest", "renew", Answered, "rotate renewed guest c*=2 k=1; renewed");
    check("anonymous", "renew", Answered, "keep; renewal_without_session");
}

/// R16, R17.
#[test]
fn data_is_saved_under_the_same_token_and_begins_a_session_only_for_a_guest() {
    check("alice@1", "put:x:1", Answered, "save data alice@1 c*=2 k=1 x=1");
    check("alice@1 lost", "put:x:1", Answered, "save data alice@1 c*=2 k=1 x=1");
    check("alice@1", "remove:k", Answered, "save data alice@1 c*=2");
    check("alice@1", "remove:absent", Answered, "keep");
    check("alice@1", "put:k:1", Answered, "keep");
    check("alice@1", "put:x:1", Failed, "keep; data_dropped");
    check("alice@1", "put:x:1 put:y:2", Dropped, "keep; data_dropped");
    check("anonymous", "put:x:1", Answered, "start guest x=1; created");
    check("anonymous", "remove:x", Answered, "keep");
    check("anonymous", "put:x:1 remove:x", Answered, "keep");
    check("retired", "put:x:1", Answered, "keep; retired_token_data_dropped");
    check("alice@1", "logout put:x:1", Answered, "start afterwards guest x=1; logged_out created");
    check("alice@1", "logout put:x:1", Failed, "end; logged_out data_dropped");
}

/// R11: an update takes what is there when it is settled, and what it makes nothing of goes.
#[test]
fn an_update_is_made_on_what_the_session_holds_by_then() {
    check("alice@1", "append:k:7", Answered, "save data alice@1 c*=2 k=17");
    check("alice@1 lost", "append:k:7", Answered, "save data alice@1 c*=2 k=17");
    check("alice@1", "put:k:3 append:k:7 append:k:8", Answered, "save data alice@1 c*=2 k=378");
    check("alice@1", "append:x:7", Answered, "save data alice@1 c*=2 k=1 x=7");
    check("alice@1", "clear:k", Answered, "save data alice@1 c*=2");
    check("alice@1", "clear:absent", Answered, "keep");
    check("alice@1", "append:k:7 remove:k put:k:1", Answered, "keep");
    check("alice@1", "login:alice append:k:7", Answered, "start alice@1 c*=2 k=17; reauthenticated");
    check("alice@1", "append:k:7 login:bob append:k:8", Answered, "start bob@1 k=8; subject_switched");
    check("alice@1", "logout append:k:7", Answered, "start afterwards guest k=7; logged_out created");
    check("anonymous", "append:k:7", Answered, "start guest k=7; created");
    check("anonymous", "clear:k", Answered, "keep");
    check("retired", "append:k:7", Answered, "keep; retired_token_data_dropped");
    check("guest retired", "append:k:7", Answered, "keep; retired_token_data_dropped");
    check("alice@2 suspended", "append:k:7", Answered, "keep; suspended_session_data_dropped");
    check("alice@1 expiring", "append:k:7", Answered, "keep; expiring_key_data_dropped");
    for outcome in [Failed, Dropped] {
        check("alice@1", "append:k:7", outcome, "keep; data_dropped");
        check("alice@1", "append:k:7 put:x:1 clear:k", outcome, "keep; data_dropped");
    }
}

/// R10, R11: an answer that claims an update which failed meanwhile is withheld, and what lowers holds all the same.
#[test]
fn an_update_that_fails_on_what_others_left_withholds_the_answer() {
    // What is under `k` then is no number.
    check("alice@1", "put:k:x append:k:7", Answered, "keep; update_failed; conflict");
    check("anonymous", "put:k:x append:k:7", Answered, "keep; update_failed; conflict");
    check("alice@1", "put:k:x append:k:7 login:bob", Answered, "keep; update_failed; conflict");
    check("alice@2", "put:k:x append:k:7 step-down", Answered, "save lower alice@1 c*=2 k=1; stepped_down update_failed; conflict");
    check("alice@1", "logout put:k:x append:k:7", Answered, "end; logged_out update_failed; conflict");
    // What comes after a logout knows nothing of what came before.
    check("alice@1", "put:k:x append:k:7 logout", Answered, "end; logged_out");
    check("alice@1", "put:k:x append:k:7", Failed, "keep; data_dropped");
    check("alice@1", "put:k:x append:k:7", Dropped, "keep; data_dropped");
}

/// R11, R28: what others wrote meanwhile counts towards the size; what shrinks a session may always be written.
#[test]
fn data_that_others_left_no_room_for_withholds_the_answer() {
    let check = |who: &str, text: &str, data_budget, expected: &str| {
        let settled = settle(&Settlement {
            live: live(who).as_ref(),
            came: &came(false, &[]),
            marks: &marks(text),
            outcome: Answered,
            now: NOW,
            policy: &SessionPolicy::default(),
            realm: Realm::default(),
            data_budget,
            upkeep: Upkeep::Everything,
        });
        assert_eq!(show(&settled), expected, "{text}");
    };
    // Five bytes an entry: flags, two lengths, a name, a value.
    check("alice@1", "put:x:1", 15, "save data alice@1 c*=2 k=1 x=1");
    check("alice@1", "put:x:1", 14, "keep; data_too_large; conflict");
    check("alice@1", "append:k:7", 11, "save data alice@1 c*=2 k=17");
    check("alice@1", "append:k:7", 10, "keep; data_too_large; conflict");
    check("alice@1", "append:k:7 elevate:2", 10, "keep; data_too_large; conflict");
    check("alice@1", "logout put:x:1111111", 10, "end; logged_out data_too_large; conflict");
    check("alice@1", "remove:k", 0, "save data alice@1 c*=2");
    check("alice@1", "login:alice", 0, "start alice@1 c*=2 k=1; reauthenticated");
}

/// A guest's session is there for its data: without any it ends. A user's is there for its user.
#[test]
fn a_guests_session_ends_with_its_last_value() {
    check("guest", "remove:k", Answered, "save data guest c*=2");
    check("guest", "remove:k remove:c", Answered, "end guest guest; guest_ended");
    check("guest", "clear:k clear:c", Answered, "end guest guest; guest_ended");
    check("guest idle", "remove:k remove:c", Answered, "end guest guest; guest_ended");
    check("guest stale", "remove:k remove:c", Answered, "end guest guest; guest_ended");
    check("guest grace", "remove:k remove:c", Answered, "end guest guest; guest_ended");
    check("guest lost", "remove:k remove:c", Answered, "end guest guest; guest_ended");
    check("guest", "remove:k renew remove:c", Answered, "end guest guest; guest_ended");
    check("guest", "remove:k remove:c put:x:1", Answered, "save data guest x=1");
    check("guest", "remove:k remove:c login:alice", Answered, "start alice@1; logged_in");
    check("guest", "remove:k remove:c logout", Answered, "end; logged_out");
    check("guest", "logout put:x:1 remove:x", Answered, "end; logged_out");
    check("alice@1", "remove:k remove:c", Answered, "save data alice@1");
    check("alice@1", "clear:k clear:c", Answered, "save data alice@1");
    check("anonymous", "put:x:1 remove:x", Answered, "keep");
    check("anonymous", "append:x:1 clear:x", Answered, "keep");
    check("guest retired", "remove:k remove:c", Answered, "keep; retired_token_data_dropped");
    check("guest expiring", "remove:k remove:c", Answered, "keep; expiring_key_data_dropped");
    check("alice@1 suspended", "remove:k remove:c", Answered, "keep");
    for outcome in [Failed, Dropped] {
        check("guest", "remove:k remove:c", outcome, "keep; data_dropped");
    }
}

/// R26, R60.
#[test]
fn unasked_a_session_is_touched_or_signed_again_at_most() {
    check("alice@1", "", Answered, "keep");
    check("alice@1 idle", "", Answered, "save touch alice@1 c*=2 k=1");
    check("alice@1 idle grace", "", Answered, "save touch alice@1 c*=2 k=1");
    check("alice@1 idle lost", "", Answered, "keep");
    check("alice@1 idle", "", Failed, "save touch alice@1 c*=2 k=1");
    check("alice@1 idle", "", Dropped, "keep");
    check("alice@1 stale", "", Answered, "save touch re-sign alice@1 c*=2 k=1; token_re_signed");
    check("alice@1 stale grace", "", Answered, "keep");
    check("alice@1 stale", "put:x:1", Answered, "save data re-sign alice@1 c*=2 k=1 x=1; token_re_signed");
    check("alice@1 stale lost", "put:x:1", Answered, "save data alice@1 c*=2 k=1 x=1");
}

/// S03: what is under an expiring key may be forged, so a self-contained token of it is never signed again.
#[test]
fn nothing_is_signed_again_under_an_expiring_key_but_a_login() {
    check("alice@1 expiring", "", Answered, "keep");
    check("alice@1 expiring idle", "", Answered, "keep");
    check("alice@1 expiring", "renew", Answered, "keep; renewal_skipped");
    check("alice@1 expiring", "put:x:1", Answered, "keep; expiring_key_data_dropped");
    check("alice@1 expiring", "elevate:2", Answered, "keep; elevation_refused; refused");
    check("alice@2 expiring", "step-down", Answered, "save lower alice@1 c*=2 k=1; stepped_down");
    check("alice@1 expiring", "logout", Answered, "end; logged_out");
    check("alice@1 expiring", "login:alice", Answered, "start alice@1 c*=2 k=1; reauthenticated");
}

/// R61, R77: a limit that passed while the handler ran.
#[test]
fn what_ended_while_its_handler_ran_is_only_lowered() {
    check("alice@1 over", "", Answered, "keep");
    check("alice@1 over idle stale moved", "", Answered, "keep");
    check("alice@1 over", "put:x:1", Answered, "keep; resurrection_blocked");
    check("alice@1 over", "remove:k", Answered, "keep; resurrection_blocked");
    check("alice@1 over", "put:x:1", Failed, "keep; data_dropped");
    check("alice@1 over", "renew", Answered, "keep; resurrection_blocked");
    check("alice@1 over", "elevate:2", Answered, "keep; elevation_refused; refused");
    check("alice@2 over", "step-down put:x:1", Answered, "save lower alice@1 c*=2 k=1; stepped_down resurrection_blocked");
    check("alice@2 over", "step-down", Dropped, "save lower alice@1 c*=2 k=1; stepped_down");
    check("alice@1 over", "logout", Answered, "end; logged_out");
    check("alice@1 over", "login:alice", Answered, "start alice@1 c*=2 k=1; reauthenticated");
    check("guest over", "login:alice", Answered, "start alice@1 c*=2; logged_in");
}

/// R59, R77: what nobody asked for is written after a look only, and beside a 304 only where that changes no cookie.
#[test]
fn upkeep_needs_a_look_and_a_cookie_needs_an_answer_that_takes_it() {
    let renews = SessionPolicy::default()
        .renew_every(Duration::from_secs(900))
        .unwrap();
    let plain = SessionPolicy::default();
    let touch = "save touch alice@1 c*=2 k=1";
    for (policy, who, text, is_stored, upkeep, expected) in [
        (&plain, "alice@1 idle", "", true, Upkeep::Nothing, "keep"),
        (&plain, "alice@1 idle", "", true, Upkeep::Silent, touch),
        (&plain, "alice@1 idle", "", false, Upkeep::Silent, "keep"),
        (&plain, "alice@1 moved", "", true, Upkeep::Silent, touch),
        (&plain, "alice@1 moved", "", false, Upkeep::Nothing, "keep"),
        (&plain, "alice@1 stale", "", true, Upkeep::Silent, "keep"),
        (&plain, "alice@1 idle stale", "", true, Upkeep::Silent, touch),
        (&plain, "alice@1 idle stale", "put:x:1", true, Upkeep::Nothing, "save data alice@1 c*=2 k=1 x=1"),
        (&plain, "alice@1 idle stale", "elevate:2", false, Upkeep::Nothing, "rotate elevated alice@2 c*=2 k=1; elevated"),
        (&renews, "alice@1", "", true, Upkeep::Nothing, "keep"),
        (&renews, "alice@1 idle", "", true, Upkeep::Silent, touch),
        (&renews, "alice@1", "put:x:1", false, Upkeep::Nothing, "save data alice@1 c*=2 k=1 x=1"),
        (&renews, "alice@1", "renew", false, Upkeep::Nothing, "rotate renewed alice@1 c*=2 k=1; renewed"),
    ] {
        let realm = Realm { audience: "", is_stored };
        let settled = settle(&Settlement {
            live: live(who).as_ref(),
            came: &came(false, &[]),
            marks: &marks(text),
            outcome: Answered,
            now: NOW,
            policy,
            realm,
            data_budget: usize::MAX,
            upkeep,
        });
        assert_eq!(show(&settled), expected, "{who} {text} {is_stored} {upkeep:?}");
    }
}

/// R93, S20: only a logged-in session remembers its client, a layer without a binding forgets none, and nobody claims
/// what was not shown at the login.
#[test]
fn only_who_is_logged_in_is_bound_to_a_client() {
    let saved = |who: &str, client: &[u8], remembered: &[u8]| {
        let mut live = live(who).unwrap();
        live.state.binding = remembered.into();
        let settled = settle(&Settlement {
            live: Some(&live),
            came: &came(false, client),
            marks: &marks("put:x:1"),
            outcome: Answered,
            now: NOW,
            policy: &SessionPolicy::default(),
            realm: Realm::default(),
            data_budget: usize::MAX,
            upkeep: Upkeep::Everything,
        });
        let Plan::Save { state, .. } = settled.plan else {
            panic!("{who}");
        };
        state.binding
    };
    let shown = |part: u8, digest: u8| {
        let parts = [0, 1, 2].map(|own| (own == part).then_some([digest; 16]));
        binding::encode([2; 3], parts)
    };
    assert_eq!(saved("alice@1", &shown(1, 7), &shown(1, 1)), shown(1, 7));
    assert_eq!(saved("alice@1", &[], &shown(1, 1)), shown(1, 1));
    assert_eq!(*saved("alice@1", &shown(1, 7), &[]), [0; 0]);
    assert_eq!(*saved("alice@1", &shown(1, 7), &shown(0, 1)), [0; 0]);
    assert_eq!(*saved("guest", &shown(1, 7), &[]), [0; 0]);
}

/// R93: a session that is suspended for this client can be ended and logged into, and nothing else.
#[test]
fn a_suspended_session_counts_as_anonymous() {
    check("alice@2 suspended", "", Answered, "keep");
    check("alice@2 suspended idle stale", "", Answered, "keep");
    check("alice@2 suspended", "put:x:1", Answered, "keep; suspended_session_data_dropped");
    check("alice@2 suspended", "renew", Answered, "keep; renewal_skipped");
    check("alice@2 suspended", "elevate:3", Answered, "keep; elevation_without_login");
    check("alice@2 suspended", "step-down", Answered, "keep; step_down_without_login");
    check("alice@2 suspended", "logout", Answered, "end; logged_out");
    check("alice@2 suspended", "login:bob", Answered, "start bob@1; subject_switched");
    check("alice@1 moved", "", Answered, "save touch alice@1 c*=2 k=1");
    check("alice@1 moved lost", "", Answered, "keep");
}

#[test]
fn the_policy_renews_a_token_of_some_age() {
    let every = |seconds| {
        SessionPolicy::default()
            .renew_every(Duration::from_secs(seconds))
            .unwrap()
    };
    #[track_caller]
    fn check(policy: &SessionPolicy, who: &str, text: &str, outcome: Outcome, expected: &str) {
        assert_eq!(show(&settled(who, text, outcome, policy)), expected);
    }
    let (due, not_due) = (every(900), every(901));
    let renewed = "rotate renewed alice@1 c*=2 k=1; renewed_by_policy";
    check(&due, "alice@1", "", Answered, renewed);
    check(&due, "alice@1", "", Dropped, "keep");
    check(&due, "alice@1 grace", "", Answered, "keep");
    check(&due, "alice@1", "renew", Answered, "rotate renewed alice@1 c*=2 k=1; renewed");
    check(&due, "alice@1", "elevate:2", Answered, "rotate elevated alice@2 c*=2 k=1; elevated");
    check(&not_due, "alice@1", "", Answered, "keep");
}

/// R61, R62: an elevation restarts nothing but the time of authentication; a login restarts everything.
#[test]
fn only_a_login_moves_the_absolute_limit() {
    let policy = SessionPolicy::default();
    let before = live("alice@1").unwrap().state;
    for text in ["elevate:2", "step-down", "renew"] {
        let Plan::Rotate { state, .. } = settled("alice@1", text, Answered, &policy).plan else {
            panic!("{text}");
        };
        assert_eq!(state.absolute_expiry, before.absolute_expiry, "{text}");
        assert_eq!(state.created_at, before.created_at, "{text}");
        assert_eq!((state.rotated_at, state.last_seen_at), (NOW, NOW), "{text}");
        let proved = state.authentication.unwrap().authenticated_at;
        let expected = if text == "elevate:2" {
            NOW
        } else {
            before.authentication.as_ref().unwrap().authenticated_at
        };
        assert_eq!(proved, expected, "{text}");
    }
    let Plan::Start { state, .. } = settled("alice@1", "login:alice", Answered, &policy).plan
    else {
        panic!();
    };
    assert_eq!(state.absolute_expiry, NOW.after(policy.absolute_timeout()));
    assert_eq!((state.created_at, state.last_seen_at), (NOW, NOW));
}

/// What an elevation claims is refused, what else is not there any more is told, and what lowers is done already.
#[test]
fn nothing_brings_back_a_session_that_ended_meanwhile() {
    let check = |text, outcome, verdict, told: Option<EventKind>| {
        assert_eq!(without_session(&marks(text), outcome), (verdict, told), "{text}");
    };
    check("elevate:2", Answered, Verdict::Refused, Some(ElevationRefused));
    check("logout elevate:2", Answered, Verdict::Refused, Some(ElevationRefused));
    check("elevate:2", Failed, Verdict::Stands, Some(ResurrectionBlocked));
    check("elevate:2", Dropped, Verdict::Stands, Some(ResurrectionBlocked));
    for text in ["put:x:1", "remove:k", "renew", "login:alice", "step-down put:x:1"] {
        check(text, Answered, Verdict::Stands, Some(ResurrectionBlocked));
    }
    for text in ["", "logout", "step-down"] {
        check(text, Answered, Verdict::Stands, None);
    }
}

/// Of a session whose token is not admitted, nothing may be raised, renewed or touched.
#[test]
fn a_session_that_is_not_admitted_counts_as_lost() {
    for text in ["", "elevate:2", "step-down", "renew", "put:x:1", "logout", "login:bob"] {
        for outcome in [Answered, Failed, Dropped] {
            for extra in ["", " stale", " moved", " idle"] {
                let policy = SessionPolicy::default();
                let unadmitted = settled(&format!("alice@2 unadmitted{extra}"), text, outcome, &policy);
                let lost = settled(&format!("alice@2 lost{extra}"), text, outcome, &policy);
                assert_eq!(unadmitted, lost, "{text} {extra}");
            }
        }
    }
}

/// A login whose subject cannot be is no login at all, and the answer that claims it is withheld.
#[test]
fn a_login_of_no_usable_subject_changes_nothing_but_what_lowers() {
    let policy = SessionPolicy::default();
    let alice = live("alice@1");
    for (before, outcome, expected) in [
        ("", Answered, "keep; login_refused; unusable"),
        ("logout", Answered, "end; logged_out login_refused; unusable"),
        ("put:x:1", Answered, "keep; login_refused; unusable"),
        ("", Failed, "keep; login_dropped"),
    ] {
        let mut list = marks(before);
        list.push((NOW, Mark::Login(Login::new(""))));
        let input = Settlement {
            live: alice.as_ref(),
            came: &came(false, &[]),
            marks: &list,
            outcome,
            now: NOW,
            policy: &policy,
            realm: Realm::default(),
            data_budget: usize::MAX,
            upkeep: Upkeep::Everything,
        };
        assert_eq!(show(&settle(&input)), expected);
    }
}
