//! The store behind the middleware, and what only this store can promise.

mod folder;

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
    routing::post,
};
use folder::Folder;
use tower::ServiceExt;
use tower_session_guard::{
    KeyRing, Session, SessionId, SessionLayer, SessionStore, Subject, Timestamp,
    store::{Created, StoreErrorKind},
    testing::{RecordBuilder, claim_for},
};

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

async fn login(app: &Router) {
    let request = Request::post("/login").body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    assert!(answer.headers().contains_key(header::SET_COOKIE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subjects_sessions_are_listed_and_ended_one_by_one_or_all() {
    let folder = Folder::new();
    let layer = SessionLayer::new(KeyRing::generate().unwrap()).with_store(folder.open());
    let sessions = layer.sessions();
    let login_route = post(|session: Session| async move { session.login("alice") });
    let app = Router::new().route("/login", login_route).layer(layer);
    for _ in 0..3 {
        login(&app).await;
    }
    let alice = Subject::from("alice");
    let list = sessions.list(&alice).await.unwrap();
    assert_eq!(list.len(), 3);
    assert!(sessions.end(&alice, &list[0].id).await.unwrap());
    assert_eq!(sessions.list(&alice).await.unwrap().len(), 2);
    assert_eq!(sessions.end_all(&alice).await.unwrap(), Some(2));
    assert!(sessions.list(&alice).await.unwrap().is_empty());
    let left = fs::read_dir(folder.0.join("subjects")).unwrap().count();
    assert_eq!(left, 0, "no index entry stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlasts_its_process_and_a_file_that_was_not_finished() {
    let folder = Folder::new();
    let record = RecordBuilder::new(now()).subject("alice").build();
    let store = folder.open();
    let created = store.create(&id(1), &record, now()).await.unwrap();
    drop(store);
    // A process died in the middle of its next write.
    fs::write(folder.0.join("new"), [0; 11]).unwrap();
    let store = folder.open();
    let claim = claim_for(&id(1), [0; 16]);
    let found = store.load(&claim, now()).await.unwrap().unwrap();
    assert_eq!(created, Created::Created(found.revision));
    assert_eq!(found.record, record);
    let other = RecordBuilder::new(now()).build();
    let created = store.create(&id(2), &other, now()).await.unwrap();
    assert!(matches!(created, Created::Created(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_an_error_and_can_be_removed() {
    let folder = Folder::new();
    let store = folder.open();
    let record = RecordBuilder::new(now()).subject("alice").build();
    let _ = store.create(&id(1), &record, now()).await.unwrap();
    let file = folder.0.join("sessions").join("01".repeat(16));
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..4], &whole[..whole.len() - 1]] {
        fs::write(&file, damaged).unwrap();
        let claim = claim_for(&id(1), [0; 16]);
        let error = store.load(&claim, now()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let alice = Subject::from("alice");
        let error = store.remove_all_of(&alice, None).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
    let _ = store.remove(&id(1)).await.unwrap();
    assert!(!file.exists());
}

/// An index entry that points to another subject's session neither shows nor ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misplaced_index_entry_is_passed_over() {
    let folder = Folder::new();
    let store = folder.open();
    let alices = RecordBuilder::new(now()).subject("alice").build();
    let _ = store.create(&id(1), &alices, now()).await.unwrap();
    let bobs = RecordBuilder::new(now()).subject("bob").build();
    let _ = store.create(&id(2), &bobs, now()).await.unwrap();
    for subject in fs::read_dir(folder.0.join("subjects")).unwrap() {
        let subject = subject.unwrap().path();
        for number in ["01", "02"] {
            File::create(subject.join(number.repeat(16))).unwrap();
        }
    }
    let bob = Subject::from("bob");
    let listed = store.sessions_of(&bob, now()).await.unwrap();
    assert_eq!(listed, [(id(2), bobs)]);
    assert_eq!(store.remove_all_of(&bob, None).await.unwrap(), 1);
    let claim = claim_for(&id(1), [0; 16]);
    assert!(store.load(&claim, now()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_deletes_what_has_expired_and_nothing_else() {
    let folder = Folder::new();
    let store = folder.open();
    let begin = now();
    for number in 1..=4 {
        let record = RecordBuilder::new(begin).subject("alice");
        let hours = Duration::from_secs(3600 * u64::from(number));
        let record = record.expires_at(begin.after(hours)).build();
        let _ = store.create(&id(number), &record, begin).await.unwrap();
    }
    assert_eq!(store.sweep(begin).await.unwrap(), 0);
    let later = begin.after(Duration::from_secs(2 * 3600));
    assert_eq!(store.sweep(later).await.unwrap(), 2);
    let alice = Subject::from("alice");
    assert_eq!(store.sessions_of(&alice, later).await.unwrap().len(), 2);
}

/// A writer that hangs holds nobody up for longer than the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_holds_is_an_error_in_time() {
    let folder = Folder::new();
    let store = folder.open();
    let store = store.with_time_limit(Duration::from_millis(100));
    let lock = File::create(folder.0.join("lock")).unwrap();
    lock.lock().unwrap();
    let record = RecordBuilder::new(now()).build();
    let error = store.create(&id(1), &record, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    let claim = claim_for(&id(1), [0; 16]);
    assert!(store.load(&claim, now()).await.unwrap().is_none());
    // What ran out of time may be done all the same, and here it is.
    lock.unlock().unwrap();
    while store.load(&claim, now()).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
