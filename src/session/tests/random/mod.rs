//! Random sessions, random marks in any order, any end of the request: what `settle` does with them holds
//! to the rules as they are told, in `plain.rs` and `rules.rs`, without a look at how it does it.

mod acting;
mod due;
mod handle;
mod plain;
mod records;
mod rules;
mod told;

use std::time::Duration;

use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any, prop_oneof},
    sample::select,
    strategy::Just,
    test_runner::Config,
};
use smol_str::SmolStr;

use super::notation::{NOW, came};
use crate::session::{
    admit::lower_remembered,
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    device::Presence,
    entries::{Entries, Entry, Keep},
    id::{Lineage, SessionId},
    live::{Live, Signature},
    mark::{Login, Mark},
    plan::Settled,
    policy::SessionPolicy,
    settle::{Outcome, Realm, Settlement, Upkeep, settle},
    standing::Standing,
    state::State,
    step_up::StepUp,
    time::Timestamp,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// A thousand of each, or more where `PROPTEST_CASES` says so.
fn cases() -> Config {
    let default = Config::default();
    Config {
        failure_persistence: None,
        cases: default.cases.max(1000),
        ..default
    }
}

/// One request and what its handler said.
#[derive(Clone, Debug)]
struct Case {
    live: Option<Live>,
    retired_token: bool,
    marks: Vec<(Timestamp, Mark)>,
    outcome: Outcome,
    client: Box<[u8]>,
    policy: SessionPolicy,
}

impl Case {
    fn settle(&self) -> Settled {
        self.settle_with(Upkeep::Everything, false)
    }

    fn settle_with(&self, upkeep: Upkeep, is_stored: bool) -> Settled {
        settle(&Settlement {
            live: self.live.as_ref(),
            came: &came(self.retired_token, &self.client),
            marks: &self.marks,
            outcome: self.outcome,
            now: NOW,
            policy: &self.policy,
            realm: Realm {
                audience: "",
                is_stored,
            },
            data_budget: usize::MAX,
            upkeep,
        })
    }
}

fn ago(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.as_unix_millis() - millis)
}

fn later(millis: u64) -> Timestamp {
    NOW.after(Duration::from_millis(millis))
}

/// Every request that can come to be settled.
fn case() -> impl Strategy<Value = Case> {
    let request = (policy(), vec((0..MINUTE, mark()), 0..9), outcome());
    let held = option::weighted(0.85, session());
    let flags = (any::<bool>(), (0..8_u8).prop_map(|one| one == 0));
    (request, held, flags, vec(any::<u8>(), 0..3)).prop_map(
        |((policy, mut marks, outcome), live, (retired_came, may_end), client)| {
            marks.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
            let live = live.map(|live| admitted(live, &policy, may_end));
            let guest = live.as_ref().is_none_or(|live| live.subject().is_none());
            Case {
                live,
                // Who is logged in came with a token that is not retired.
                retired_token: retired_came && guest,
                marks: marks
                    .into_iter()
                    .enumerate()
                    .map(|(at, (age, mark))| (ago(age), signed(mark, at)))
                    .collect(),
                outcome,
                client: client.into(),
                policy,
            }
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Answered),
        1 => Just(Outcome::Failed),
        1 => Just(Outcome::Dropped),
    ]
}

fn policy() -> impl Strategy<Value = SessionPolicy> {
    let time = |from: u64, to: u64| (from..=to).prop_map(Duration::from_secs);
    (
        option::of(time(1, 7200)),
        time(3600, 172_800),
        option::of(time(1, 7200)),
        option::of(time(86_400, 2_592_000)),
    )
        .prop_map(|(idle, absolute, renewal, remembered)| {
            let mut policy = SessionPolicy::aal2().absolute(absolute).unwrap();
            policy = match idle {
                Some(idle) => policy.idle(idle).unwrap(),
                None => policy.without_idle(),
            };
            if let Some(every) = renewal {
                policy = policy.renew_every(every).unwrap();
            }
            if let Some(time) = remembered {
                policy = policy.remember_for(time).unwrap();
            }
            policy
        })
}

fn subject() -> impl Strategy<Value = &'static str> {
    select(vec!["alice", "bob", "carol"])
}

fn level() -> impl Strategy<Value = AssuranceLevel> {
    (1..=4_u8).prop_map(|level| AssuranceLevel::new(level).unwrap())
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c"])
}

