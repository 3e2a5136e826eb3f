//! A small application with users in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{FromRef, Path, State},
    http::{Request, Response, StatusCode, header},
    routing::{get, post},
};
use http_body_util::BodyExt;
use tower_session_guard::{
    Endings, KeyRing, Session, SessionLayer, Subject, testing::CookieClient,
};
use tower_session_guard_axum::{AppUser, CredentialStamp, CurrentUser, FlashCookie, HasPermission};

/// The users, as an application keeps them somewhere.
#[derive(Clone, Default)]
pub(crate) struct Database(Arc<Inner>);

#[derive(Default)]
struct Inner {
    users: Mutex<BTreeMap<String, User>>,
    loads: AtomicUsize,
    is_down: AtomicBool,
    answers_with: Mutex<Option<String>>,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) password_version: Option<u64>,
    pub(crate) is_editor: bool,
}

#[derive(Debug)]
pub(crate) struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database is down")
    }
}

impl std::error::Error for Down {}

impl Database {
    /// With alice, bob and carol, an editor.
    pub(crate) fn new() -> Self {
        let database = Self::default();
        for (id, is_editor) in [("alice", false), ("bob", false), ("carol", true)] {
            database.change(id, |user| {
                *user = Some(User {
                    id: id.to_owned(),
                    password_version: Some(1),
                    is_editor,
                });
            });
        }
        database
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Option<User>)) {
        let mut users = self.0.users.lock().unwrap();
        let mut user = users.remove(id);
        change(&mut user);
        if let Some(user) = user {
            users.insert(id.to_owned(), user);
        }
    }

    pub(crate) fn delete(&self, id: &str) {
        self.change(id, |user| *user = None);
    }

    pub(crate) fn change_password(&self, id: &str) {
        self.change(id, |user| {
            let version = &mut user.as_mut().unwrap().password_version;
            *version = Some(version.unwrap_or_default() + 1);
        });
    }

    /// How often a user was loaded since the last call.
    pub(crate) fn loads(&self) -> usize {
        self.0.loads.swap(0, SeqCst)
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, SeqCst);
    }

    /// From now on every load finds this user.
    pub(crate) fn answer_with(&self, id: &str) {
        *self.0.answers_with.lock().unwrap() = Some(id.to_owned());
    }

    pub(crate) fn find(&self, id: &str) -> Result<Option<User>, Down> {
        self.0.loads.fetch_add(1, SeqCst);
        if self.0.is_down.load(SeqCst) {
            return Err(Down);
        }
        let id = self
            .0
            .answers_with
            .lock()
            .unwrap()
            .clone()
            .unwrap_or(id.to_owned());
        Ok(self.0.users.lock().unwrap().get(&id).cloned())
    }
}

impl AppUser for User {
    type State = Database;
    type Error = Down;

    async fn load(subject: &Subject, database: &Database) -> Result<Option<Self>, Down> {
        tokio::task::yield_now().await;
        database.find(subject.as_str())
    }

    fn subject(&self) -> Subject {
        Subject::from(&*self.id)
    }

    fn credential_stamp(&self) -> Option<CredentialStamp> {
        let version = self.password_version?;
        Some(CredentialStamp::of(version.to_be_bytes()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Permission {
    Publish,
    FailToSay,
}

impl HasPermission<Permission> for User {
    async fn has_permission(&self, permission: &Permission, _: &Database) -> Result<bool, Down> {
        match permission {
            Permission::Publish => Ok(self.is_editor),
            Permission::FailToSay => Err(Down),
        }
    }
}

#[derive(Clone, FromRef)]
pub(crate) struct App {
    pub(crate) database: Database,
    pub(crate) flash: FlashCookie,
}

pub(crate) type Browser = CookieClient<Router, Body>;

/// In which of the two ways tokens are kept, and when a session is loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Stored,
    StoredLazily,
    SelfContained,
}

pub(crate) const MODES: [Mode; 3] = [Mode::Stored, Mode::StoredLazily, Mode::SelfContained];

/// The application's routes and those of a test, inside a session layer.
pub(crate) fn site(mode: Mode, database: &Database, routes: Router<App>) -> Browser {
    let keys = KeyRing::generate().unwrap();
    let app = App {
        database: database.clone(),
        flash: FlashCookie::new(&keys),
    };
    let routes = own_routes().merge(routes).with_state(app);
    CookieClient::around(match mode {
        Mode::Stored => routes.layer(SessionLayer::new(keys)),
        Mode::StoredLazily => routes.layer(SessionLayer::new(keys).lazily()),
        Mode::SelfContained => {
            routes.layer(SessionLayer::self_contained(keys, Endings::this_process()))
        }
    })
}

fn own_routes() -> Router<App> {
    Router::new()
        .route("/login/{id}", post(login))
        .route("/logout", post(async |session: Session| session.logout()))
        .route("/whoami", get(whoami))
        .route("/maybe", get(maybe))
}

async fn login(State(database): State<Database>, Path(id): Path<String>, session: Session) {
    let user = database.find(&id).unwrap().unwrap();
    session.login(user.to_login());
}

pub(crate) async fn whoami(user: CurrentUser<User>) -> String {
    let actor = user.actor().map(|actor| format!(" by {}", actor.id));
    format!("{}{}", user.id, actor.unwrap_or_default())
}

async fn maybe(user: Option<CurrentUser<User>>) -> String {
    user.map_or("nobody".to_owned(), |user| user.id.clone())
}

/// Status and body.
pub(crate) async fn read(answer: Response<Body>) -> (u16, String) {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status.as_u16(),
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

pub(crate) async fn get_from(browser: &mut Browser, path: &str) -> (u16, String) {
    read(browser.get(path).await).await
}

pub(crate) async fn post_to(browser: &mut Browser, path: &str) {
    let answer = browser.post(path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
}

/// A request with these fields.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = fields.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(Body::empty()).unwrap()
}

/// The fields of this name.
pub(crate) fn fields<B>(answer: &Response<B>, name: header::HeaderName) -> Vec<&str> {
    let fields = answer.headers().get_all(name).iter();
    fields.map(|field| field.to_str().unwrap()).collect()
}
