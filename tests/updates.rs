//! Changes of one value by requests that overlap, and guests' sessions whose last value is removed.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{panic::resume_unwind, time::Duration};

use axum::{
    Router,
    body::Body,
    http::Response,
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, app, append, both_modes, clock,
    gated::Gated, keys, self_contained,
};
use tower_session_guard::{
    DataErrorKind, DataKey, EventKind, MemoryStore, Session, SessionError, SessionErrorKind,
    SessionLayer, SessionStore,
    testing::{FaultyStore, StoreOperation},
};

const LIST: DataKey<String> = DataKey::new("list");
const COUNT: DataKey<u32> = DataKey::new("list");

/// What no other route does.
fn routes(stop: &Stop) -> Router {
    let (reads, again) = (stop.clone(), stop.clone());
    app(stop.clone())
        // Reads a list and puts a longer one back, as applications do.
        .route(
            "/read-and-put",
            post(async move |session: Session| {
                let list = session.get(&LIST).unwrap();
                reads.here().await;
                let list = list.map_or("mine".to_owned(), |list| format!("{list}+mine"));
                session.insert(&LIST, &list).unwrap();
            }),
        )
        .route(
            "/count",
            post(async move |session: Session| {
                again.here().await;
                session.step_down();
                session
                    .update(&COUNT, |count| Some(count.unwrap_or(0) + 1))
                    .unwrap();
                session.get(&COUNT).unwrap().unwrap().to_string()
            }),
        )
        .route(
            "/count-or-panic",
            post(async |session: Session| {
                session
                    .update(&COUNT, |count| {
                        // Without the hook, which would print it.
                        if count.is_some() {
                            resume_unwind(Box::new("asked to"));
                        }
                        Some(1)
                    })
                    .unwrap();
            }),
        )
}

fn client(layer: AnyLayer, events: &Events) -> Client {
    let stop = Stop::default();
    let layer = layer.with_clock(clock()).with_observer(events.clone());
    Client::around(routes(&stop).layer(layer)).stopping_at(&stop)
}

fn stored(events: &Events) -> Client {
    client(SessionLayer::new(keys()).into_any(), events)
}

/// Sends a request that stops in its handler, and another one meanwhile.
async fn overlap(
    client: &Client,
    slow: &str,
    meanwhile: &str,
    cookies: &[(&str, &str)],
) -> (Answer, Answer) {
    let slow = client.post(slow, cookies);
    let rest = async {
        client.stop.reached.notified().await;
        let answer = client.mark(meanwhile, cookies).await;
        client.stop.go_on.notify_one();
        answer
    };
    tokio::join!(slow, rest)
}

async fn read(client: &Client, cookies: &[(&str, &str)]) -> String {
    client.get("/get?k=list", cookies).await.body
}

/// R11: what README says of a store: a write that was made of an older value undoes another one, an update never does.
#[tokio::test]
async fn two_requests_that_change_one_value_keep_both_changes_by_update() {
    let client = stored(&Events::default());
    let token = client.login("alice").await;
    let cookies = [(SESSION, &*token)];
    let (late, first) = overlap(&client, "/read-and-put", "append:list:theirs", &cookies).await;
    assert_eq!((late.status.as_u16(), first.status.as_u16()), (200, 200));
    assert_eq!(read(&client, &cookies).await, "mine");

    let slow = "/do?stop=after&marks=append:list:a";
    let (late, first) = overlap(&client, slow, "append:list:b", &cookies).await;
    assert_eq!((late.status.as_u16(), first.status.as_u16()), (200, 200));
    assert_eq!(read(&client, &cookies).await, "mine+b+a");
    // The same where the value is not there yet, and where the other one removes it.
    let slow = "/do?stop=after&marks=append:list:a";
    overlap(&client, slow, "remove:list", &cookies).await;
    assert_eq!(read(&client, &cookies).await, "a");
    let slow = "/do?stop=after&marks=clear:list";
    overlap(&client, slow, "append:list:b", &cookies).await;
    assert_eq!(read(&client, &cookies).await, "");
}

