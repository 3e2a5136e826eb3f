//! What is done though nothing was marked, and that the hot path asks for it where it must.

use std::time::Duration;

use proptest::{prelude::any, prop_assert, prop_assert_eq, prop_assume, proptest};

use super::{Case, NOW, case, cases};
use crate::session::event::EventKind;
use crate::session::live::Signature;
use crate::session::plan::{Plan, Save, Verdict};
use crate::session::settle::{Outcome, Upkeep, is_due};

impl Case {
    /// Whether the token is old enough to be renewed.
    fn renewal_is_due(&self) -> bool {
        let age = self.age(|state| state.rotated_at);
        let every = self.policy.renewal_interval();
        age.zip(every).is_some_and(|(age, every)| age >= every)
    }

    /// Whether the idle timer is to be written back: a sixteenth of the idle timeout, at most a minute.
    fn touch_is_due(&self) -> bool {
        let age = self.age(|state| state.last_seen_at);
        let asked = self.live.as_ref().and_then(|live| live.state.limits().idle);
        let idle = self.policy.idle_timeout().into_iter().chain(asked).min();
        age.zip(idle)
            .is_some_and(|(age, idle)| age >= idle / 16 || age >= Duration::from_secs(60))
    }

    fn age(&self, of: fn(&crate::session::state::State) -> crate::Timestamp) -> Option<Duration> {
        let since = of(&self.live.as_ref()?.state);
        let millis = NOW.as_unix_millis().checked_sub(since.as_unix_millis());
        Some(Duration::from_millis(millis.unwrap_or(0)))
    }

    fn is_due_in_words(&self) -> bool {
        let asks = self.live.as_ref();
        let asks = asks.is_some_and(|live| live.signature == Signature::Older || live.rebind);
        asks || self.renewal_is_due() || self.touch_is_due()
    }
}

proptest! {
    #![proptest_config(cases())]

    /// R17: the middleware skips `settle` where nothing was marked and `is_due` says no, or nobody answers.
    #[test]
    fn where_the_hot_path_skips_it_settle_does_nothing(mut case in case()) {
        case.marks.clear();
        let asked = case.live.as_ref().is_some_and(|live| is_due(live, NOW, &case.policy));
        prop_assert_eq!(asked, case.is_due_in_words());
        let settled = case.settle();
        if !asked || case.outcome == Outcome::Dropped {
            prop_assert_eq!(settled.plan, Plan::Nothing);
            prop_assert!(settled.events.is_empty());
            prop_assert_eq!(settled.verdict, Verdict::Stands);
        }
    }

    /// R12, R26, R60: and where it asks, a session is renewed, touched or signed again at most.
    #[test]
    fn unasked_a_session_only_gets_what_is_due(mut case in case()) {
        case.marks.clear();
        // Without a mark a request is settled as of its admission.
        prop_assume!(!case.has_ended());
        let settled = case.settle();
        prop_assert_eq!(settled.verdict, Verdict::Stands);
        let Some(live) = case.live.as_ref().filter(|live| {
            let serves = live.opens() && !live.suspended && !case.retired_token;
            serves && case.outcome != Outcome::Dropped
        }) else {
            prop_assert_eq!(settled.plan, Plan::Nothing);
            return Ok(());
        };
        let current = live.is_current();
        match settled.plan {
            Plan::Nothing => {
                prop_assert!(!case.touch_is_due() && !live.rebind);
                prop_assert!(!current || !case.renewal_is_due() && live.signature != Signature::Older);
            }
            Plan::Rotate { .. } => prop_assert!(current && case.renewal_is_due()),
            Plan::Save { why, re_sign, state } => {
                prop_assert_eq!(why, Save::Touch);
                prop_assert!(case.touch_is_due() || live.rebind || re_sign);
                prop_assert_eq!(re_sign, current && live.signature == Signature::Older);
                prop_assert_eq!(state.entries, live.state.entries.clone());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// R59, R77: where nobody looked, a mark takes effect and brings nothing else.
    #[test]
    fn without_a_look_nothing_comes_unasked(case in case(), is_stored in any::<bool>()) {
        let settle = |upkeep| case.settle_with(upkeep, is_stored);
        let (none, silent) = (settle(Upkeep::Nothing), settle(Upkeep::Silent));
        let told = [EventKind::RenewedByPolicy, EventKind::TokenReSigned];
        for settled in [&none, &silent] {
            prop_assert!(!settled.events.iter().any(|event| told.contains(event)));
            let re_signs = matches!(settled.plan, Plan::Save { re_sign: true, .. });
            prop_assert!(!re_signs);
        }
        let touches = |plan: &Plan| matches!(plan, Plan::Save { why: Save::Touch, .. });
        prop_assert!(!touches(&none.plan));
        prop_assert!(is_stored || !touches(&silent.plan));
        if let Plan::Save { why: Save::Data, state, .. } = &none.plan {
            let before = &case.live.as_ref().unwrap().state;
            prop_assert_eq!(state.last_seen_at, before.last_seen_at);
            prop_assert_eq!(&state.binding, &before.binding);
        }
    }
}
