//! Sessions, marks and plans as short texts, so that a table's row is one line.

use std::time::Duration;

use smol_str::SmolStr;

use crate::session::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    binding::Client,
    came::{Barred, Came},
    change::Change,
    data::DataKey,
    device::Presence,
    entries::{Entries, Entry, Keep},
    id::SessionId,
    impersonation::Impersonation,
    live::{Live, Signature},
    mark::{Login, Mark},
    plan::{Plan, Settled, Verdict},
    standing::Standing,
    state::State,
    step_up::StepUp,
    time::Timestamp,
};

pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

pub(super) fn seconds_ago(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW.as_unix_seconds() - seconds)
}

/// `anonymous`, `guest` or `alice@2`, each perhaps with ` grace`, ` crossing`, ` lost`, ` unadmitted`, ` stale` (signed under an older
/// key), ` over` (ended by now), ` suspended` (for this client), ` moved` (its client is to be taken for its own) or ` idle` (last seen
/// long enough ago for a touch). `retired` is anonymous, and ` retired` a guest, beside a retired token. Everybody has
/// the data `k=1` and `c=2`, the latter carried.
pub(super) fn live(text: &str) -> Option<Live> {
    let mut words = text.split(' ');
    let who = words.next().unwrap();
    let words: Vec<_> = words.collect();
    let has = |word| words.contains(&word);
    let seen = seconds_ago(if has("idle") { 600 } else { 5 });
    let authentication = match who.split_once('@') {
        Some((subject, level)) => Some(authentication(subject, level.parse().unwrap())),
        None if who == "guest" => None,
        None => return None,
    };
    let id = SessionId::from_bytes([1; SessionId::LEN]);
    Some(Live {
        id,
        lineage: id.lineage(),
        suspended: has("suspended"),
        rebind: has("moved"),
        presence: Presence::Unbound,
        state: State {
            authentication,
            created_at: seconds_ago(900),
            last_seen_at: seen,
            rotated_at: seconds_ago(900),
            absolute_expiry: if has("over") {
                NOW
            } else {
                NOW.after(Duration::from_secs(3600))
            },
            persistent: false,
            label: None,
            binding: Box::default(),
            extra: None,
            entries: entries(&[("k", "1", false), ("c", "2", true)]),
        },
        standing: match () {
            () if has("grace") => Some(Standing::Grace),
            () if has("crossing") => Some(Standing::Crossing),
            () if has("lost") => Some(Standing::Superseded),
            () if has("unadmitted") => None,
            () => Some(Standing::Current),
        },
        signature: if has("stale") {
            Signature::Older
        } else if has("expiring") {
            Signature::Final
        } else {
            Signature::Current
        },
    })
}

/// What came with a request of a client of this digest, perhaps with a retired token.
pub(super) fn came(retired_token: bool, client: &[u8]) -> Came {
    Came {
        barred: retired_token.then_some(Barred::RetiredToken),
        guest_token: false,
        session_token: false,
        client: Client::new([client.into()].into(), Default::default()),
        why_ended: None,
    }
}

/// Logged in at level 1, elevated if `level` is higher.
pub(super) fn authentication(subject: &str, level: u8) -> Authentication {
    let level = AssuranceLevel::new(level).unwrap();
    Authentication {
        subject: Subject::from(subject),
        level: AssuranceLevel::AAL1,
        authenticated_at: seconds_ago(900),
        elevation: (level > AssuranceLevel::AAL1).then_some(Elevation { level, until: None }),
    }
}

const fn kept(carried: bool) -> Keep {
    if carried {
        Keep::Carried
    } else {
        Keep::Subject
    }
}

fn entries(list: &[(&str, &str, bool)]) -> Entries {
    let entry = |entries: Entries, (name, value, carried): &(&str, &str, bool)| {
        let entry = Entry {
            name,
            value: value.as_bytes(),
            keep: kept(*carried),
        };
        entries.with(entry, NOW)
    };
    list.iter().fold(Entries::default(), entry)
}

/// `login:bob`, `elevate:3`, `elevate:3:60`, `act:bob`, `act:bob:60`, `return`, `step-down`, `renew`, `logout`, `put:k:v`, `carried:k:v`, `once:k:v`,
/// `expiring:k:v:60`, `take:k:v`, `remove:k`, `append:k:v` and `clear:k` (updates, the former of numbers only), separated by spaces; all made now.
pub(super) fn marks(text: &str) -> Vec<(Timestamp, Mark)> {
    text.split_whitespace()
        .map(|word| (NOW, mark(word)))
        .collect()
}

