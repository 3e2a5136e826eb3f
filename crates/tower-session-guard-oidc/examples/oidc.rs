//! A login at an identity provider, in the manner of OpenID Connect, and both logouts.
//!
//! Run with `cargo run -p tower-session-guard-oidc --example oidc` and open the addresses that it prints. The provider is a stub in
//! the same process, on another site: the application is at `localhost`, the provider at `127.0.0.1`. `SAME_SITE=strict` gives
//! the session cookie `SameSite=Strict`, to see what that means for a login that comes back from another site.
//!
//! Log in, and log out at the application: the provider ends its session too. Or log in and log out on the provider's page: it tells
//! the application over the back channel, and the next request there is anonymous.

#[path = "oidc/app.rs"]
mod app;
#[path = "oidc/client.rs"]
mod client;
#[path = "oidc/provider.rs"]
mod provider;
#[path = "oidc/provider_logout.rs"]
mod provider_logout;
#[path = "oidc/tokens.rs"]
mod tokens;

use std::{env, sync::Arc};

use provider::{Client, Provider};
use tokio::net::TcpListener;
use tower::BoxError;
use tower_session_guard::{CookiePolicy, KeyRing, SameSite, SessionLayer, SystemClock};
use tower_session_guard_oidc::ProviderKeys;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt::init();
    let at_provider = TcpListener::bind("127.0.0.1:0").await?;
    let at_app = TcpListener::bind("127.0.0.1:0").await?;
    let own_url = format!("http://localhost:{}", at_app.local_addr()?.port());
    let provider_url = format!("http://{}", at_provider.local_addr()?);
    let provider = Provider::new(&provider_url, Client::at(&own_url), Arc::new(SystemClock))?;

    let http = client::over_http();
    let jwks = format!("{provider_url}/jwks");
    let provider_keys = ProviderKeys::fetched_by({
        let http = http.clone();
        move || client::get(http.clone(), jwks.clone())
    });
    let same_site = match env::var("SAME_SITE").as_deref() {
        Ok("strict") => SameSite::Strict,
        _ => SameSite::Lax,
    };
    let keys = KeyRing::generate()?;
    let sessions = SessionLayer::new(keys.clone())
        .with_cookies(CookiePolicy::builder().same_site(same_site).build()?);
    let app = app::router(
        &keys,
        sessions,
        SystemClock,
        provider.clone(),
        provider_keys,
        &own_url,
    )?;

    println!("open {own_url}, and {provider_url} for the provider's page");
    let provider = axum::serve(at_provider, provider::router(provider, http));
    let app = axum::serve(at_app, app);
    tokio::try_join!(provider.into_future(), app.into_future())?;
    Ok(())
}