/// R11: a token holds what its own request made of the token that came.
#[tokio::test]
async fn with_self_contained_tokens_each_answer_holds_its_own_update() {
    let client = client(self_contained().into_any(), &Events::default());
    let token = client.login("alice").await;
    let cookies = [(SESSION, &*token)];
    let slow = "/do?stop=after&marks=append:list:a";
    let (late, first) = overlap(&client, slow, "append:list:b", &cookies).await;
    for (answer, holds) in [(late, "a"), (first, "b")] {
        let token = answer.cookie(SESSION).unwrap();
        let cookies = [(SESSION, &*token)];
        assert_eq!(read(&client, &cookies).await, holds);
        // One after the other, all are kept.
        let next = client.mark("append:list:c", &cookies).await;
        let token = next.cookie(SESSION).unwrap();
        let list = read(&client, &[(SESSION, &token)]).await;
        assert_eq!(list, format!("{holds}+c"));
    }
}

/// R11: an update is replayed as often as it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_100_parallel_updates_all_are_answered_and_kept() {
    let client = stored(&Events::default());
    let (alice, guest) = (client.login("alice").await, client.guest().await);
    for (name, token) in [(SESSION, alice), (GUEST, guest)] {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..100 {
            let (client, token) = (client.clone(), token.clone());
            let marks = format!("append:list:{n}");
            tasks.spawn(async move { client.mark(&marks, &[(name, &token)]).await });
        }
        for answer in tasks.join_all().await {
            assert_eq!(answer.status, 200);
        }
        let list = read(&client, &[(name, &token)]).await;
        let mut items: Vec<u32> = list.split('+').map(|item| item.parse().unwrap()).collect();
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}

/// R10, R11: what cannot be made of the value that another request has left is not claimed, and nothing else of the
/// answer's is; what lowers privilege holds.
#[tokio::test]
async fn an_update_that_fails_on_what_another_request_left_withholds_the_answer() {
    let events = Events::default();
    let stop = Stop::default();
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone())
        .on_failure(|error: &SessionError| {
            assert_eq!(error.kind(), SessionErrorKind::DataConflict);
            let body = Body::from(error.to_string());
            let response = Response::builder().status(error.status());
            response.body(body).unwrap()
        });
    let client = Client::around(routes(&stop).layer(layer)).stopping_at(&stop);
    let answer = client.mark("login:alice,elevate", &[]).await;
    let token = answer.cookie(SESSION).unwrap();
    events.take();
    let (late, _) = overlap(&client, "/count", "put:list:text", &[(SESSION, &token)]).await;
    assert_eq!(late.status, 503);
    assert!(late.body.contains("another request"), "{}", late.body);
    assert!(late.sets_nothing());
    let told = events.all();
    let [lowered, failed] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(lowered.kind, EventKind::SteppedDown);
    assert_eq!(failed.kind, EventKind::UpdateFailed);
    assert!(failed.session.is_some());
    events.take();
    let cookies = [(SESSION, &*token)];
    assert_eq!(client.whoami(&cookies).await, "alice@1");
    assert_eq!(read(&client, &cookies).await, "text");
}

/// The same where the application's code panics; at the call it is the handler's panic.
#[tokio::test]
async fn an_update_that_panics_on_what_another_request_left_withholds_the_answer() {
    let events = Events::default();
    let store = Gated::default();
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let client = client(layer.into_any(), &events);
    let token = client.login("alice").await;
    let cookies = [(SESSION, &*token)];
    store.hold(StoreOperation::Replace);
    let slow = client.post("/count-or-panic", &cookies);
    let meanwhile = async {
        store.stop.reached.notified().await;
        let stop = async {
            client.stop.reached.notified().await;
            client.stop.go_on.notify_one();
        };
        let (answer, ()) = tokio::join!(client.post("/count", &cookies), stop);
        store.stop.go_on.notify_one();
        answer
    };
    let (late, first) = tokio::join!(slow, meanwhile);
    assert_eq!((&*first.body, late.status.as_u16()), ("1", 503));
    assert!(events.take().contains(&EventKind::UpdateFailed));
}

