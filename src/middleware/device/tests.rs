//! Enforcement: what a layer that binds sessions does with each kind of session and cookie, in either mode and however it loads.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::{Request, Response, header};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

use super::DeviceBinding;
use crate::{
    cookie::{
        CookieKind, CookiePolicy,
        device::DeviceCookie,
        token::{TokenKeys, bound::BoundKeys},
    },
    key::KeyRing,
    middleware::{
        backend::AnyBackend,
        failure::EmptyFailure,
        layer::{Endings, SessionLayer},
    },
    session::{
        authentication::{AssuranceLevel, Authentication},
        data::DataKey,
        device::{BoundDevice, Device, DeviceKey},
        event::{EventKind, Observer, SessionEvent},
        handle::Session,
        id::{Secret, SessionId},
        policy::SessionPolicy,
        record::Record,
        secrets::Secrets,
        state::State,
        time::{Clock, Timestamp},
    },
    store::{Counting, MemoryStore, SessionStore, revocation::MemoryRevocations},
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const ID: SessionId = SessionId::from_bytes([1; 16]);
const OTHER: SessionId = SessionId::from_bytes([9; 16]);
const SESSION: &str = "__Host-Http-session";
const BOUND: &str = "__Host-session-bound";

#[derive(Debug)]
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[derive(Clone, Debug, Default)]
struct Told(Arc<std::sync::Mutex<Vec<EventKind>>>);

impl Observer for Told {
    fn observe(&self, event: &SessionEvent) {
        self.0.lock().unwrap().push(event.kind);
    }
}

fn ring() -> KeyRing {
    KeyRing::of_tests([[7; 32]])
}

fn ago(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW.as_unix_seconds() - seconds)
}

/// A session of alice, bound so many seconds ago or not bound.
fn state(bound: Option<u64>) -> State {
    let created_at = ago(3_600);
    let mut state = State {
        authentication: Some(Authentication {
            subject: "alice".into(),
            level: AssuranceLevel::AAL1,
            authenticated_at: created_at,
            elevation: None,
        }),
        created_at,
        last_seen_at: NOW,
        rotated_at: created_at,
        absolute_expiry: NOW.after(Duration::from_secs(3_600)),
        ..State::default()
    };
    let device = bound.map(|bound| Device::Bound(BoundDevice::new(DeviceKey([7; 64]), ago(bound))));
    state.with_extra(|extra| extra.device = device);
    state
}

/// A bound cookie of this session whose proof is so old.
fn bound_cookie(family: SessionId, age: u64) -> String {
    let cookie = DeviceCookie::bound(&CookiePolicy::default()).unwrap();
    let keys = BoundKeys::new(&ring(), cookie.name(), "");
    let value = keys.seal_bound(&family, ago(age), [0; 4]);
    format!("{BOUND}={}", value.as_str())
}

type AnyLayer = SessionLayer<EmptyFailure, AnyBackend>;

/// Both modes, a list that answers later and a list that answers at once among them, each with the token of this state.
async fn layers(state: &State) -> Vec<(AnyLayer, String)> {
    let tokens = TokenKeys::new(ring(), &CookiePolicy::default(), "");
    let token = tokens.seal_self_contained(CookieKind::Session, &ID, state);
    let token = format!("{SESSION}={}", token.unwrap().as_str());
    let lists = [
        Endings::this_process(),
        Endings::shared(MemoryRevocations::new()),
    ];
    let mut layers = Vec::new();
    for list in lists {
        layers.push((
            SessionLayer::self_contained(ring(), list).into_any(),
            token.clone(),
        ));
    }
    let (store, secret) = (MemoryStore::new(), Secret::from_bytes([2; 16]));
    let (secrets, policy) = (Secrets::new(secret.digest()), SessionPolicy::default());
    let record = Record::of(state.clone(), secrets, ID.lineage(), &policy);
    let _ = store
        .create(&ID, &record, Counting::Counted, NOW)
        .await
        .unwrap();
    let token = tokens.seal_reference(CookieKind::Session, &ID, &secret, state.absolute_expiry);
    let token = format!("{SESSION}={}", token.as_str());
    layers.push((
        SessionLayer::new(ring()).with_store(store).into_any(),
        token,
    ));
    let lazily = layers
        .clone()
        .into_iter()
        .map(|(layer, token)| (layer.lazily(), token));
    let lazily: Vec<_> = lazily.collect();
    layers.extend(lazily);
    layers
}

