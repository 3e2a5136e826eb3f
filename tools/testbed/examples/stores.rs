//! The same application on SQLite, PostgreSQL, DynamoDB or Firestore.
//!
//! Run with one of
//! `cargo run -p testbed --example stores --features sqlite -- sqlite sessions.db`,
//! `cargo run -p testbed --example stores --features postgres -- postgres postgres://postgres@127.0.0.1/postgres`,
//! `cargo run -p testbed --example stores --features dynamodb -- dynamodb http://127.0.0.1:8000`,
//! `cargo run -p testbed --example stores --features firestore -- firestore my-project`;
//! then `curl -i -X POST http://127.0.0.1:3000/login`, and with the cookie that it set
//! `curl -b '__Host-Http-session=…' http://127.0.0.1:3000/`. `SESSION_KEYS` keeps logins over a restart.

use std::{env, error::Error, sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tower_session_guard::{
    AuthenticatedSession, KeyRing, Session, SessionLayer, SessionStore, Sweeper,
};

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
    let (store, sweeper) = store(kind, place).await?;
    let sweeping = sweeper.map(Sweeper::start);
    let sessions = SessionLayer::new(keys).with_store(store);
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
    if let Some(sweeping) = sweeping {
        sweeping.stop().await;
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

/// The store, and what clears it of expired sessions if its engine does not.
async fn store(
    kind: &str,
    place: &str,
) -> Result<(Arc<dyn SessionStore>, Option<Sweeper>), Box<dyn Error>> {
    match kind {
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let store = tower_session_guard_sqlx::SqliteStore::open(place).await?;
            let sweeper = Sweeper::new(store.clone());
            Ok((Arc::new(store), Some(sweeper)))
        }
        #[cfg(feature = "postgres")]
        "postgres" => {
            let pool = sqlx::PgPool::connect(place).await?;
            let store = tower_session_guard_sqlx::PostgresStore::new(pool);
            store.migrate().await?;
            let sweeper = Sweeper::new(store.clone());
            Ok((Arc::new(store), Some(sweeper)))
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
            Ok((Arc::new(store), None))
        }
        #[cfg(feature = "firestore")]
        "firestore" => {
            let store = tower_session_guard_firestore::FirestoreStore::connect(place)?;
            Ok((Arc::new(store), None))
        }
        other => Err(format!("{other} {place}: no such store, or its feature is off").into()),
    }
}