/// R28: each fits alone. What leaves no room for the other comes first.
#[tokio::test]
async fn what_two_requests_put_in_is_never_more_than_fits() {
    let events = Events::default();
    let client = stored(&events);
    let token = client.login("alice").await;
    let cookies = [(SESSION, &*token)];
    let text = "x".repeat(40_000);
    for slow in ["put", "append"] {
        events.take();
        let slow = format!("/do?stop=after&marks={slow}:a:{text}");
        let (late, first) = overlap(&client, &slow, &format!("put:b:{text}"), &cookies).await;
        assert_eq!((late.status.as_u16(), first.status.as_u16()), (503, 200));
        assert_eq!(events.take(), [EventKind::DataTooLarge]);
        assert_eq!(client.get("/get?k=a", &cookies).await.body, "");
        assert_eq!(client.get("/get?k=b", &cookies).await.body, text);
        client.mark("remove:b", &cookies).await;
    }
}

/// What an update cannot do is said where it is called, and nothing is changed.
#[tokio::test]
async fn an_update_that_cannot_be_is_an_error_at_its_call() {
    for layer in both_modes() {
        let route = post(async |session: Session| {
            session.insert(&LIST, &"text".to_owned()).unwrap();
            let refused = session.update(&COUNT, |count| count).unwrap_err();
            assert_eq!(refused.kind(), DataErrorKind::Decode);
            assert!(refused.to_string().contains("\"list\""), "{refused}");

            const RATE: DataKey<f64> = DataKey::new("rate");
            let refused = session.update(&RATE, |_| Some(f64::NAN)).unwrap_err();
            assert_eq!(refused.kind(), DataErrorKind::Encode);
            assert_eq!(session.get(&RATE).unwrap(), None);

            let refused = session.update(&LIST, |_| Some("x".repeat(70_000)));
            assert_eq!(refused.unwrap_err().kind(), DataErrorKind::TooLarge);

            let own = session.clone();
            let refused = session.update(&LIST, move |list| {
                append(&own, &LIST, "again").unwrap();
                list
            });
            let refused = refused.unwrap_err();
            assert_eq!(refused.kind(), DataErrorKind::Contended);
            assert!(refused.to_string().contains("must not write"), "{refused}");
            session.insert(&LIST, &"text".to_owned()).unwrap();

            // One that reads is no trouble, and what it sees is what was marked so far.
            let own = session.clone();
            let read = move |_| own.get(&LIST).unwrap();
            session.update(&LIST, read).unwrap();
            session.get(&LIST).unwrap().unwrap()
        });
        let layer = layer.with_clock(clock());
        let client = Client::around(Router::new().route("/", route).layer(layer));
        assert_eq!(client.post("/", &[]).await.body, "text");
    }
}

/// A guest's session, with one value.
async fn guest(client: &Client) -> String {
    let answer = client.mark("put:list:1", &[]).await;
    answer.cookie(GUEST).unwrap()
}

/// A guest's session is there for its data; without any, cookie and record go.
#[tokio::test]
async fn a_guests_session_ends_with_its_last_value() {
    let events = Events::default();
    for layer in both_modes() {
        let client = client(layer, &events);
        for marks in ["remove:list", "clear:list", "put:x:1,remove:x,remove:list"] {
            let token = guest(&client).await;
            let [created] = &events.all()[..] else {
                panic!("{:?}", events.all());
            };
            let began = created.session;
            events.take();
            let cookies = [(GUEST, &*token)];
            let answer = client.mark(marks, &cookies).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.cookie(GUEST).as_deref(), Some(""), "{marks}");
            let told = events.all();
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].kind, EventKind::GuestEnded);
            assert_eq!(told[0].session, began);
            assert_eq!(read(&client, &cookies).await, "", "{marks}");
            // A late write brings nothing back: it begins another session.
            let late = client.mark("put:list:2", &cookies).await;
            let other = late.cookie(GUEST).unwrap();
            assert_ne!(other, token);
            client.mark("remove:list", &[(GUEST, &other)]).await;
            events.take();
        }
    }
}

