//! The application, and the other site.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Query, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{Html, Redirect, Response},
    routing::{get, post},
};
use tokio::sync::watch;
use tower_session_guard::{
    AssuranceLevel, Clock, DataKey, DeviceBinding, Endings, KeyRing, MemoryStore,
    RequireAuthentication, Session, SessionLayer, SystemClock,
    testing::{FaultyStore, ManualClock},
};

use crate::{IDP, REFRESH, REGISTER, SEALED};

/// What a visitor takes to the identity provider and has to bring back.
const STATE: DataKey<String> = DataKey::new("state");

type Parameters = Query<BTreeMap<String, String>>;

/// What a test does to the application while the browser uses it.
#[derive(Clone, Debug)]
pub struct Controls {
    pub store: FaultyStore<MemoryStore>,
    pub clock: ManualClock,
    pub holds: Holds,
    /// How many answers of the endpoints are lost on their way from now on.
    pub loses: Arc<AtomicU32>,
}

/// What an answer carries that never reaches the browser.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

impl Controls {
    pub fn new() -> Self {
        Self {
            store: FaultyStore::new(MemoryStore::new()),
            clock: ManualClock::starting_at(SystemClock.now()),
            holds: Holds::default(),
            loses: Arc::default(),
        }
    }
}

/// Paths at which requests wait before they reach the session layer, and how many do.
#[derive(Clone, Debug, Default)]
pub struct Holds(Arc<watch::Sender<BTreeMap<&'static str, usize>>>);

impl Holds {
    pub fn hold(&self, path: &'static str) {
        self.0.send_modify(|held| {
            held.insert(path, 0);
        });
    }

    pub fn waiting(&self, path: &str) -> usize {
        self.0.borrow().get(path).copied().unwrap_or(0)
    }

    pub fn release(&self, path: &str) {
        self.0.send_modify(|held| {
            held.remove(path);
        });
    }

    async fn pass(&self, path: &str) {
        let waits = |held: &mut BTreeMap<_, usize>| {
            let waiting = held.get_mut(path);
            waiting.map(|waiting| *waiting += 1).is_some()
        };
        if self.0.send_if_modified(waits) {
            let mut held = self.0.subscribe();
            // The sender lives as long as the application does.
            let _ = held.wait_for(|held| !held.contains_key(path)).await;
        }
    }
}

/// The application at `host`, which says how it keeps its sessions.
pub fn app(controls: &Controls, host: &'static str) -> Router {
    let keys = KeyRing::generate().unwrap();
    let sessions = match host {
        SEALED => SessionLayer::self_contained(keys, Endings::this_process()).into_any(),
        _ => SessionLayer::new(keys)
            .with_store(controls.store.clone())
            .into_any(),
    };
    let sessions = sessions
        .with_clock(controls.clock.clone())
        .with_device_binding(DeviceBinding::new("/dbsc"))
        .unwrap();
    let guard = RequireAuthentication::new().bound();
    let lately = RequireAuthentication::new().bound_within(Duration::from_secs(120));
    let lately = get(|| async { "welcome" })
        .post(|body: String| async { body })
        .layer(lately);
    Router::new()
        .route("/", get(page))
        .route("/whoami", get(whoami))
        .route("/crossing", get(whoami))
        .route("/bound", get(|| async { "welcome" }).layer(guard))
        .route("/lately", lately)
        .route("/login", post(login))
        .route("/sso", get(move |session| begin(session, host)))
        .route("/callback", get(callback))
        .route("/elevate", post(elevate))
        .route("/logout", post(logout))
        .layer(sessions.device_endpoints().unwrap())
        .layer(sessions)
        .layer(from_fn_with_state(controls.loses.clone(), lose))
        .layer(from_fn_with_state(controls.holds.clone(), wait))
}

/// Another site, with a link to the application and a page at which its users log in.
pub fn idp() -> Router {
    Router::new()
        .route("/", get(leads_on))
        .route("/authorize", get(authorize))
}

fn link(to: &str) -> Html<String> {
    Html(format!(
        r#"<!doctype html><title>{IDP}</title><a href="{to}">go on</a>"#
    ))
}

/// `?to=HOST`.
async fn leads_on(Query(parameters): Parameters) -> Html<String> {
    link(&format!("https://{}/whoami", parameters["to"]))
}

async fn authorize(Query(parameters): Parameters) -> Html<String> {
    let (to, state) = (&parameters["to"], &parameters["state"]);
    link(&format!("https://{to}/callback?state={state}&user=alice"))
}

async fn wait(State(holds): State<Holds>, request: Request, next: Next) -> Response {
    holds.pass(request.uri().path()).await;
    next.run(request).await
}

async fn lose(State(loses): State<Arc<AtomicU32>>, request: Request, next: Next) -> Response {
    let is_endpoint = [REGISTER, REFRESH].contains(&request.uri().path());
    let mut response = next.run(request).await;
    let one_less = |left: u32| left.checked_sub(1);
    if is_endpoint && loses.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
        response.extensions_mut().insert(Lost);
    }
    response
}

/// A page from which scripts of a test ask for others. It does not look at the session.
async fn page() -> Html<&'static str> {
    Html("<!doctype html><title>app</title>")
}

async fn whoami(session: Session) -> String {
    let level = session.level().map_or(0, AssuranceLevel::get);
    let bound = if session.is_bound() { " bound" } else { "" };
    match session.subject() {
        Some(subject) => format!("{subject}@{level}{bound}"),
        None => "nobody".to_owned(),
    }
}

/// `?user=U[&next=PATH]`: goes on to the path, if it is named.
async fn login(session: Session, Query(parameters): Parameters) -> Result<&'static str, Redirect> {
    session.login(&*parameters["user"]);
    match parameters.get("next") {
        Some(next) => Err(Redirect::to(next)),
        None => Ok("logged in"),
    }
}

async fn begin(session: Session, host: &str) -> Redirect {
    let state = "of-this-visitor".to_owned();
    session.insert(&STATE, &state).unwrap();
    Redirect::to(&format!("https://{IDP}/authorize?to={host}&state={state}"))
}

async fn callback(session: Session, Query(parameters): Parameters) -> Result<Redirect, StatusCode> {
    let state = session.get(&STATE).unwrap();
    if state.as_ref() != Some(&parameters["state"]) {
        return Err(StatusCode::FORBIDDEN);
    }
    session.login(&*parameters["user"]);
    Ok(Redirect::to("/whoami"))
}

async fn elevate(session: Session) -> &'static str {
    session.elevate(AssuranceLevel::AAL2);
    "elevated"
}

async fn logout(session: Session) -> &'static str {
    session.logout();
    "bye"
}
