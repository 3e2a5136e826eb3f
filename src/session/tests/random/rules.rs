//! What a plan may be, rule by rule.

use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{
    NOW, case, cases,
    plain::{level_at, written},
    policy, session,
};
use crate::session::{
    admit::lower_remembered,
    draft::Rotation,
    live::Live,
    mark::Mark,
    plan::{Plan, Save, Verdict},
    settle::Outcome,
    time::Timestamp,
};

proptest! {
    #![proptest_config(cases())]

    /// R01, R02, R04, R18: nobody becomes somebody, and nobody becomes somebody else, but in a new session.
    #[test]
    fn only_a_login_makes_a_user_and_only_in_a_new_session(case in case()) {
        let settled = case.settle();
        let user = written(&settled.plan).and_then(|state| state.authentication.as_ref());
        let last = case.last_stretch().0;
        if settled.verdict == Verdict::Stands {
            let logs_in = matches!(last, Some(Mark::Login(_)));
            let starts = matches!(settled.plan, Plan::Start { .. });
            prop_assert_eq!(logs_in, starts && user.is_some());
        }
        match (&settled.plan, last, user) {
            (Plan::Start { .. }, Some(Mark::Login(login)), Some(user)) => {
                prop_assert_eq!(&user.subject, &login.subject);
                prop_assert_eq!(user.level, login.level);
                prop_assert!(user.authenticated_at <= NOW);
            }
            (Plan::Start { .. }, _, user) => prop_assert_eq!(user, None),
            (Plan::Save { .. } | Plan::Rotate { .. }, last, user) => {
                prop_assert!(last.is_none());
                let before = case.user();
                prop_assert_eq!(user.map(|who| &who.subject), before.map(|who| &who.subject));
                prop_assert_eq!(user.map(|who| who.level), before.map(|who| who.level));
            }
            (Plan::Nothing | Plan::End | Plan::EndGuest { .. }, _, _) => {}
        }
    }

    /// R10, A36: without an answer below 500 nothing is gained, neither a session nor a level nor data.
    #[test]
    fn what_raises_is_dropped_with_a_failed_answer(case in case()) {
        let settled = case.settle();
        if case.outcome == Outcome::Answered && settled.verdict == Verdict::Stands {
            return Ok(());
        }
        let starts = matches!(settled.plan, Plan::Start { .. });
        prop_assert!(!starts, "{:?}", settled.plan);
        if let Some(state) = written(&settled.plan) {
            let before = &case.live.as_ref().unwrap().state;
            prop_assert_eq!(&state.entries, &before.entries);
            for moment in case.moments(state) {
                let is = level_at(state.authentication.as_ref(), moment);
                prop_assert!(is <= level_at(case.user(), moment));
            }
            let proved = |state: &crate::session::state::State| {
                state.authentication.as_ref().map(|who| who.authenticated_at)
            };
            prop_assert_eq!(proved(state), proved(before));
        }
    }

    /// R05, A36: a logout ends the session however the request ends, and before anything new begins.
    #[test]
    fn a_logout_is_never_dropped(case in case()) {
        let settled = case.settle();
        if case.logs_out() {
            let ends = matches!(settled.plan, Plan::End | Plan::Start { end_first: true, .. });
            prop_assert!(ends, "{:?}", settled.plan);
        } else {
            let ends_first = matches!(settled.plan, Plan::End | Plan::Start { end_first: true, .. });
            prop_assert!(!ends_first, "{:?}", settled.plan);
        }
    }

    /// R64, A36: after a step-down no elevation is left but one that was asked for later.
    #[test]
    fn a_step_down_is_never_dropped(case in case()) {
        let settled = case.settle();
        let (began, since) = case.last_stretch();
        let stepped = since.iter().rposition(|(_, mark)| *mark == Mark::StepDown);
        let (None, Some(stepped), Some(user)) = (began, stepped, case.user()) else {
            return Ok(());
        };
        let again = |(_, mark): &&(Timestamp, Mark)| matches!(mark, Mark::Elevate(_));
        let raised = since[stepped..].iter().any(again);
        if !raised && !matches!(settled.plan, Plan::End) {
            let left = match written(&settled.plan) {
                Some(state) => state.authentication.clone(),
                None => Some(user.clone()),
            };
            prop_assert_eq!(left.and_then(|who| who.elevation), None);
        }
    }

    /// R64: at no moment is a level higher than what the session before, or a mark that counts, accounts
    /// for; and a time of authentication moves to a proof at least as strong as what it is taken for.
    #[test]
    fn no_plan_gives_a_level_that_nothing_proved(case in case()) {
        let settled = case.settle();
        let Some(state) = written(&settled.plan) else { return Ok(()); };
        let Some(user) = &state.authentication else { return Ok(()); };
        let (began, since) = case.last_stretch();
        let before = match began {
            Some(Mark::Login(login)) => login.authenticated_at,
            _ => case.user().map(|who| who.authenticated_at),
        };
        for moment in case.moments(state) {
            let is = level_at(Some(user), moment);
            prop_assert!(is <= case.proved_at(moment), "{is} at {moment:?}");
            let fresh = since.iter().any(|(at, mark)| match mark {
                Mark::Elevate(up) => *at == user.authenticated_at && up.level.get() >= is,
                _ => false,
            });
            let by_login = matches!(began, Some(Mark::Login(_)))
                && case.marks.iter().any(|(at, mark)| {
                    let claimed = |login: &crate::Login| login.authenticated_at;
                    matches!(mark, Mark::Login(login)
                        if claimed(login).unwrap_or(*at).min(*at) == user.authenticated_at)
                });
            prop_assert!(fresh || by_login || before == Some(user.authenticated_at));
        }
    }

    /// R04, R07, A18, A21.
    #[test]
    fn data_of_one_subject_never_reaches_another(case in case()) {
        let settled = case.settle();
        let Some(state) = written(&settled.plan) else { return Ok(()); };
        let reader = state.authentication.as_ref().map(|who| &who.subject);
        for entry in state.entries.iter() {
            prop_assert!(
                case.may_read(reader, entry.value, entry.keep),
                "{reader:?} reads {entry:?}"
            );
        }
    }

    /// R03, R12, A19: what is written with another privilege comes with another token, and the old one gets
    /// no grace; the level of a session whose new token would reach nobody falls in place.
    #[test]
    fn another_privilege_is_another_token_without_grace(case in case()) {
        let settled = case.settle();
        let before = case.live.as_ref().and_then(|live| live.state.authentication.clone());
        match settled.plan {
            Plan::Nothing | Plan::End | Plan::EndGuest { .. } | Plan::Start { .. } => {}
            Plan::Rotate { how: Rotation::Renewed, state } => {
                prop_assert_eq!(state.authentication, before);
            }
            Plan::Rotate { .. } => {
                prop_assert!(case.outcome != Outcome::Dropped);
                prop_assert!(case.live.unwrap().opens());
            }
            Plan::Save { why: Save::Lower, state, .. } => {
                let mut lower = before.unwrap();
                let unread = case.end() == Outcome::Dropped;
                prop_assert!(unread || case.is_lost());
                lower.elevation = None;
                prop_assert_eq!(state.authentication, Some(lower));
            }
            Plan::Save { state, .. } => prop_assert_eq!(state.authentication, before),
        }
    }

    /// R12, A26: only the token of now is renewed or signed again, and a lost one is given no successor.
    #[test]
    fn a_token_has_one_successor(case in case()) {
        let settled = case.settle();
        let live = case.live.as_ref();
        match settled.plan {
            Plan::Rotate { how: Rotation::Renewed, .. } | Plan::Save { re_sign: true, .. } => {
                prop_assert!(live.is_some_and(Live::is_current));
            }
            Plan::Rotate { .. } => prop_assert!(live.is_some_and(Live::opens)),
            _ => {}
        }
        prop_assert_eq!(settled.verdict == Verdict::Refused, case.is_refused());
        prop_assert_eq!(settled.verdict == Verdict::Unusable, case.is_unusable());
    }

    /// R61, R62: what goes on keeps its limits; what begins has those of its login, or of a guest.
    #[test]
    fn the_absolute_limit_moves_by_a_new_session_only(case in case()) {
        let settled = case.settle();
        let Some(state) = written(&settled.plan) else { return Ok(()); };
        if let Plan::Start { .. } = settled.plan {
            let remembered = matches!(case.last_stretch().0, Some(Mark::Login(login)) if login.remembered);
            prop_assert_eq!(state.persistent, remembered);
            let longest = case.policy.remembered_timeout().filter(|_| remembered);
            let end = NOW.after(longest.unwrap_or(case.policy.absolute_timeout()));
            prop_assert_eq!(state.absolute_expiry, end);
            prop_assert_eq!((state.created_at, state.last_seen_at, state.rotated_at), (NOW, NOW, NOW));
            return Ok(());
        }
        let before = &case.live.as_ref().unwrap().state;
        prop_assert_eq!(state.absolute_expiry, before.absolute_expiry);
        prop_assert_eq!(state.created_at, before.created_at);
        prop_assert_eq!(state.persistent, before.persistent);
        prop_assert_eq!(&state.label, &before.label);
        let used = if case.has_ended() { before.last_seen_at } else { NOW };
        prop_assert_eq!(state.last_seen_at, used.max(before.last_seen_at));
        let renewed = matches!(settled.plan, Plan::Rotate { .. });
        let rotated_at = if renewed { NOW } else { before.rotated_at };
        prop_assert_eq!(state.rotated_at, rotated_at);
    }

    /// R61: what ended by a limit while its handler ran is lowered at most; a login and a logout count.
    #[test]
    fn a_session_that_ended_meanwhile_is_only_lowered(case in case()) {
        let settled = case.settle();
        if !case.has_ended() {
            return Ok(());
        }
        match settled.plan {
            Plan::Rotate { .. } | Plan::EndGuest { .. } => prop_assert!(false, "{:?}", settled.plan),
            Plan::Save { why, state, .. } => {
                prop_assert_eq!(why, Save::Lower);
                let before = &case.live.as_ref().unwrap().state;
                prop_assert_eq!(&state.entries, &before.entries);
            }
            Plan::Start { .. } => prop_assert!(case.last_stretch().0.is_some()),
            Plan::End => prop_assert!(case.logs_out()),
            Plan::Nothing => {}
        }
    }

    /// Invariant 6.
    #[test]
    fn a_request_with_a_retired_token_writes_nothing_but_a_login(mut case in case()) {
        let visits = case.live.as_ref().is_none_or(|live| live.subject().is_none());
        case.retired_token = visits;
        let settled = case.settle();
        let user = written(&settled.plan).and_then(|state| state.authentication.as_ref());
        let writes = matches!(settled.plan, Plan::Save { .. } | Plan::Rotate { .. } | Plan::Start { .. });
        prop_assert!(!visits || !writes || user.is_some(), "{:?}", settled.plan);
    }

    /// R93: what a client that is not its own does to a session is end it, or begin another.
    #[test]
    fn a_suspended_session_is_ended_or_left_alone(case in case()) {
        let settled = case.settle();
        let goes_on = matches!(settled.plan, Plan::Save { .. } | Plan::Rotate { .. });
        prop_assert!(!case.is_suspended() || !goes_on, "{:?}", settled.plan);
    }

    /// R64: a remembered session that would have ended is worth one factor, and any other what it was.
    #[test]
    fn a_lapsed_remembered_session_shows_one_factor(live in session(), policy in policy()) {
        let before = live.state;
        let mut state = before.clone();
        lower_remembered(&mut state, NOW, &policy);
        let Some(who) = &before.authentication else {
            prop_assert_eq!(state, before);
            return Ok(());
        };
        let lasts = before.persistent && policy.remembered_timeout().is_some();
        let unused = policy.idle_timeout().is_some_and(|idle| NOW.since(before.last_seen_at) >= idle);
        let stale = NOW.since(who.authenticated_at) >= policy.absolute_timeout();
        if lasts && (unused || stale) {
            let left = state.authentication.as_ref();
            prop_assert_eq!(level_at(left, NOW), 1);
            prop_assert_eq!(left.map(|who| &who.subject), Some(&who.subject));
            state.authentication.clone_from(&before.authentication);
        }
        prop_assert_eq!(state, before);
    }
}