/// R17: what is put in and removed within one request begins nothing.
#[tokio::test]
async fn a_value_that_is_removed_again_begins_no_session() {
    let events = Events::default();
    for layer in both_modes() {
        let client = client(layer, &events);
        for marks in [
            "put:k:1,remove:k",
            "append:k:1,clear:k",
            "remove:k",
            "clear:k",
        ] {
            let answer = client.mark(marks, &[]).await;
            assert_eq!(answer.status, 200);
            assert!(answer.sets_nothing(), "{marks}");
            assert_eq!(events.take(), [], "{marks}");
        }
    }
}

/// Without data a user is logged in all the same; and a failed handler removes nothing.
#[tokio::test]
async fn only_a_guests_session_ends_with_its_data() {
    for layer in both_modes() {
        let client = client(layer, &Events::default());
        let answer = client.mark("login:alice,put:list:1", &[]).await;
        let token = answer.cookie(SESSION).unwrap();
        let answer = client.mark("remove:list", &[(SESSION, &token)]).await;
        assert_ne!(answer.cookie(SESSION).as_deref(), Some(""));
        let token = answer.cookie(SESSION).unwrap_or(token);
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
        let token = guest(&client).await;
        let cookies = [(GUEST, &*token)];
        let answer = client
            .post("/do?marks=remove:list&status=500", &cookies)
            .await;
        assert!(answer.sets_nothing());
        assert_eq!(read(&client, &cookies).await, "1");
    }
}

/// Flash messages for wrong passwords, say: nothing is left of them in the store.
#[tokio::test]
async fn visitors_whose_message_was_read_leave_no_record() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let client = client(layer.into_any(), &Events::default());
    let now = common::now(&clock());
    for _ in 0..100 {
        let token = guest(&client).await;
        assert_eq!(store.live_records(now).await.unwrap(), Some(1));
        client.mark("remove:list", &[(GUEST, &token)]).await;
        assert_eq!(store.live_records(now).await.unwrap(), Some(0));
    }
    assert_eq!(
        store.calls(StoreOperation::Remove),
        100,
        "nor one that is over"
    );
}

/// R16: what another request puts in meanwhile keeps the session, or is told as dropped.
#[tokio::test]
async fn a_guests_session_ends_only_if_nobody_has_written_into_it() {
    let events = Events::default();
    let client = stored(&events);
    // The write comes first. What it wrote under the key that is removed goes too: a removal looks at no value.
    for meanwhile in ["put:other:1", "append:list:2"] {
        let token = guest(&client).await;
        let cookies = [(GUEST, &*token)];
        events.take();
        let slow = "/do?stop=after&marks=remove:list";
        let (late, _) = overlap(&client, slow, meanwhile, &cookies).await;
        assert_eq!(late.status, 200);
        let ended = meanwhile == "append:list:2";
        assert_eq!(late.sets_nothing(), !ended, "{meanwhile}");
        let expected = [EventKind::GuestEnded];
        assert_eq!(events.take(), &expected[..usize::from(ended)]);
        let kept = client.get("/get?k=other", &cookies).await.body;
        assert_eq!(kept, if ended { "" } else { "1" });
    }
    // The end comes first.
    let token = guest(&client).await;
    let cookies = [(GUEST, &*token)];
    events.take();
    let slow = "/do?stop=after&marks=put:other:1";
    let (late, first) = overlap(&client, slow, "remove:list", &cookies).await;
    assert_eq!(first.cookie(GUEST).as_deref(), Some(""));
    assert!(late.sets_nothing());
    assert_eq!(
        events.take(),
        [EventKind::GuestEnded, EventKind::ResurrectionBlocked]
    );
    // Both end it, and nothing is lost.
    let token = guest(&client).await;
    events.take();
    let slow = "/do?stop=after&marks=remove:list";
    let (late, _) = overlap(&client, slow, "remove:list", &[(GUEST, &token)]).await;
    assert_eq!(late.status, 200);
    assert_eq!(events.take(), [EventKind::GuestEnded]);
}