/// What the handler saw, and whether the answer varies by the cookies.
async fn ask(layer: AnyLayer, cookies: &[&str], puts: bool) -> (String, Vec<EventKind>, bool) {
    let told = Told::default();
    let layer = layer.with_clock(At(NOW)).with_observer(told.clone());
    let service = layer.layer(service_fn(move |mut request: Request<String>| async move {
        let session = Session::load(&mut request).await.unwrap();
        if puts {
            session.insert(&DataKey::<u8>::new("k"), &1).unwrap();
        }
        let subject = session.subject().map(|subject| subject.to_string());
        let who = subject.unwrap_or("nobody".to_owned());
        let bound = if session.is_bound() { " bound" } else { "" };
        Ok::<_, Infallible>(Response::new(format!("{who}{bound}")))
    }));
    let mut request = Request::new(String::new());
    for cookie in cookies {
        request
            .headers_mut()
            .append(header::COOKIE, cookie.parse().unwrap());
    }
    let answer = service.oneshot(request).await.unwrap();
    let varies = answer.headers().contains_key(header::VARY);
    let writes = puts && answer.body().starts_with("alice") && is_self_contained(cookies);
    // Another session's bound cookie is removed where it keeps this one out.
    let of_another = bound_cookie(OTHER, 1);
    let removes = answer.body() == "nobody" && cookies.contains(&&*of_another);
    assert_eq!(
        answer.headers().contains_key(header::SET_COOKIE),
        writes || removes
    );
    (
        answer.into_body(),
        std::mem::take(&mut *told.0.lock().unwrap()),
        varies,
    )
}

fn is_self_contained(cookies: &[&str]) -> bool {
    cookies
        .iter()
        .any(|cookie| cookie.starts_with(SESSION) && cookie.len() > 200)
}

fn binding() -> DeviceBinding {
    DeviceBinding::new("/dbsc")
}

/// D11, A50: with the table of `present`, through the whole layer.
#[tokio::test]
async fn a_bound_session_opens_with_its_device_only() {
    let (other, forged) = (
        bound_cookie(OTHER, 1),
        format!("{BOUND}={}", "A".repeat(80)),
    );
    let own = |age| Some(bound_cookie(ID, age));
    for (bound, cookie, seen) in [
        (Some(3_000), own(0), "alice bound"),
        (Some(3_000), own(599), "alice bound"),
        (Some(3_000), own(600), "nobody"),
        (Some(3_000), own(899), "nobody"),
        (Some(3_000), None, "nobody"),
        (Some(3_000), Some(other.clone()), "nobody"),
        (Some(3_000), Some(forged.clone()), "nobody"),
        (Some(60), None, "nobody"),
        (Some(59), None, "alice"),
        (Some(59), own(1), "alice bound"),
        (None, None, "alice"),
        (None, own(1), "alice"),
    ] {
        for (layer, token) in layers(&state(bound)).await {
            let layer = layer.with_device_binding(binding()).unwrap();
            let mut cookies = vec![&*token];
            cookies.extend(cookie.as_deref());
            let told: &[_] = if seen == "nobody" {
                &[EventKind::UnboundUse]
            } else {
                &[]
            };
            let found = ask(layer.clone(), &cookies, false).await;
            assert_eq!(
                found,
                (seen.to_owned(), told.to_vec(), true),
                "{bound:?} {cookie:?}"
            );
            // Planted cookies hide nothing.
            cookies.extend([&*other, &*forged]);
            assert_eq!(ask(layer, &cookies, false).await.0, seen);
        }
    }
}

