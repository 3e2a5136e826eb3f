//! The same application on SQLite, PostgreSQL, DynamoDB or Firestore.
//!
//! Run with one of
//! `cargo run -p testbed --example stores --features sqlite -- sqlite sessions.db`,
//! `cargo run -p testbed --example stores --features postgres -- postgres postgres://postgres@127.0.0.1/postgres`,
//! `cargo run -p testbed --example stores --features dynamodb -- dynamodb http://127.0.0.1:8000`,
//! `cargo run -p testbed --example stores --features firestore -- firestore my-project`;
//! then `curl -i -X POST http://127.0.0.1:3000/login`, and with the cookie that it set
//! `curl -b '__Host-Http-session=…' http://127.0.0.1:3000/`. `SESSION_KEYS` keeps logins over a restart.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
use std::time::SystemTime;
use std::{env, error::Error, sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tower_session_guard::{AuthenticatedSession, KeyRing, Session, SessionLayer, SessionStore};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use tower_session_guard::{Timestamp, store::StoreError};

async fn home(user: AuthenticatedSession) -> String {
    format!("hello {}\n", user.subject())
}

async fn login(session: Session) -> &'static str {
    // A real application verifies a password or a passkey first.
    session.login("42");
    "welcome\n"
}

async fn logout(session: Session) -> &'static str {
    session.logout();
    "bye\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [kind, place] = &arguments[..] else {
        return Err("say which store, and where".into());
    };
    let keys = match env::var_os("SESSION_KEYS") {
        Some(_) => KeyRing::from_env("SESSION_KEYS")?,
        None => KeyRing::generate()?,
    };
    let sessions = SessionLayer::new(keys).with_store(store(kind, place).await?);
    let app = Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(sessions.clone());

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(stopped())
        .await?;
    // A logout whose client has left goes on without its request.
    let drained = sessions.drain(Duration::from_secs(5)).await;
    if !drained.is_complete() {
        eprintln!("{} settlements were left", drained.left);
    }
    Ok(())
}

/// Done once Ctrl-C was pressed.
async fn stopped() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be noticed here: serve on.
        std::future::pending::<()>().await;
    }
}

/// Clears expired sessions away, in portions that hold nobody up.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
async fn each_minute<F>(sweep: impl Fn(Timestamp, u32) -> F)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        while let Ok(1000) = sweep(SystemTime::now().into(), 1000).await {}
    }
}

async fn store(kind: &str, place: &str) -> Result<Arc<dyn SessionStore>, Box<dyn Error>> {
    match kind {
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let store = tower_session_guard_sqlx::SqliteStore::open(place).await?;
            let swept = store.clone();
            tokio::spawn(each_minute(move |now, limit| {
                let store = swept.clone();
                async move { store.sweep(now, limit).await }
            }));
            Ok(Arc::new(store))
        }
        #[cfg(feature = "postgres")]
        "postgres" => {
            let pool = sqlx::PgPool::connect(place).await?;
            let store = tower_session_guard_sqlx::PostgresStore::new(pool);
            store.migrate().await?;
            let swept = store.clone();
            tokio::spawn(each_minute(move |now, limit| {
                let store = swept.clone();
                async move { store.sweep(now, limit).await }
            }));
            Ok(Arc::new(store))
        }
        #[cfg(feature = "dynamodb")]
        "dynamodb" => {
            use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
            // For AWS itself: `Client::new(&aws_config::load_from_env().await)`.
            let config = aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("test", "test", None, None, "example"))
                .endpoint_url(place)
                .http_client(aws_smithy_http_client::Builder::new().build_http());
            let client = aws_sdk_dynamodb::Client::from_conf(config.build());
            let store = tower_session_guard_dynamodb::DynamoDbStore::new(client, "sessions");
            store.create_table().await?;
            Ok(Arc::new(store))
        }
        #[cfg(feature = "firestore")]
        "firestore" => {
            let store = tower_session_guard_firestore::FirestoreStore::connect(place)?;
            Ok(Arc::new(store))
        }
        other => Err(format!("{other} {place}: no such store, or its feature is off").into()),
    }
}
