//! [`Site`]: an application before, during and after its move, over the same sessions.

use std::sync::Arc;

use axum::{Form, Router, response::Redirect, routing::post};
use migrate::{
    from_axum_login::{self, both::Adopt},
    from_tower_sessions,
    note::RotatedLogin,
    users::{Credentials, Users},
};
use tower_session_guard::{
    KeyRing, MemoryStore, SessionLayer, Sessions, Subject, Timestamp,
    testing::{FaultyStore, ManualClock},
};
use tower_sessions::SessionStore as _;
use tower_sessions_0_14::SessionStore as _;

use crate::old_store::{Faults, OldStore};

type Store14 = OldStore<tower_sessions_0_14::MemoryStore>;
type Store15 = OldStore<tower_sessions::MemoryStore>;

enum Old {
    AxumLogin(Store14),
    TowerSessions(Store15),
}

pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) users: Users,
    pub(crate) before: Router,
    pub(crate) both: Router,
    pub(crate) after: Router,
    /// The application before its last release: `/begin` begins an anonymous session, and `/login` logs in and notes nothing.
    pub(crate) long_before: Router,
    new: Sessions,
    /// Where they are kept.
    pub(crate) store: FaultyStore<MemoryStore>,
    /// The time of the new sessions.
    pub(crate) clock: ManualClock,
    pub(crate) faults: Arc<Faults>,
    old: Old,
}

impl Site {
    pub(crate) fn from_axum_login(which: Adopt) -> Self {
        use from_axum_login::{after, before, both};
        let (users, old) = (Users::demo(), Store14::new());
        let (sessions, store, clock) = new_sessions();
        let new = sessions.sessions();
        Self {
            name: "axum-login",
            before: before::router(users.clone(), old.clone()),
            both: both::router(users.clone(), old.clone(), sessions.clone(), which),
            after: after::router(users.clone(), sessions),
            long_before: Router::new()
                .route("/login", post(log_in_with_axum_login))
                .route(
                    "/begin",
                    post(|old: tower_sessions_0_14::Session| async move {
                        old.insert("seen", true).await.unwrap();
                    }),
                )
                .layer(before::auth_layer(users.clone(), old.clone())),
            users,
            new,
            store,
            clock,
            faults: Arc::clone(&old.faults),
            old: Old::AxumLogin(old),
        }
    }

    pub(crate) fn from_tower_sessions() -> Self {
        use from_tower_sessions::{after, before, both};
        let (users, old) = (Users::demo(), Store15::new());
        let (sessions, store, clock) = new_sessions();
        let new = sessions.sessions();
        Self {
            name: "tower-sessions",
            before: before::router(users.clone(), old.clone()),
            both: both::router(users.clone(), old.clone(), sessions.clone()),
            after: after::router(users.clone(), sessions),
            long_before: Router::new()
                .route("/login", post(log_in_without_rotation))
                .route(
                    "/begin",
                    post(|old: tower_sessions::Session| async move {
                        old.insert("seen", true).await.unwrap();
                    }),
                )
                .layer(before::session_layer(old.clone())),
            users,
            new,
            store,
            clock,
            faults: Arc::clone(&old.faults),
            old: Old::TowerSessions(old),
        }
    }

    pub(crate) fn each() -> [Self; 2] {
        [
            Self::from_axum_login(Adopt::Noted),
            Self::from_tower_sessions(),
        ]
    }

    /// How many new sessions alice has.
    pub(crate) async fn live_sessions(&self) -> usize {
        self.new.list(&Subject::from(1)).await.unwrap().len()
    }

    /// Whether the old store has this session.
    pub(crate) async fn old_store_has(&self, cookie: &str) -> bool {
        match &self.old {
            Old::AxumLogin(old) => {
                let found = old.store.load(&cookie.parse().unwrap()).await;
                found.unwrap().is_some()
            }
            Old::TowerSessions(old) => {
                let found = old.store.load(&cookie.parse().unwrap()).await;
                found.unwrap().is_some()
            }
        }
    }
}

fn new_sessions() -> (SessionLayer, FaultyStore<MemoryStore>, ManualClock) {
    let store = FaultyStore::new(MemoryStore::new());
    let clock = ManualClock::starting_at(Timestamp::from_unix_seconds(RotatedLogin::of(1).at));
    let sessions = SessionLayer::new(KeyRing::generate().unwrap())
        .with_store(store.clone())
        .with_clock(clock.clone());
    (sessions, store, clock)
}

/// As axum-login alone does.
async fn log_in_with_axum_login(
    mut auth: from_axum_login::before::AuthSession,
    Form(form): Form<Credentials>,
) -> Redirect {
    let user = auth.authenticate(form).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
    Redirect::to("/")
}

/// As an application does that only writes the user's id.
async fn log_in_without_rotation(
    session: tower_sessions::Session,
    Form(form): Form<Credentials>,
) -> Redirect {
    let user = Users::demo().verify(&form).unwrap();
    session
        .insert(from_tower_sessions::before::USER, user.id)
        .await
        .unwrap();
    Redirect::to("/")
}