/// A50: a request without its device's cookie writes nothing.
#[tokio::test]
async fn a_bound_session_is_written_with_its_device_only() {
    for (cookie, seen, told) in [
        (Some(bound_cookie(ID, 1)), "alice bound", &[][..]),
        (
            None,
            "nobody",
            &[EventKind::UnboundUse, EventKind::UnboundUseDataDropped],
        ),
    ] {
        for (layer, token) in layers(&state(Some(3_000))).await {
            let layer = layer.with_device_binding(binding()).unwrap();
            let mut cookies = vec![&*token];
            cookies.extend(cookie.as_deref());
            let found = ask(layer, &cookies, true).await;
            assert_eq!(found, (seen.to_owned(), told.to_vec(), true));
        }
    }
}

/// A layer without device binding takes no bound cookie for one.
#[tokio::test]
async fn without_device_binding_no_bound_cookie_counts() {
    for (layer, token) in layers(&state(Some(3_000))).await {
        let found = ask(layer, &[&token, &bound_cookie(ID, 1)], false).await;
        assert_eq!(found.0, "nobody");
    }
}

/// The lifetime that is set is the one that counts, also for cookies that are out.
#[tokio::test]
async fn a_proof_is_good_for_the_lifetime_that_is_set() {
    for (minutes, age, seen) in [
        (5, 299, "alice bound"),
        (5, 300, "nobody"),
        (15, 899, "alice bound"),
    ] {
        let binding = binding().lifetime(Duration::from_secs(minutes * 60));
        for (layer, token) in layers(&state(Some(3_000))).await {
            let layer = layer.with_device_binding(binding.clone()).unwrap();
            assert_eq!(
                ask(layer, &[&token, &bound_cookie(ID, age)], false).await.0,
                seen
            );
        }
    }
}

/// A subject whose device was bound before cannot be had by a browser that binds none.
#[tokio::test]
async fn who_must_be_bound_is_admitted_bound_only() {
    for (required, bound, cookie, seen) in [
        ("alice", None, None, "nobody"),
        (
            "alice",
            Some(3_000),
            Some(bound_cookie(ID, 1)),
            "alice bound",
        ),
        ("alice", Some(59), None, "alice"),
        ("bob", None, None, "alice"),
    ] {
        let binding = binding().required_for(move |subject| subject.as_str() == required);
        for (layer, token) in layers(&state(bound)).await {
            let layer = layer.with_device_binding(binding.clone()).unwrap();
            let mut cookies = vec![&*token];
            cookies.extend(cookie.as_deref());
            assert_eq!(ask(layer, &cookies, false).await.0, seen);
        }
    }
}

#[test]
fn what_cannot_work_is_refused_with_the_remedy() {
    let minutes = |minutes: u64| binding().lifetime(Duration::from_secs(60 * minutes));
    let (default, partitioned) = (
        CookiePolicy::builder(),
        CookiePolicy::builder().partitioned(),
    );
    let (default, partitioned) = (default.build().unwrap(), partitioned.build().unwrap());
    let plain = CookiePolicy::plain_http_for_development();
    for (binding, cookies, remedy) in [
        (DeviceBinding::new("dbsc"), &default, "begin with /"),
        (DeviceBinding::new("/a//b"), &default, "no //"),
        (DeviceBinding::new("/a%20b"), &default, "letters, digits"),
        (DeviceBinding::new("/a?b"), &default, "letters, digits"),
        (minutes(16), &default, "at most 15 minutes"),
        (minutes(4), &default, "at least 5 minutes"),
        (binding(), &partitioned, "leave Partitioned out"),
        (binding(), &plain, "over HTTPS only"),
    ] {
        let layer = SessionLayer::new(ring()).with_cookies(cookies.clone());
        let told = layer.with_device_binding(binding).unwrap_err().to_string();
        assert!(told.contains(remedy), "{told}");
    }
    for binding in [minutes(5), minutes(15), binding()] {
        assert!(
            SessionLayer::new(ring())
                .with_device_binding(binding)
                .is_ok()
        );
    }
}