fn mark(text: &str) -> Mark {
    let insert = |name: &str, value: &str, keep| Mark::Insert {
        name: SmolStr::new(name),
        value: value.as_bytes().into(),
        keep,
    };
    let level = |text: &str| AssuranceLevel::new(text.parse().unwrap()).unwrap();
    match text.split(':').collect::<Vec<_>>()[..] {
        ["login", who] => Mark::Login(Login::new(who)),
        ["elevate", to] => Mark::Elevate(StepUp::to(level(to))),
        ["elevate", to, seconds] => {
            let time = Duration::from_secs(seconds.parse().unwrap());
            Mark::Elevate(StepUp::to(level(to)).lasting(time))
        }
        ["act", who] => Mark::Impersonate(Impersonation::of(who)),
        ["act", who, seconds] => {
            let time = Duration::from_secs(seconds.parse().unwrap());
            Mark::Impersonate(Impersonation::of(who).lasting(time))
        }
        ["return"] => Mark::EndImpersonation,
        ["step-down"] => Mark::StepDown,
        ["renew"] => Mark::Renew,
        ["logout"] => Mark::Logout,
        ["put", name, value] => insert(name, value, Keep::Subject),
        ["carried", name, value] => insert(name, value, Keep::Carried),
        ["once", name, value] => insert(name, value, Keep::Passing(None)),
        ["expiring", name, value, seconds] => {
            let time = Duration::from_secs(seconds.parse().unwrap());
            insert(name, value, Keep::Passing(Some(NOW.after(time))))
        }
        ["take", name, value] => {
            let taken = value.as_bytes();
            Mark::Update(Change::taking(name, taken, Keep::Passing(None)))
        }
        ["remove", name] => Mark::Remove {
            name: SmolStr::new(name),
        },
        ["append", name, digit] => update(name, Some(digit.parse().unwrap())),
        ["clear", name] => update(name, None),
        _ => panic!("{text}"),
    }
}

/// Appends a digit to a number, or removes it. It never ran before.
fn update(name: &str, digit: Option<u64>) -> Mark {
    let key = DataKey::<u64>::named(name).unwrap();
    Mark::Update(Change::of(&key, NOW, move |number| {
        Some(number.unwrap_or(0) * 10 + digit?)
    }))
}

/// `rotate elevated alice@2 k=1 c=2; elevated`: the plan, then the events, then a verdict other than that
/// the answer stands.
pub(super) fn show(settled: &Settled) -> String {
    let plan = match &settled.plan {
        Plan::Nothing => "keep".to_owned(),
        Plan::End => "end".to_owned(),
        Plan::EndGuest { state } => {
            assert!(state.absolute_expiry < state.created_at);
            format!("end guest {}", state_text(state))
        }
        Plan::Save {
            state,
            why,
            re_sign,
        } => {
            let re_sign = if *re_sign { " re-sign" } else { "" };
            format!("save {why:?}{re_sign} {}", state_text(state))
        }
        Plan::Rotate { state, how } => format!("rotate {how:?} {}", state_text(state)),
        Plan::Start {
            state,
            end_first,
            instead,
        } => {
            let first = if *end_first { " afterwards" } else { "" };
            let instead = if *instead { " instead" } else { "" };
            format!("start{first}{instead} {}", state_text(state))
        }
    };
    let events: Vec<_> = settled.events.iter().map(|kind| kind.as_str()).collect();
    let verdict = match settled.verdict {
        Verdict::Stands => "",
        Verdict::Refused => "; refused",
        Verdict::Unusable => "; unusable",
        Verdict::DataConflict => "; conflict",
        Verdict::BoundMeanwhile => "; bound meanwhile",
    };
    let text = format!("{plan}; {}{verdict}", events.join(" ")).to_lowercase();
    text.trim_end_matches("; ").to_owned()
}

pub(super) fn state_text(state: &State) -> String {
    describe(state.authentication.as_ref(), &state.entries)
}

/// `alice@2 c=2 k=1`, or `guest` in place of a name.
pub(super) fn describe(who: Option<&Authentication>, entries: &Entries) -> String {
    let who = who.map_or("guest".to_owned(), |who| {
        format!("{}@{}", who.subject, who.level_at(NOW))
    });
    let entries = entries.iter().map(|entry| {
        let value = String::from_utf8_lossy(entry.value);
        let star = match entry.keep {
            Keep::Subject => "",
            Keep::Carried => "*",
            Keep::Passing(_) => "~",
        };
        format!(" {}{star}={value}", entry.name)
    });
    std::iter::once(who).chain(entries).collect()
}
