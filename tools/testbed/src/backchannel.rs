//! The logout of an identity provider, `POST /backchannel-logout`, if `TESTBED_OIDC_*` name one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header},
    routing::any,
};
use tower_session_guard::{AnyBackend, Clock, Login, Sessions};
use tower_session_guard_oidc::{BackchannelLogout, ProviderKeys, session_tag};

use crate::config::{Failure, Testbed, setting};

/// The provider whose logouts count.
#[derive(Clone)]
pub(crate) struct Provider {
    issuer: String,
    logout: BackchannelLogout,
}

impl Provider {
    pub(crate) fn from_env(
        sessions: Sessions<AnyBackend>,
        clock: impl Clock,
    ) -> Result<Option<Self>, Failure> {
        let names = ["JWKS", "ISSUER", "AUDIENCE"].map(|name| format!("TESTBED_OIDC_{name}"));
        let [file, issuer, audience] = names.each_ref().map(|name| setting(name));
        let (file, issuer, audience) = match (file?, issuer?, audience?) {
            (None, None, None) => return Ok(None),
            (Some(file), Some(issuer), Some(audience)) => (file, issuer, audience),
            _ => return Err(format!("set all of {}, or none", names.join(", ")).into()),
        };
        std::fs::read(&file).map_err(|error| format!("{}={file}: {error}", names[0]))?;
        let logout = BackchannelLogout::new(&issuer, audience, keys(file.into()), sessions)?;
        Ok(Some(Self {
            issuer,
            logout: logout.with_clock(clock),
        }))
    }

    /// The login that `tag`, which is the `sid` there, ends at the provider's word too.
    pub(crate) fn tagged(&self, login: Login, tag: &str) -> Login {
        login.tagged(session_tag(&self.issuer, tag))
    }
}

/// The keys as they are in the file now: reading it costs nothing that should be spared.
fn keys(file: PathBuf) -> ProviderKeys {
    let keys = ProviderKeys::fetched_by(move || tokio::fs::read(file.clone()));
    keys.fresh_for(Duration::ZERO).at_most_every(Duration::ZERO)
}

/// Without a provider 501, so that a client can tell.
pub(crate) fn router(provider: Option<Provider>) -> Router<Arc<Testbed>> {
    const PATH: &str = "/backchannel-logout";
    let not_set = || async {
        let no_store = [(header::CACHE_CONTROL, "no-store")];
        (StatusCode::NOT_IMPLEMENTED, no_store)
    };
    match provider {
        Some(provider) => Router::new().route_service(PATH, provider.logout),
        None => Router::new().route(PATH, any(not_set)),
    }
}
