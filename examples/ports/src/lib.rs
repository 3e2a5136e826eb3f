//! What both ports have: users in SQLite, and the pages to log in and out.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use axum::{
    Form, Router,
    extract::{FromRef, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use sqlx::{FromRow, SqlitePool, sqlite::SqlitePoolOptions};
use tower_session_guard::{ReturnPath, Session, Subject};
use tower_session_guard_axum::{AppUser, CredentialStamp, Flash, FlashCookie};

/// A user, as the table has them.
#[derive(Clone, FromRow)]
pub struct User {
    /// What sessions know the user by.
    pub id: i64,
    /// What the user types.
    pub name: String,
    password: String,
}

/// Without the password's hash.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("User").field(&self.id).finish()
    }
}

impl AppUser for User {
    type State = SqlitePool;
    type Error = sqlx::Error;

    async fn load(subject: &Subject, db: &SqlitePool) -> Result<Option<Self>, sqlx::Error> {
        let query = sqlx::query_as("SELECT * FROM users WHERE id = CAST(? AS INTEGER)");
        query.bind(subject.as_str()).fetch_optional(db).await
    }

    fn subject(&self) -> Subject {
        Subject::from(self.id.to_string())
    }

    // Another password ends the sessions of before.
    fn credential_stamp(&self) -> Option<CredentialStamp> {
        Some(CredentialStamp::of(&self.password))
    }
}

/// A database in memory with these statements carried out, and with these users, whose password is `hunter42`.
///
/// # Errors
///
/// If a statement fails, or the operating system gives no random bytes.
pub async fn database(
    schema: &'static str,
    users: &[&str],
) -> Result<SqlitePool, Box<dyn std::error::Error>> {
    // Each connection to `:memory:` is a database of its own.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None);
    let db = pool.connect("sqlite::memory:").await?;
    sqlx::raw_sql("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, password TEXT NOT NULL)").execute(&db).await?;
    for name in users {
        let hash = Argon2::default()
            .hash_password(b"hunter42")
            .map_err(|error| error.to_string())?;
        let insert = sqlx::query("INSERT INTO users (name, password) VALUES (?, ?)");
        insert
            .bind(*name)
            .bind(hash.to_string())
            .execute(&db)
            .await?;
    }
    sqlx::raw_sql(schema).execute(&db).await?;
    Ok(db)
}

/// The routes of `/login` and `/logout`.
pub fn login_routes<S>() -> Router<S>
where
    SqlitePool: FromRef<S>,
    FlashCookie: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn login(
    State(db): State<SqlitePool>,
    session: Session,
    flash: Flash,
    Form(form): Form<Credentials>,
) -> Result<Response, StatusCode> {
    let next = ReturnPath::parse(&form.next);
    let found: Result<Option<User>, _> = sqlx::query_as("SELECT * FROM users WHERE name = ?")
        .bind(&form.name)
        .fetch_optional(&db)
        .await;
    let found = found.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    // Hashing takes long: elsewhere, so that other requests go on.
    let right = move || found.filter(|user| is_right(&form.password, &user.password));
    let user = tokio::task::spawn_blocking(right).await;
    let Some(user) = user.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)? else {
        let again = format!("/login?next={}", next.in_query());
        return Ok((
            flash.error("Name or password is wrong."),
            Redirect::to(&again),
        )
            .into_response());
    };
    session.login(user.to_login().by("password"));
    Ok((
        flash.success(format!("Logged in as {}.", user.name)),
        Redirect::to(next.as_str()),
    )
        .into_response())
}

fn is_right(password: &str, hash: &str) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

async fn logout(session: Session) -> Redirect {
    session.logout();
    Redirect::to("/login")
}

async fn login_page(flash: Flash, Query(Next { next }): Query<Next>) -> (Flash, Markup) {
    page(
        "Log in",
        flash,
        &html! {
            form method="post" {
                p { label { "Name " input name="name" value="ferris" autocomplete="username" required; } }
                p { label { "Password " input type="password" name="password" value="hunter42" autocomplete="current-password" required; } }
                input type="hidden" name="next" value=(next);
                button { "Log in" }
            }
        },
    )
}

/// A page with the messages that wait.
pub fn page(title: &str, mut flash: Flash, content: &Markup) -> (Flash, Markup) {
    let messages = flash.take();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            title { (title) }
            @for message in &messages { p role="status" { strong { (message.text()) } } }
            h1 { (title) }
            (content)
        }
    };
    (flash, page)
}

/// A page of a user, with the way out.
pub fn own_page(title: &str, flash: Flash, text: &str) -> (Flash, Markup) {
    page(
        title,
        flash,
        &html! {
            p { (text) }
            form method="post" action="/logout" { button { "Log out" } }
        },
    )
}
