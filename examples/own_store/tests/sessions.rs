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
use own_store::FileStore;
use tower::ServiceExt;
use tower_session_guard::{
    KeyRing, Record, Session, SessionId, SessionLayer, SessionStore, Subject, Timestamp,
    store::{
        Counting, Created, Cutoff, IndexKey, Removed, Revision, StoreError, StoreErrorKind, Stored,
        Sweep,
    },
    testing::{RecordBuilder, claim_for},
};

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

fn owner(subject: &str) -> IndexKey {
    IndexKey::owner("", &subject.into())
}

fn first_created(revision: Revision) -> Created {
    Created::Created {
        revision,
        sessions: 1,
    }
}

async fn create(store: &FileStore, number: u8, record: &Record) -> Created {
    let id = id(number);
    let created = store.create(&id, record, Counting::Counted, now());
    created.await.unwrap()
}

async fn load(store: &FileStore, number: u8) -> Result<Option<Stored>, StoreError> {
    let claim = claim_for(&id(number), [0; 16]);
    store.load((&claim).into(), now()).await
}

async fn listed(store: &FileStore, key: &IndexKey) -> Vec<SessionId> {
    let page = store.heads(key, None, 256, now()).await.unwrap();
    assert_eq!(page.next, None);
    page.heads.into_iter().map(|listed| listed.id).collect()
}

async fn end(store: &FileStore, key: &IndexKey) -> Result<usize, StoreErrorKind> {
    let page = store.end_listed(key, None, 256, None).await;
    page.map(|page| page.ended).map_err(|error| error.kind())
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
    for folder in ["sessions", "index", "counts"].map(|name| folder.0.join(name)) {
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 0, "{}", folder.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlasts_its_process_and_a_file_that_was_not_finished() {
    let folder = Folder::new();
    let record = RecordBuilder::new(now()).subject("alice").build();
    let store = folder.open();
    let created = create(&store, 1, &record).await;
    drop(store);
    // A process died in the middle of its next write.
    fs::write(folder.0.join("new"), [0; 11]).unwrap();
    let store = folder.open();
    let found = load(&store, 1).await.unwrap().unwrap();
    assert_eq!(created, first_created(found.revision));
    assert_eq!(found.record, record);
    let other = RecordBuilder::new(now()).build();
    let created = create(&store, 2, &other).await;
    assert!(matches!(created, Created::Created { sessions: 0, .. }));
}

/// A crash between the index entry and the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_without_a_session_is_passed_over_and_taken_away() {
    let folder = Folder::new();
    let store = folder.open();
    let record = RecordBuilder::new(now()).subject("alice").build();
    for number in 1..=3 {
        let _ = create(&store, number, &record).await;
    }
    for number in ["01", "02"] {
        fs::remove_file(folder.0.join("sessions").join(number.repeat(16))).unwrap();
    }
    let alice = owner("alice");
    assert_eq!(listed(&store, &alice).await, [id(3)]);
    let again = create(&store, 1, &record).await;
    assert!(
        matches!(again, Created::Created { sessions: 4, .. }),
        "too many, not too few"
    );
    assert_eq!(end(&store, &alice).await, Ok(2));
    let fresh = create(&store, 4, &record).await;
    assert!(
        matches!(fresh, Created::Created { sessions: 1, .. }),
        "{fresh:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_an_error_and_can_be_listed_and_removed() {
    let folder = Folder::new();
    let store = folder.open();
    let alice = owner("alice");
    let record = RecordBuilder::new(now()).subject("alice").build();
    let file = folder.0.join("sessions").join("01".repeat(16));
    for cut in [4, 26, 60] {
        let _ = create(&store, 1, &record).await;
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..cut]).unwrap();
        let error = load(&store, 1).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert_eq!(listed(&store, &alice).await, [id(1)], "{cut}");
        let mallory = owner("mallory");
        let spared = store.remove(&id(1), Some(&mallory)).await.unwrap();
        assert_eq!(spared, Removed::Absent);
        if cut == 4 {
            let removed = store.remove(&id(1), Some(&alice)).await.unwrap();
            assert_eq!(removed, Removed::Removed);
        } else {
            assert_eq!(end(&store, &alice).await, Ok(1));
        }
        assert!(!file.exists());
    }
}

/// A login may not go on where it cannot be seen whether its user's sessions were ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_cutoff_is_an_error() {
    let folder = Folder::new();
    let store = folder.open();
    let (alice, hour) = (owner("alice"), Duration::from_secs(3600));
    let cutoff = Cutoff::new(now(), now().after(hour), [7; 16]);
    store.raise_cutoff(&alice, &cutoff, now()).await.unwrap();
    let found = store.cutoff(&alice, now()).await.unwrap();
    assert_eq!(found, Some(cutoff));
    let file = fs::read_dir(folder.0.join("cutoffs")).unwrap().next();
    let file = file.unwrap().unwrap().path();
    fs::write(file, [0; 31]).unwrap();
    let error = store.cutoff(&alice, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

/// An index entry that points to another subject's session neither shows nor ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misplaced_index_entry_is_passed_over() {
    let folder = Folder::new();
    let store = folder.open();
    let alices = RecordBuilder::new(now()).subject("alice").build();
    let _ = create(&store, 1, &alices).await;
    let bobs = RecordBuilder::new(now()).subject("bob").build();
    let _ = create(&store, 2, &bobs).await;
    for key in fs::read_dir(folder.0.join("index")).unwrap() {
        for number in ["01", "02"] {
            let bucket = key.as_ref().unwrap().path().join(number);
            fs::create_dir_all(&bucket).unwrap();
            File::create(bucket.join(number.repeat(16))).unwrap();
        }
    }
    let bob = owner("bob");
    assert_eq!(listed(&store, &bob).await, [id(2)]);
    assert_eq!(end(&store, &bob).await, Ok(1));
    assert!(load(&store, 1).await.unwrap().is_some());
    assert_eq!(listed(&store, &owner("alice")).await, [id(1)]);
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
        let _ = create(&store, number, &record).await;
    }
    let alice = owner("alice");
    let cutoff = Cutoff::new(begin, begin.after(Duration::from_secs(3600)), [7; 16]);
    store.raise_cutoff(&alice, &cutoff, begin).await.unwrap();
    assert_eq!(store.sweep(begin, 100).await.unwrap(), 0);
    let later = begin.after(Duration::from_secs(2 * 3600));
    assert_eq!(store.sweep(later, 1).await.unwrap(), 1);
    assert_eq!(store.sweep(later, 100).await.unwrap(), 2, "and the cut-off");
    assert_eq!(listed(&store, &alice).await.len(), 2);
    assert_eq!(store.cutoff(&alice, begin).await.unwrap(), None, "swept");
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
    let first = id(1);
    let created = store.create(&first, &record, Counting::Counted, now());
    let error = created.await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(load(&store, 1).await.unwrap().is_none());
    // What ran out of time may be done all the same, and here it is.
    lock.unlock().unwrap();
    while load(&store, 1).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
