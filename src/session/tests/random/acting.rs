//! Random lives of a user who acts as others and returns: what they have is told in plain words, request by request.

use std::time::Duration;

use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any},
    prop_assert, prop_assert_eq, prop_oneof, proptest,
    strategy::Just,
};

use super::{
    Case, HELD, NOW, authentication, cases, level, mark, outcome,
    plain::{level_at, written},
    session,
};
use crate::session::{
    authentication::{AssuranceLevel, Authentication, Subject},
    event::EventKind,
    impersonation::Impersonation,
    live::{Live, Signature},
    mark::Mark,
    plan::Plan,
    policy::SessionPolicy,
    settle::Outcome,
    standing::Standing,
    state::{Schema, State},
    time::Timestamp,
};

const ALICE: &str = "alice";

/// What a handler says: at most one mark that begins or ends an impersonation, and first.
fn request() -> impl Strategy<Value = (Vec<Mark>, Outcome)> {
    let who = super::subject();
    let act = (who, option::of(level()), 1..3600_u64).prop_map(|(who, level, seconds)| {
        let time = Duration::from_secs(seconds);
        Mark::Impersonate(Impersonation {
            level,
            ..Impersonation::of(who).lasting(time)
        })
    });
    let switch = option::of(prop_oneof![act, Just(Mark::EndImpersonation)]);
    let stays = |mark: &Mark| !matches!(mark, Mark::Login(_) | Mark::Logout);
    let others = vec(mark().prop_filter("stays logged in", stays), 0..4);
    (switch, others, outcome()).prop_map(|(switch, others, outcome)| {
        let marks = switch.into_iter().chain(others);
        (marks.collect(), outcome)
    })
}

fn alice() -> impl Strategy<Value = Live> {
    (session(), authentication(), any::<bool>()).prop_map(|(mut live, who, persistent)| {
        live.standing = Some(Standing::Current);
        live.signature = Signature::Current;
        (live.suspended, live.rebind) = (false, false);
        live.state.persistent = persistent;
        live.state.authentication = Some(Authentication {
            subject: ALICE.into(),
            ..who
        });
        super::admitted(live, &SessionPolicy::aal2(), false)
    })
}

fn subject_of(state: &State) -> &Subject {
    &state.authentication.as_ref().unwrap().subject
}

/// Moments at which a level of either may change.
fn moments(states: [&State; 2]) -> Vec<Timestamp> {
    let ends = states.map(|state| state.authentication.as_ref()?.elevation?.until);
    let ends = ends.into_iter().flatten();
    let around = ends.flat_map(|end| [end, Timestamp::from_unix_millis(end.as_unix_millis() - 1)]);
    let marked = (0..=10).map(|minute| NOW.after(Duration::from_secs(minute * 60)));
    around.chain(marked).filter(|at| *at >= NOW).collect()
}

proptest! {
    #![proptest_config(cases())]

    /// R01, R04, R61, R64.
    #[test]
    fn no_life_of_an_actor_gains_a_level(mut live in alice(), life in vec(request(), 1..8)) {
        // Alice's own session as it was when she began to act, and until when she may.
        let mut own: Option<(State, Timestamp)> = None;
        for (marks, outcome) in life {
            let before = live.state.clone();
            let first = marks.first().cloned();
            let case = Case {
                live: Some(live.clone()),
                retired_token: false,
                marks: marks.into_iter().map(|mark| (NOW, mark)).collect(),
                outcome,
                client: Box::default(),
                policy: SessionPolicy::aal2(),
            };
            let settled = case.settle();
            let after = written(&settled.plan).unwrap_or(&before).clone();
            let counts = outcome == Outcome::Answered;
            let told = |kind| settled.events.contains(&kind);
            match (first, &own) {
                (Some(Mark::Impersonate(acting)), None) if counts && acting.subject.as_str() != ALICE => {
                    let end = NOW.after(acting.lasting).min(before.absolute_expiry);
                    prop_assert_eq!(subject_of(&after), &acting.subject);
                    prop_assert!(told(EventKind::ImpersonationBegan));
                    let asked = acting.level.map_or(u8::MAX, AssuranceLevel::get);
                    let elevated = case.marks.iter().any(|(_, mark)| matches!(mark, Mark::Elevate(_)));
                    prop_assert!(elevated || level_at(after.authentication.as_ref(), NOW) <= asked);
                    own = Some((before.clone(), end));
                }
                (Some(Mark::EndImpersonation), Some((was, _))) if counts => {
                    prop_assert!(told(EventKind::ImpersonationEnded));
                    // What is marked after the return is alice's own again.
                    let bare = case.marks.len() == 1;
                    prop_assert!(!bare || after.authentication == was.authentication);
                    prop_assert!(!bare || after.entries == was.entries);
                    prop_assert!(!bare || after.methods() == was.methods());
                    prop_assert_eq!(after.absolute_expiry, was.absolute_expiry);
                    prop_assert_eq!(after.persistent, was.persistent);
                    prop_assert_eq!(&after.label, &was.label);
                    own = None;
                }
                (Some(Mark::Impersonate(_) | Mark::EndImpersonation), _) => {
                    let starts = matches!(settled.plan, Plan::Start { .. });
                    prop_assert!(!starts, "nobody acts twice over, or returns from nothing");
                    prop_assert_eq!(told(EventKind::ImpersonationDropped), !counts);
                    prop_assert_eq!(told(EventKind::ImpersonationRefused), counts);
                }
                _ => {
                    let starts = matches!(settled.plan, Plan::Start { .. });
                    prop_assert!(!starts, "{:?}", settled.plan);
                }
            }
            prop_assert_eq!(after.created_at, before.created_at);
            match &own {
                None => {
                    prop_assert_eq!(subject_of(&after).as_str(), ALICE);
                    prop_assert_eq!(after.actor(), None);
                }
                Some((was, end)) => {
                    prop_assert_eq!(after.actor().map(Subject::as_str), Some(ALICE));
                    prop_assert!(subject_of(&after).as_str() != ALICE);
                    prop_assert_eq!(after.absolute_expiry, *end);
                    prop_assert!(!after.persistent && after.methods().is_empty());
                    for moment in moments([&after, was]) {
                        let is = level_at(after.authentication.as_ref(), moment);
                        let most = level_at(was.authentication.as_ref(), moment);
                        prop_assert!(is <= most, "{is} at {moment:?}, where alice has {most}");
                    }
                    let mut entries = after.entries.iter();
                    prop_assert!(!entries.any(|entry| entry.value == HELD));
                }
            }
            let mut bytes = Vec::new();
            after.encode_into(&mut bytes);
            let read = State::decode(&bytes, Schema::V2, after.last_seen_at);
            prop_assert_eq!(read.as_ref(), Ok(&after));
            live.state = after;
        }
    }
}