fn mark() -> impl Strategy<Value = Mark> {
    let claimed = option::of((0..2 * HOUR).prop_map(|age| ago(age).after(Duration::from_secs(60))));
    let who = prop_oneof![
        20 => subject().prop_map(Subject::from),
        1 => Just(Subject::from("")),
        1 => Just(Subject::from("x".repeat(256))),
    ];
    let methods = vec(method(), 0..3);
    let login = (who, level(), claimed, any::<bool>(), any::<bool>(), methods);
    let login = login.prop_map(|(who, level, claimed, remembered, labelled, methods)| {
        let mut login = Login::new(who).at_level(level);
        login.methods = methods;
        login.authenticated_at = claimed;
        login.remembered = remembered;
        login.label = labelled.then(|| "a label".into());
        Mark::Login(login)
    });
    let lasting = option::of((0..600_u64).prop_map(Duration::from_secs));
    prop_oneof![
        4 => login,
        4 => (level(), lasting, option::of(method())).prop_map(|(level, lasting, method)| {
            Mark::Elevate(StepUp { level, lasting, method })
        }),
        2 => Just(Mark::StepDown),
        2 => Just(Mark::Renew),
        2 => Just(Mark::Logout),
        4 => (name(), keep()).prop_map(|(name, keep)| Mark::Insert {
            name: SmolStr::new(name),
            value: Box::default(),
            keep,
        }),
        1 => name().prop_map(|name| Mark::Remove { name: SmolStr::new(name) }),
    ]
}

fn method() -> impl Strategy<Value = SmolStr> {
    select(vec!["password", "totp", "passkey"]).prop_map(SmolStr::new)
}

fn keep() -> impl Strategy<Value = Keep> {
    select(vec![Keep::Subject, Keep::Carried, Keep::Passing(None)])
}

/// Gives every value that is put in a text of its own, so that one can see whose it is.
fn signed(mark: Mark, at: usize) -> Mark {
    match mark {
        Mark::Insert { name, keep, .. } => Mark::Insert {
            name,
            value: format!("\"{at}\"").into_bytes().into(),
            keep,
        },
        other => other,
    }
}

/// What the session itself holds of data, as opposed to what a mark put in.
const HELD: &[u8] = b"\"held\"";

fn session() -> impl Strategy<Value = Live> {
    let who = option::weighted(0.8, authentication());
    let entries = vec((name(), keep()), 0..3).prop_map(|list| {
        list.iter()
            .fold(Entries::default(), |entries, (name, keep)| {
                let entry = Entry {
                    name,
                    value: HELD,
                    keep: *keep,
                };
                entries.with(entry, Timestamp::default())
            })
    });
    let ages = (0..48 * HOUR, 0..3 * HOUR, 1..72 * HOUR);
    // A request comes with a token that opens its session, and may lose it to another request meanwhile.
    let standing = select(vec![
        Standing::Current,
        Standing::Current,
        Standing::Current,
        Standing::Current,
        Standing::Grace,
        Standing::Grace,
        Standing::Superseded,
        Standing::Reused,
    ]);
    // Two flags that are seldom set, so that they do not hide the rest.
    let rare = || (0..4_u8).prop_map(|one| one == 0);
    let flags = (rare(), rare(), rare(), any::<bool>());
    let live = (who, entries, ages, standing, flags);
    live.prop_map(|(authentication, entries, ages, standing, flags)| {
        let (created, seen, left) = ages;
        let (is_older, rebind, suspended, persistent) = flags;
        let known = authentication.is_some();
        Live {
            id: SessionId::from_bytes([1; SessionId::LEN]),
            lineage: Lineage([2; Lineage::LEN]),
            standing: Some(standing),
            signature: if is_older {
                Signature::Older
            } else {
                Signature::Current
            },
            // Only a user's session remembers a client.
            suspended: suspended && known,
            rebind: rebind && known && !suspended,
            presence: Presence::Unbound,
            state: State {
                authentication,
                created_at: ago(created),
                // Another server's clock may be ahead.
                last_seen_at: ago(seen).after(Duration::from_secs(30)),
                rotated_at: ago(created.min(seen)),
                absolute_expiry: later(left),
                persistent: persistent && known,
                label: None,
                binding: Box::default(),
                extra: None,
                entries,
            },
        }
    })
}

fn authentication() -> impl Strategy<Value = Authentication> {
    let until = option::of(-600_i64..600);
    let elevation = option::of((level(), until));
    (subject(), level(), 0..48 * HOUR, elevation).prop_map(|(who, level, age, elevation)| {
        Authentication {
            subject: Subject::from(who),
            level,
            authenticated_at: ago(age),
            elevation: elevation.map(|(level, until)| Elevation {
                level,
                until: until.map(|seconds| {
                    ago(HOUR).after(Duration::from_secs(3600_u64.saturating_add_signed(seconds)))
                }),
            }),
        }
    })
}

/// The session as its admission leaves it: neither idle for too long nor too old, unless it may end while the handler
/// runs, and lowered if it is a remembered one.
fn admitted(mut live: Live, policy: &SessionPolicy, may_end: bool) -> Live {
    let state = &mut live.state;
    if !may_end && policy.has_ended(state, NOW) {
        state.last_seen_at = NOW;
        state.created_at = state.created_at.max(ago(MINUTE));
        state.rotated_at = state.rotated_at.max(state.created_at);
    }
    lower_remembered(state, NOW, policy);
    live
}
