//! An auditor hears of everything that is done, and of everything that was dropped or refused.

use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{case, cases, plain::counts};
use crate::session::{
    draft::Rotation,
    event::EventKind::{
        Created, DataDropped, Elevated, ElevationDropped, ElevationRefused, GuestEnded, LoggedIn,
        LoggedOut, LoginDropped, LoginRefused, Reauthenticated, RenewalDropped, Renewed,
        RenewedByPolicy, SteppedDown, SubjectSwitched, TokenReSigned,
    },
    mark::Mark,
    plan::{Plan, Save, Verdict},
};

proptest! {
    #![proptest_config(cases())]

    /// R90.
    #[test]
    fn what_is_done_is_told(case in case()) {
        let settled = case.settle();
        let told = |kinds: &[_]| kinds.iter().any(|kind| settled.events.contains(kind));
        let is_told = match &settled.plan {
            // Who logs out and holds no session ends nothing of theirs.
            Plan::End => told(&[LoggedOut]) || case.live.is_none(),
            Plan::Start { state, .. } => match state.authentication {
                Some(_) => told(&[LoggedIn, Reauthenticated, SubjectSwitched]),
                None => told(&[Created]),
            },
            Plan::Rotate { how, .. } => match how {
                Rotation::Elevated => told(&[Elevated]),
                Rotation::SteppedDown => told(&[SteppedDown]),
                Rotation::Renewed => told(&[Renewed, RenewedByPolicy]),
            },
            Plan::Save { why: Save::Lower, .. } => told(&[SteppedDown]),
            Plan::Save { re_sign, .. } => !re_sign || told(&[TokenReSigned]),
            Plan::EndGuest { .. } => told(&[GuestEnded]),
            Plan::Nothing => true,
        };
        prop_assert!(is_told, "{:?} and {:?}", settled.plan, settled.events);
        let afterwards = matches!(settled.plan, Plan::Start { end_first: true, .. });
        prop_assert!(!afterwards || case.live.is_none() || told(&[LoggedOut]));
    }

    /// R10, R90: once each, whatever the number of marks.
    #[test]
    fn what_is_dropped_or_refused_is_told(case in case()) {
        let settled = case.settle();
        let times = |kind| settled.events.iter().filter(|told| **told == kind).count();
        prop_assert_eq!(times(ElevationRefused) > 0, settled.verdict == Verdict::Refused);
        prop_assert_eq!(times(LoginRefused) > 0, settled.verdict == Verdict::Unusable);
        if settled.verdict != Verdict::Stands {
            return Ok(());
        }
        let dropped = case.marks.iter().map(|(_, mark)| mark).filter(|mark| !counts(mark, case.outcome));
        let any = |test: fn(&Mark) -> bool| usize::from(dropped.clone().any(test));
        prop_assert_eq!(times(LoginDropped), any(|mark| matches!(mark, Mark::Login(_))));
        prop_assert_eq!(times(ElevationDropped), any(|mark| matches!(mark, Mark::Elevate(_))));
        prop_assert_eq!(times(RenewalDropped), any(|mark| matches!(mark, Mark::Renew)));
        let data = |mark: &Mark| matches!(mark, Mark::Insert { .. } | Mark::Remove { .. });
        prop_assert_eq!(times(DataDropped), any(data));
    }
}
