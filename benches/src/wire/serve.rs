//! Servers: one thread, as one worker of a larger one, so that the client has a core to itself.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::layer::util::Identity;
use tower::service_fn;
use tower::util::MapRequestLayer;
use tower_layer::Layer;
use tower_service::Service;
use tower_session_guard::{MemoryStore, store::Lease};
use tower_session_guard_cache::Cached;
use tower_session_guard_redis::RedisStore;

#[cfg(feature = "redis-peers")]
use super::peers;
use crate::floor::FloorLayer;
use crate::scenario::{LOGIN, READ, WRITE};
use crate::subject::{Body, bare, floor, guard, tower_sessions};

/// Serves a stack on a free port of loopback and prints the port; returns when it cannot.
///
/// # Errors
///
/// When the system refuses a socket.
pub fn serve(front: &str, stack: &str) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?.port());
        macro_rules! stack {
            ($layer:expr, $($handle:ident)::+) => {
                match front {
                    "hyper" => {
                        let service = $layer.layer(service_fn($($handle)::+::<Incoming>));
                        hyper(listener, service).await
                    }
                    "axum" => {
                        let handler = service_fn($($handle)::+::<Body>);
                        let router = Router::new()
                            .route_service(READ, handler)
                            .route_service(LOGIN, handler)
                            .route_service(WRITE, handler);
                        axum::serve(listener, router.layer($layer)).await
                    }
                    other => Err(io::Error::other(format!("no such server: {other}"))),
                }
            };
        }
        match stack {
            "bare stack" => stack!(Identity::new(), bare::handle),
            super::HANDLE => stack!(MapRequestLayer::new(with_a_handle), bare::handle),
            "tower-session-guard, self-contained" => {
                stack!(guard::self_contained_layer(), guard::handle)
            }
            "tower-session-guard, memory store" => {
                stack!(guard::stored_layer(MemoryStore::new()), guard::handle)
            }
            super::REDIS => stack!(guard::stored_layer(redis().await?), guard::handle),
            super::CACHED => {
                let lease = Lease::exact(Duration::from_millis(250)).map_err(io::Error::other)?;
                let store = Cached::start(redis().await?, lease);
                stack!(guard::stored_layer(store), guard::handle)
            }
            super::UNLOOKED => {
                stack!(guard::stored_layer(redis().await?), guard::without_a_look)
            }
            super::UNLOOKED_LAZILY => {
                let layer = guard::stored_layer(redis().await?).lazily();
                stack!(layer, guard::without_a_look)
            }
            #[cfg(feature = "redis-peers")]
            peers::TOWER_SESSIONS => stack!(peers::tower_sessions().await?, peers::handle),
            #[cfg(feature = "redis-peers")]
            peers::BEHIND_MOKA => stack!(peers::behind_moka().await?, peers::handle),
            #[cfg(feature = "redis-peers")]
            peers::UNLOOKED => stack!(peers::tower_sessions().await?, peers::without_a_look),
            #[cfg(feature = "redis-peers")]
            peers::AXUM_SESSION if front == "axum" => {
                let handler = service_fn(peers::handle_axum_session);
                let router = Router::new()
                    .route_service(READ, handler)
                    .route_service(LOGIN, handler)
                    .route_service(WRITE, handler);
                let router = router.layer(peers::axum_session().await?);
                axum::serve(listener, router).await
            }
            "floor" => stack!(FloorLayer::new([7; 32], true), floor::handle),
            "tower-sessions, signed" => {
                stack!(tower_sessions::signed_layer(), tower_sessions::handle)
            }
            other => Err(io::Error::other(format!("no such stack: {other}"))),
        }
    })
}

fn with_a_handle<B>(mut request: Request<B>) -> Request<B> {
    let handle = Arc::new(Mutex::new(Vec::<u8>::new()));
    request.extensions_mut().insert(handle);
    request
}

async fn redis() -> io::Result<RedisStore> {
    let url = std::env::var("REDIS_URL").map_err(io::Error::other)?;
    RedisStore::connect(url).await.map_err(io::Error::other)
}

async fn hyper<S>(listener: TcpListener, service: S) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // A client that goes away ends its connection and nothing else.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
