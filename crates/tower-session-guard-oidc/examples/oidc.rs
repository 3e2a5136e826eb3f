//! A login at an identity provider, in the manner of OpenID Connect: state, nonce and PKCE in a cookie of
//! their own, and what the provider says about the proof taken over into the session.
//!
//! Run with `cargo run -p tower-session-guard-oidc --example oidc` and open the address that it prints. The provider
//! is a stub in the same process, on another site: the application is at `localhost`, the provider at
//! `127.0.0.1`. `SAME_SITE=strict` gives the session cookie `SameSite=Strict`, to see what that means for
//! a login that comes back from another site.

#[path = "oidc/app.rs"]
mod app;
#[path = "oidc/provider.rs"]
mod provider;

use std::{env, error::Error, sync::Arc};

use provider::Provider;
use tokio::net::TcpListener;
use tower_session_guard::{CookiePolicy, KeyRing, SameSite, SessionLayer, SystemClock};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let at_provider = TcpListener::bind("127.0.0.1:0").await?;
    let at_app = TcpListener::bind("127.0.0.1:0").await?;
    let provider = Provider::new(format!("http://{}", at_provider.local_addr()?));
    let own_url = format!("http://localhost:{}", at_app.local_addr()?.port());

    let same_site = match env::var("SAME_SITE").as_deref() {
        Ok("strict") => SameSite::Strict,
        _ => SameSite::Lax,
    };
    let keys = KeyRing::generate()?;
    let sessions = SessionLayer::new(keys.clone())
        .with_cookies(CookiePolicy::builder().same_site(same_site).build()?);
    let clock = Arc::new(SystemClock);
    let app = app::router(&keys, sessions, clock.clone(), provider.clone(), &own_url)?;

    println!("open {own_url}");
    let provider = axum::serve(at_provider, provider::router(provider, clock));
    let app = axum::serve(at_app, app);
    tokio::try_join!(provider.into_future(), app.into_future())?;
    Ok(())
}
