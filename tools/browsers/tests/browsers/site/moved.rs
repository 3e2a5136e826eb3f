//! An application whose releases keep its cookies at different scopes.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;
use tower_session_guard::{
    CookiePolicy, CookiePolicyBuilder, CookieScope, Endings, KeyRing, MemoryStore, SessionLayer,
    store::revocation::MemoryRevocations,
};

use super::{Gate, Guarded, Target, ours};

/// With sessions in a store.
pub const MOVED: Target = Target {
    host: "moved.localhost",
    session: "shop",
    guest: "shop-guest",
    guarded: Guarded::Unprefixed,
};

/// With self-contained tokens.
pub const MOVED_SEALED: Target = Target {
    host: "moved-sealed.localhost",
    ..MOVED
};

/// Where a release keeps its cookies.
#[derive(Clone, Copy, Debug)]
pub enum Release {
    /// At the host alone.
    HostOnly,
    /// At the host and all hosts below it.
    Domain,
    /// The same, and it removes those that the first one left.
    DomainFormerlyHostOnly,
}

/// An application that is replaced while its browsers stay.
#[derive(Clone, Debug)]
pub struct Releases {
    target: Target,
    keys: KeyRing,
    store: MemoryStore,
    list: MemoryRevocations,
    gate: Gate,
    present: Arc<Mutex<Router>>,
}

impl Releases {
    pub fn of(target: Target, gate: Gate) -> Self {
        let releases = Self {
            target,
            keys: KeyRing::generate().unwrap(),
            store: MemoryStore::new(),
            list: MemoryRevocations::new(),
            gate,
            present: Arc::default(),
        };
        releases.deploy(Release::HostOnly);
        releases
    }

    /// Puts a release in the place of the one before; keys and sessions stay.
    pub fn deploy(&self, release: Release) {
        let policy = CookiePolicy::builder().whole_name(self.target.session);
        let policy = self.scope(policy, release).build().unwrap();
        let keys = self.keys.clone();
        let sessions = if self.target.host == MOVED.host {
            let stored = SessionLayer::new(keys).with_store(self.store.clone());
            stored.into_any()
        } else {
            SessionLayer::self_contained(keys, Endings::shared(self.list.clone())).into_any()
        };
        let app = ours::app(sessions.with_cookies(policy), self.gate.clone());
        *self.present.lock().unwrap() = app;
    }

    fn scope(&self, policy: CookiePolicyBuilder, release: Release) -> CookiePolicyBuilder {
        match release {
            Release::HostOnly => policy,
            Release::Domain => policy.domain(self.target.host),
            Release::DomainFormerlyHostOnly => {
                let policy = policy.domain(self.target.host);
                policy.formerly(CookieScope::host_only())
            }
        }
    }

    pub fn app(&self) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }
}

async fn serve(State(releases): State<Releases>, request: Request) -> Response {
    let present = releases.present.lock().unwrap().clone();
    present.oneshot(request).await.into_response()
}
