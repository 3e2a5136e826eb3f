//! What a handler reads of its session, and what it may put into it, in both modes.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{
    Router,
    http::header,
    routing::{get, post, put},
};
use common::{AnyLayer, Client, GUEST, SESSION, both_modes, clock, keys, now, request};
use tower::{Layer as _, Service as _};
use tower_session_guard::{
    ClientBinding, DataErrorKind, DataKey, Login, Session, SessionId, SessionLayer, Timestamp,
};

const TEXT: DataKey<String> = DataKey::new("k");

fn layers() -> [AnyLayer; 2] {
    both_modes().map(|layer| layer.with_clock(clock()))
}

/// The longest text that can be put in; the next longer one and all others are refused, and change nothing.
fn fill(session: &Session) -> usize {
    let put = |length| session.insert(&TEXT, &"x".repeat(length));
    let lengths: Vec<_> = (0..70_000).collect();
    let most = lengths.partition_point(|length| put(*length).is_ok()) - 1;
    put(most).unwrap();
    for longer in [most + 1, most + 2, 2 * most, 10 * most] {
        assert_eq!(put(longer).unwrap_err().kind(), DataErrorKind::TooLarge);
    }
    assert_eq!(session.get(&TEXT).unwrap().unwrap().len(), most);
    most
}

/// R28: what does not fit is refused where it is put in, and what was taken leaves in the answer.
#[tokio::test]
async fn data_that_would_not_fit_is_refused_where_it_is_put_in() {
    // Flags, a name and its length, the length of the value, two quotes.
    let overhead = 1 + 2 + 3 + 2;
    let [in_the_cookie, stored] = [1_950..=2_900, 65_536 - overhead..=65_536 - overhead];
    for (layer, expected) in layers().into_iter().zip([in_the_cookie, stored]) {
        let handler = post(|session: Session| async move { fill(&session).to_string() });
        let client = Client::around(Router::new().route("/", handler).layer(layer));
        let answer = client.post("/", &[]).await;
        assert!(answer.status.is_success());
        let most = answer.body.parse().unwrap();
        assert!(expected.contains(&most), "{most} {expected:?}");
        let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(set.split(';').next().unwrap().len() <= 4096);
    }
}

/// What was put in is what is read: a number that JSON lacks is refused where it is put in, and changes nothing.
#[tokio::test]
async fn a_number_that_json_lacks_is_refused_where_it_is_put_in() {
    const RATE: DataKey<f64> = DataKey::new("rate");
    const RATES: DataKey<Vec<Option<f64>>> = DataKey::new("rates");
    for layer in layers() {
        let handler = post(|session: Session| async move {
            for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let refused = session.insert(&RATE, &odd).unwrap_err();
                assert_eq!(refused.kind(), DataErrorKind::Encode);
                assert!(refused.to_string().contains("\"rate\""), "{refused}");
                let refused = session.insert(&RATES, &vec![Some(1.0), Some(odd)]);
                assert_eq!(refused.unwrap_err().kind(), DataErrorKind::Encode);
            }
            assert_eq!(session.get(&RATE).unwrap(), None);
        });
        let read = get(async |session: Session| session.get(&RATE).unwrap().unwrap().to_string());
        let write = put(async |session: Session| session.insert(&RATE, &0.5).unwrap());
        let route = handler.merge(read).merge(write);
        let client = Client::around(Router::new().route("/", route).layer(layer));
        assert!(client.post("/", &[]).await.sets_nothing());
        let answer = client.send(request("PUT", "/", &[])).await;
        let token = answer.cookie(GUEST).unwrap();
        assert_eq!(client.get("/", &[(GUEST, &token)]).await.body, "0.5");
    }
}

/// A release that changed the type of a value finds what the one before has written, and is told what to do.
#[tokio::test]
async fn a_value_of_an_earlier_release_is_an_error_that_says_how_to_go_on() {
    const OLD: DataKey<String> = DataKey::new("cart");
    const NEW: DataKey<Vec<u32>> = DataKey::new("cart");
    for layer in layers() {
        let write = post(async |session: Session| session.insert(&OLD, &"1,2".to_owned()).unwrap());
        let read = get(async |session: Session| {
            let error = session.get(&NEW).unwrap_err();
            assert_eq!(error.kind(), DataErrorKind::Decode);
            let told = error.to_string();
            // It can be taken for an absent value, and written over.
            session.insert(&NEW, &vec![1]).unwrap();
            assert_eq!(session.get(&NEW).unwrap(), Some(vec![1]));
            told
        });
        let client = Client::around(Router::new().route("/", write.merge(read)).layer(layer));
        let token = client.post("/", &[]).await.cookie(GUEST).unwrap();
        let told = client.get("/", &[(GUEST, &token)]).await;
        assert_eq!(told.status, 200);
        for word in ["\"cart\"", "#[serde(default)]", "absent"] {
            assert!(told.body.contains(word), "{}", told.body);
        }
    }
}

