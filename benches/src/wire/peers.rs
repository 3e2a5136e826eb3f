//! What users would pick to keep sessions in Redis, each as its documentation recommends.

use std::convert::Infallible;
use std::io;

use axum_session::{Key, SessionConfig, SessionLayer, SessionStore};
use axum_session_redispool::SessionRedisPool;
use http::{Request, Response};
use tower_sessions_0_14::cookie::Key as SigningKey;
use tower_sessions_0_14::cookie::time::Duration;
use tower_sessions_0_14::service::SignedCookie;
use tower_sessions_0_14::{
    CachingSessionStore, Expiry, Session, SessionManagerLayer, SessionStore as TowerStore,
};
use tower_sessions_moka_store::MokaStore;
use tower_sessions_redis_store::{RedisStore, fred::prelude::*};

use crate::scenario::{LOGIN, USER, WRITE};
use crate::subject::{Body, answer, next_note};

pub(super) const TOWER_SESSIONS: &str = "tower-sessions 0.14, Redis";
pub(super) const BEHIND_MOKA: &str = "tower-sessions 0.14, Redis, moka";
pub(super) const UNLOOKED: &str = "tower-sessions 0.14, Redis, no look";
pub(super) const AXUM_SESSION: &str = "axum_session, Redis";

fn url() -> io::Result<String> {
    std::env::var("REDIS_URL").map_err(io::Error::other)
}

async fn store() -> io::Result<RedisStore<Pool>> {
    let config = Config::from_url(&url()?).map_err(io::Error::other)?;
    let pool = Pool::new(config, None, None, None, 6).map_err(io::Error::other)?;
    pool.connect();
    pool.wait_for_connect().await.map_err(io::Error::other)?;
    Ok(RedisStore::new(pool))
}

fn layer<S: TowerStore>(store: S) -> SessionManagerLayer<S, SignedCookie> {
    SessionManagerLayer::new(store)
        .with_expiry(Expiry::OnInactivity(Duration::hours(12)))
        .with_signed(SigningKey::generate())
}

pub(super) async fn tower_sessions()
-> io::Result<SessionManagerLayer<RedisStore<Pool>, SignedCookie>> {
    Ok(layer(store().await?))
}

type BehindMoka = CachingSessionStore<MokaStore, RedisStore<Pool>>;

pub(super) async fn behind_moka() -> io::Result<SessionManagerLayer<BehindMoka, SignedCookie>> {
    let cache = MokaStore::new(Some(10_000));
    Ok(layer(CachingSessionStore::new(cache, store().await?)))
}

pub(super) async fn handle<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    let session = request
        .extensions()
        .get::<Session>()
        .expect("the layer stands above");
    let somebody = match request.uri().path() {
        LOGIN => {
            session.cycle_id().await.expect("Redis");
            session.insert("user", USER).await.expect("Redis");
            true
        }
        WRITE => {
            session.insert("note", next_note()).await.expect("Redis");
            true
        }
        _ => session
            .get::<String>("user")
            .await
            .expect("Redis")
            .is_some(),
    };
    Ok(answer(somebody))
}

pub(super) async fn without_a_look<B>(request: Request<B>) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == LOGIN {
        return handle(request).await;
    }
    Ok(answer(true))
}

pub(super) async fn axum_session() -> io::Result<SessionLayer<SessionRedisPool>> {
    let client =
        tower_session_guard_redis::redis::Client::open(url()?).map_err(io::Error::other)?;
    let pool = redis_pool::SingleRedisPool::from(client);
    let config = SessionConfig::default()
        .with_key(Key::generate())
        .with_secure(true);
    let store = SessionStore::<SessionRedisPool>::new(Some(pool.into()), config).await;
    Ok(SessionLayer::new(store.map_err(io::Error::other)?))
}

pub(super) async fn handle_axum_session(
    request: Request<Body>,
) -> Result<Response<Body>, Infallible> {
    type Session = axum_session::Session<SessionRedisPool>;
    let session = request
        .extensions()
        .get::<Session>()
        .expect("the layer stands above");
    let somebody = match request.uri().path() {
        LOGIN => {
            session.renew();
            session.set("user", USER);
            true
        }
        WRITE => {
            session.set("note", next_note());
            true
        }
        _ => session.get::<String>("user").is_some(),
    };
    Ok(answer(somebody))
}
