use std::sync::Arc;

use super::waiting::Waiting;
use crate::session::{ended::EndCause, id::SessionId, index::IndexKey, time::Timestamp};

const ONE: SessionId = SessionId::from_bytes([1; 16]);
const TWO: SessionId = SessionId::from_bytes([2; 16]);
const AT: Timestamp = Timestamp::from_unix_seconds(1_000_000);

fn owner(subject: &str) -> IndexKey {
    IndexKey::owner("", &subject.into())
}

/// R56: waits may be dropped in any order.
#[test]
fn a_dropped_wait_leaves_nothing() {
    let waiting = Arc::new(Waiting::default());
    let watch = |family, subject| waiting.watch(family, vec![owner(subject), owner("actor")], AT);
    assert!(waiting.is_empty());
    let waits = [watch(ONE, "alice"), watch(ONE, "alice"), watch(TWO, "bob")];
    assert!(!waiting.is_empty());
    let [first, second, third] = waits;
    drop((second, third));
    assert!(!waiting.is_empty());
    waiting.ending(&ONE, EndCause::Logout).done();
    assert_eq!(first.over(), Some(EndCause::Logout));
    drop(first);
    assert!(waiting.is_empty());
    // Without a wait, an ending notes nothing.
    waiting.ending(&ONE, EndCause::Logout).done();
    waiting
        .ending_under(&owner("alice"), None, EndCause::Revoked)
        .done();
    assert!(waiting.is_empty());
    assert_eq!(watch(ONE, "alice").over(), None);
}

/// R56: also who acts as another is among those whose sessions end, and one family may be spared.
#[test]
fn an_ending_reaches_what_is_listed_under_its_key() {
    let waiting = Arc::new(Waiting::default());
    let keys = |subject| vec![owner(subject), owner("actor"), IndexKey::tag("", "tag")];
    let one = waiting.watch(ONE, keys("alice"), AT);
    let two = waiting.watch(TWO, keys("bob"), AT);
    for (key, spared, expected) in [
        (owner("nobody"), None, [None, None]),
        (owner("alice"), Some(ONE), [None, None]),
        (owner("actor"), Some(ONE), [None, Some(EndCause::Revoked)]),
        (IndexKey::tag("", "tag"), None, [Some(EndCause::Revoked); 2]),
    ] {
        waiting.ending_under(&key, spared, EndCause::Revoked).done();
        assert_eq!([one.over(), two.over()], expected, "{key:?}");
    }
}

/// R56: the cause is there before the store is asked, and goes if nothing ended. What ended first counts.
#[test]
fn a_cause_is_known_before_the_end_and_forgotten_without_it() {
    let waiting = Arc::new(Waiting::default());
    let watch = waiting.watch(ONE, vec![owner("alice")], AT);
    let known = || (watch.likely(), watch.over());
    let ending = waiting.ending(&ONE, EndCause::Logout);
    assert_eq!(known(), (Some(EndCause::Logout), None));
    drop(ending);
    assert_eq!(known(), (None, None));
    let ending = waiting.ending_under(&owner("alice"), None, EndCause::Revoked);
    assert_eq!(known(), (Some(EndCause::Revoked), None));
    ending.withdraw();
    assert_eq!(known(), (None, None));
    let (first, second) = (
        waiting.ending(&ONE, EndCause::Logout),
        waiting.ending(&ONE, EndCause::Revoked),
    );
    second.done();
    first.done();
    assert_eq!(known().1, Some(EndCause::Revoked));
}

/// R56: a wait that begins while everything of its subject ends may be that of a later login: it asks.
#[tokio::test]
async fn a_wait_that_begins_meanwhile_is_woken_and_not_ended() {
    let waiting = Arc::new(Waiting::default());
    let _other = waiting.watch(TWO, vec![owner("bob")], AT);
    let ending = waiting.ending_under(&owner("alice"), None, EndCause::Revoked);
    let mut watch = waiting.watch(ONE, vec![owner("alice")], AT);
    ending.done();
    watch.woken().await;
    assert_eq!((watch.likely(), watch.over()), (None, None));
}

/// R56, R30: the newest token of the session counts.
#[test]
fn a_newer_token_moves_the_idle_limit() {
    let waiting = Arc::new(Waiting::default());
    let later = Timestamp::from_unix_seconds(1_000_060);
    waiting.note_issue(&ONE, later);
    let watch = waiting.watch(ONE, Vec::new(), AT);
    assert_eq!(watch.seen(), AT);
    waiting.note_issue(&ONE, later);
    waiting.note_issue(&ONE, AT);
    waiting.note_issue(&TWO, Timestamp::from_unix_seconds(9_000_000));
    assert_eq!(watch.seen(), later);
}

/// A connection that waits is cheap: what the page of `ended` says.
#[test]
fn a_wait_takes_little_room() {
    use super::{follow::Follow, question::Question};
    use crate::{
        middleware::{backend::Backend, clock::SystemClock},
        session::{
            device::Presence,
            id::Lineage,
            live::{Live, Signature},
            policy::SessionPolicy,
            state::State,
        },
        store::MemoryStore,
    };
    let live = Live {
        id: ONE,
        state: State::default(),
        standing: None,
        signature: Signature::Current,
        lineage: Lineage([0; 8]),
        suspended: false,
        rebind: false,
        presence: Presence::Unbound,
    };
    let backend = Backend::Stored(Arc::new(MemoryStore::new()));
    let watch = Arc::new(Waiting::default()).watch(ONE, Vec::new(), AT);
    let question = Question::new(
        backend,
        Arc::new(SystemClock),
        SessionPolicy::default(),
        "".into(),
        &live,
    );
    let wait = Follow::new(question, watch).end();
    let size = size_of_val(&wait) + size_of::<Question>();
    println!("a wait takes {size} bytes");
    assert!(size <= 2048, "{size}");
}
