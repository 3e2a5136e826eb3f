//! What a handler sees of its own marks is what is settled.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use proptest::{prop_assert_eq, proptest};

use super::{Case, NOW, case, cases};
use crate::session::{
    authentication::{AssuranceLevel, Subject},
    csrf::CsrfToken,
    data::DataKey,
    ended::Ended,
    entries::Keep,
    event::SessionEvent,
    handle::Session,
    id::Lineage,
    live::Live,
    mark::Mark,
    plan::{Plan, Verdict},
    policy::SessionPolicy,
    settle::Outcome,
    state::State,
    time::Timestamp,
    unadmitted::{Environment, Unadmitted},
};

/// A layer whose clock is set before every mark.
#[derive(Default)]
struct Layer(AtomicU64, SessionPolicy);

impl Environment for Layer {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(SeqCst))
    }
    fn observe(&self, _: &SessionEvent) {}
    fn policy(&self) -> &SessionPolicy {
        &self.1
    }
    fn cookie_name(&self) -> &'static str {
        "session"
    }

    fn ended(&self, _: &Live) -> Ended {
        unreachable!("nothing here waits for an end")
    }

    fn endings_seen(&self) -> u64 {
        0
    }

    fn data_budget(&self) -> usize {
        usize::MAX
    }
    fn csrf_token(&self, _: Lineage, _: Option<&Subject>) -> Option<CsrfToken> {
        None
    }
    fn csrf_holds(&self, _: Lineage, _: Option<&Subject>, _: &[u8]) -> bool {
        false
    }
}

/// Says through the handle what the case's marks say.
fn perform(case: &Case) -> Session {
    let layer = Arc::new(Layer::default());
    let environment = Arc::clone(&layer) as _;
    let session = match &case.live {
        Some(live) => {
            let mut session =
                Unadmitted::new(live.id, live.lineage, live.signature, environment, NOW);
            *session.live_mut() = live.clone();
            Session::admitted(session)
        }
        None => Session::new(environment, NOW),
    };
    let key = |name: &str| DataKey::<String>::named(name).unwrap();
    for (at, mark) in &case.marks {
        layer.0.store(at.as_unix_millis(), SeqCst);
        match mark {
            Mark::Login(login) => session.login(login.clone()),
            Mark::Elevate(step_up) => session.elevate(step_up.clone()),
            Mark::Impersonate(acting) => session.impersonate(acting.clone()),
            Mark::EndImpersonation => session.end_impersonation(),
            Mark::StepDown => session.step_down(),
            Mark::Renew => session.renew(),
            Mark::Logout => session.logout(),
            Mark::Insert { name, value, keep } => {
                let key = match keep {
                    Keep::Subject => key(name),
                    Keep::Carried => key(name).carried(),
                    Keep::Passing(_) => key(name).once(),
                };
                let value: String = serde_json::from_slice(value).unwrap();
                session.insert(&key, &value).unwrap();
            }
            Mark::Remove { name } => session.remove(&key(name)),
            Mark::Update(_) => unreachable!("none is drawn: it equals its clones only"),
        }
    }
    session
}

type Seen = (
    Option<Subject>,
    u8,
    Option<Timestamp>,
    BTreeMap<String, String>,
);

fn seen(session: &Session) -> Seen {
    let value = |name: &str| {
        session
            .get(&DataKey::<String>::named(name).unwrap())
            .unwrap()
    };
    let data = ["a", "b", "c"].into_iter();
    (
        session.subject(),
        session.level().map_or(0, AssuranceLevel::get),
        session.authenticated_at(),
        data.filter_map(|name| Some((name.to_owned(), value(name)?)))
            .collect(),
    )
}

fn is(state: Option<&State>) -> Seen {
    let who = state.and_then(|state| state.authentication.as_ref());
    let entries = state.into_iter().flat_map(|state| state.entries.iter());
    (
        who.map(|who| who.subject.clone()),
        super::plain::level_at(who, NOW),
        who.map(|who| who.authenticated_at),
        entries
            .map(|entry| {
                (
                    entry.name.to_owned(),
                    serde_json::from_slice(entry.value).unwrap(),
                )
            })
            .collect(),
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_handler_sees_what_will_be_settled(case in case()) {
        let session = perform(&case);
        let sees = seen(&session);
        prop_assert_eq!(session.close(), case.marks.clone());
        let settled = case.settle();
        // An unanswered, refused, barred or suspended request is told so, and keeps what was there.
        if case.outcome != Outcome::Answered
            || settled.verdict != Verdict::Stands
            || case.retired_token
            || case.is_suspended() && case.last_stretch().0.is_none()
            || case.is_lost()
        {
            return Ok(());
        }
        let after = match &settled.plan {
            Plan::Nothing => case.live.as_ref().map(|live| &live.state),
            Plan::End | Plan::EndGuest { .. } => None,
            Plan::Save { state, .. } | Plan::Rotate { state, .. } | Plan::Start { state, .. } => Some(state),
        };
        prop_assert_eq!(sees, is(after));
    }

    /// The same subject, or the same guest, keeps what it had and has what it put in, last word last.
    #[test]
    fn where_nobody_else_comes_between_no_data_is_lost(case in case()) {
        let settled = case.settle();
        let held = case.live.as_ref().and_then(|live| live.subject());
        let alone = case.counted_logins().iter().all(|login| Some(&login.subject) == held);
        if case.outcome != Outcome::Answered
            || settled.verdict != Verdict::Stands
            || case.logs_out()
            || case.retired_token
            || case.is_suspended()
            || case.has_ended() && case.last_stretch().0.is_none()
            || !alone
        {
            return Ok(());
        }
        let mut data = is(case.live.as_ref().map(|live| &live.state)).3;
        let held = case.live.iter().flat_map(|live| live.state.entries.iter());
        let passes = |keep: &Keep| matches!(keep, Keep::Passing(_));
        let mut passing: HashSet<_> = held
            .filter(|entry| passes(&entry.keep))
            .map(|entry| entry.name.to_owned())
            .collect();
        for (_, mark) in &case.marks {
            match mark {
                Mark::Insert { name, value, keep } => {
                    data.insert(name.to_string(), serde_json::from_slice(value).unwrap());
                    if passes(keep) {
                        passing.insert(name.to_string());
                    } else {
                        passing.remove(name.as_str());
                    }
                }
                Mark::Remove { name } => drop(data.remove(name.as_str())),
                // What is gone with any login.
                Mark::Login(_) => data.retain(|name, _| !passing.contains(name)),
                _ => {}
            }
        }
        let kept = case.live.as_ref().map(|live| &live.state);
        let kept = kept.filter(|_| !matches!(settled.plan, Plan::EndGuest { .. }));
        let after = super::plain::written(&settled.plan).or(kept);
        prop_assert_eq!(is(after).3, data);
    }
}