/// Reads see the marks made so far; the id is that of the session that the request came with.
#[tokio::test]
async fn reads_see_the_marks_made_so_far() {
    for layer in layers() {
        let at = now(&clock());
        let handler = post(move |session: Session| async move {
            let id = session.id();
            let printed = format!("{session:?}");
            let before = session.is_authenticated();
            assert_eq!(session.authenticated_at(), before.then_some(at));
            assert_eq!(id.is_some(), before);
            if let Some(id) = id {
                assert!(printed.contains(&format!("SessionId({id})")), "{printed}");
            }
            session.login("alice");
            assert!(session.is_authenticated());
            assert_eq!(session.authenticated_at(), Some(at));
            assert_eq!(session.id(), id);
            session.logout();
            assert!(!session.is_authenticated());
            assert_eq!(session.authenticated_at(), None);
            session.login("alice");
            printed
        });
        let client = Client::around(Router::new().route("/", handler).layer(layer));
        let first = client.post("/", &[]).await;
        let token = first.cookie(SESSION).unwrap();
        let second = client.post("/", &[(SESSION, &token)]).await;
        // R31
        assert!(!second.body.contains(&token), "{}", second.body);
        assert_ne!(second.cookie(SESSION).unwrap(), token);
    }
}

/// A label is cut between characters.
#[tokio::test]
async fn a_long_label_is_cut_to_128_bytes_between_characters() {
    for (label, kept) in [
        ("x".repeat(129), 128),
        ("é".repeat(65), 128),
        (format!("x{}", "é".repeat(65)), 127),
        ("€".repeat(50), 126),
        ("短".to_owned(), 3),
    ] {
        let [layer, _] = layers();
        let given = label.clone();
        let login = post(move |session: Session| {
            session.login(Login::new("alice").labelled(&given));
            async {}
        });
        let read = post(|session: Session| async move {
            let user = session.authenticated().unwrap();
            user.label().unwrap().to_owned()
        });
        let app = Router::new().route("/login", login).route("/", read);
        let client = Client::around(app.layer(layer));
        let token = client.post("/login", &[]).await.cookie(SESSION).unwrap();
        let told = client.post("/", &[(SESSION, &token)]).await.body;
        assert_eq!(told, label[..kept]);
    }
}

#[test]
fn a_text_that_is_no_id_is_told_what_one_is() {
    let refused = "alice".parse::<SessionId>().unwrap_err();
    assert!(refused.to_string().contains("22 characters"), "{refused}");
}

/// The system's clock is read where no other was given.
#[tokio::test]
async fn without_another_clock_the_systems_time_counts() {
    let before = Timestamp::from(SystemTime::now());
    let handler = post(|session: Session| async move {
        session.login("alice");
        let at = session.authenticated_at().unwrap();
        at.as_unix_millis().to_string()
    });
    let layer = SessionLayer::new(keys());
    let client = Client::around(Router::new().route("/", handler).layer(layer));
    let told = client.post("/", &[]).await.body.parse().unwrap();
    let after = Timestamp::from(SystemTime::now());
    assert!((before.as_unix_millis()..=after.as_unix_millis()).contains(&told));
    let half_past = UNIX_EPOCH + Duration::from_millis(1500);
    assert_eq!(Timestamp::from(half_past).as_unix_millis(), 1500);
}

/// R31: what holds keys says what it is, and no key.
#[tokio::test]
async fn a_layer_prints_its_settings_and_no_key() {
    for layer in both_modes() {
        let layer = layer.with_binding(ClientBinding::recommended());
        let inner = Router::<()>::new();
        let mut service = layer.layer(inner);
        let mut printed = vec![
            (format!("{layer:?}"), "SessionLayer"),
            (format!("{:?}", layer.sessions()), "Sessions"),
            (format!("{service:?}"), "SessionService"),
            (format!("{:?}", ClientBinding::recommended()), "Tell"),
        ];
        let response = service.call(request("GET", "/", &[]));
        printed.push((format!("{response:?}"), "ResponseFuture"));
        for (text, told) in printed {
            assert!(text.contains(told), "{text}");
            for secret in ["unguessable", "[97, 110, 32"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}