/// A write that comes between the two steps of an end finds the session over.
#[tokio::test]
async fn nothing_is_written_into_a_guests_session_that_is_about_to_be_removed() {
    let events = Events::default();
    let store = Gated::default();
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let client = client(layer.into_any(), &events);
    let token = guest(&client).await;
    let cookies = [(GUEST, &*token)];
    store.hold(StoreOperation::Remove);
    let ends = client.mark("remove:list", &cookies);
    let meanwhile = async {
        store.stop.reached.notified().await;
        let answer = client.mark("put:list:2", &cookies).await;
        store.stop.go_on.notify_one();
        answer
    };
    let (ended, wrote) = tokio::join!(ends, meanwhile);
    assert_eq!(ended.cookie(GUEST).as_deref(), Some(""));
    let other = wrote.cookie(GUEST).unwrap();
    assert_eq!(read(&client, &[(GUEST, &other)]).await, "2");
    assert_eq!(read(&client, &cookies).await, "");
}

/// R71: a store that fails ends nothing; one that only cannot clear away has ended it all the same.
#[tokio::test]
async fn a_failed_store_ends_no_guests_session() {
    let events = Events::default();
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let client = client(layer.into_any(), &events);
    let token = guest(&client).await;
    let cookies = [(GUEST, &*token)];
    store.fail(StoreOperation::Write, 1, 0);
    let answer = client.mark("remove:list", &cookies).await;
    assert_eq!(answer.status, 503);
    assert!(answer.sets_nothing());
    assert_eq!(read(&client, &cookies).await, "1");
    store.fail(StoreOperation::Write, 1, 1);
    events.take();
    let answer = client.mark("remove:list", &cookies).await;
    assert_eq!(answer.cookie(GUEST).as_deref(), Some(""));
    assert_eq!(events.take(), [EventKind::GuestEnded]);
    assert_eq!(read(&client, &cookies).await, "");
}

/// A form whose token would not hold for the next request gets none.
#[tokio::test]
async fn a_guests_session_that_ends_gives_no_csrf_token() {
    for layer in both_modes() {
        let route = get(async |session: Session| {
            let before = session.csrf_token().is_some();
            session.remove(&LIST);
            let emptied = session.csrf_token().is_some();
            session.insert(&LIST, &"2".to_owned()).unwrap();
            assert_eq!(session.csrf_token().is_some(), before);
            session.remove(&LIST);
            format!("{before} {emptied}")
        });
        let layer = layer.with_clock(clock());
        let routes = app(Stop::default()).route("/", route);
        let client = Client::around(routes.layer(layer));
        let token = guest(&client).await;
        assert_eq!(client.get("/", &[(GUEST, &token)]).await.body, "true false");
        assert_eq!(client.get("/", &[]).await.body, "false false");
    }
}

/// Its time is over for the list of ended tokens, too: a guest's is remembered for minutes.
#[tokio::test]
async fn an_ended_guests_token_stays_dead() {
    let time = clock();
    for layer in both_modes() {
        let layer = layer.with_clock(time.clone());
        let client = Client::of(layer);
        let token = guest(&client).await;
        client.mark("remove:list", &[(GUEST, &token)]).await;
        time.advance(Duration::from_secs(300));
        assert_eq!(read(&client, &[(GUEST, &token)]).await, "");
    }
}
