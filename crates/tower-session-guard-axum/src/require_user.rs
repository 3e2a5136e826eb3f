//! [`RequireUser`]: lets through whose user is there and passes the rules.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_core::{BoxError, extract::FromRef};
use http::{Request, Response, request::Parts};
use tower_layer::Layer;
use tower_service::Service;
use tower_session_guard::{EmptyRefusal, Refusal, RefusalResponse};

use crate::{
    app_user::AppUser,
    load::{load, tell},
    permission::HasPermission,
    preflight::{is_preflight, only_its_own},
    rule::{Permitted, Rule, That, ThatAsync},
};

/// Lets a request through only if its user is there and passes the application's rules.
///
/// It loads the user as [`CurrentUser`](crate::CurrentUser) does, and handlers within find the user loaded. Put it around a route or a
/// subtree, inside the [`SessionLayer`](tower_session_guard::SessionLayer). For a level, an age or a method of the proof put a
/// [`RequireAuthentication`](tower_session_guard::RequireAuthentication) around it.
///
/// | the request | is answered |
/// |---|---|
/// | has no user, for whatever reason | 401 with `WWW-Authenticate: Cookie` |
/// | has a user whom a rule refuses | 403 |
/// | has a user whom the application cannot load, or a rule that fails | 503; the log says why |
/// | is a CORS preflight | by the service within, as below |
///
/// [`on_refusal_with`](Self::on_refusal_with) answers otherwise: a [`LoginPage`](crate::LoginPage), say.
///
/// # CORS preflights
///
/// A browser sends a preflight without cookies, so it has no user. It passes, so that a CORS layer within can answer it. A handler for every
/// method may then run without a user. Of the answer only its status and the headers of a preflight's answer leave, without the body.
/// An `OPTIONS` request that carries a cookie is no preflight.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_session_guard::{KeyRing, SessionLayer};
/// use tower_session_guard_axum::{LoginPage, RequireUser};
/// # use std::convert::Infallible;
/// # use tower_session_guard::Subject;
/// # use tower_session_guard_axum::AppUser;
/// # #[derive(Clone)]
/// # struct Database;
/// # struct User { id: u64, is_editor: bool }
/// # impl AppUser for User {
/// #     type State = Database;
/// #     type Error = Infallible;
/// #     async fn load(_: &Subject, _: &Database) -> Result<Option<Self>, Infallible> { Ok(None) }
/// #     fn subject(&self) -> Subject { Subject::from(self.id) }
/// # }
///
/// let users = RequireUser::<User>::with_state(&Database).on_refusal_with(LoginPage::at("/login"));
/// let editors = users.clone().that(|user| user.is_editor);
/// let app: Router = Router::new()
///     .route("/articles", get(|| async { "edit" }).layer(editors))
///     .route("/account", get(|| async { "yours" }).layer(users))
///     .with_state(Database)
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[must_use = "a guard refuses nothing until it is a layer of a route"]
pub struct RequireUser<U, F = EmptyRefusal>
where
    U: AppUser,
{
    gate: Arc<Gate<U>>,
    refusal: F,
}

struct Gate<U>
where
    U: AppUser,
{
    state: Arc<U::State>,
    rules: Vec<Arc<dyn Rule<U>>>,
}

impl<U> RequireUser<U>
where
    U: AppUser,
{
    /// Requires that the user is there. The state is the router's, or the part of it that users are loaded from.
    pub fn with_state<S>(state: &S) -> Self
    where
        U::State: FromRef<S>,
    {
        Self {
            gate: Arc::new(Gate {
                state: Arc::new(U::State::from_ref(state)),
                rules: Vec::new(),
            }),
            refusal: EmptyRefusal,
        }
    }
}

impl<U, F> RequireUser<U, F>
where
    U: AppUser,
{
    /// Requires also what the closure says of the user. Rules are asked in their order, and the first that refuses decides.
    pub fn that<C>(self, rule: C) -> Self
    where
        C: Fn(&crate::CurrentUser<U>) -> bool + Send + Sync + 'static,
    {
        self.with(Arc::new(That(rule)))
    }

    /// The same with a future, for a rule that asks a database. The user and the state are the closure's own.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use tower_session_guard::Subject;
    /// # use tower_session_guard_axum::{AppUser, RequireUser};
    /// # #[derive(Clone)]
    /// # struct Database;
    /// # impl Database {
    /// #     async fn has_paid(&self, _: u64) -> Result<bool, Infallible> { Ok(true) }
    /// # }
    /// # struct User { id: u64 }
    /// # impl AppUser for User {
    /// #     type State = Database;
    /// #     type Error = Infallible;
    /// #     async fn load(_: &Subject, _: &Database) -> Result<Option<Self>, Infallible> { Ok(None) }
    /// #     fn subject(&self) -> Subject { Subject::from(self.id) }
    /// # }
    /// let customers = RequireUser::<User>::with_state(&Database)
    ///     .that_async(|user, database| async move { database.has_paid(user.id).await });
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(customers);
    /// ```
    pub fn that_async<C, R, E>(self, rule: C) -> Self
    where
        U::State: Clone,
        C: Fn(crate::CurrentUser<U>, U::State) -> R + Send + Sync + 'static,
        R: Future<Output = Result<bool, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.with(Arc::new(ThatAsync(rule)))
    }

    /// Requires also that the user [has](HasPermission) the permission.
    pub fn with_permission<P>(self, permission: P) -> Self
    where
        U: HasPermission<P>,
        P: Send + Sync + 'static,
    {
        self.with(Arc::new(Permitted::to(permission)))
    }

    /// Makes the response to what is refused: with a [`LoginPage`](crate::LoginPage), with a closure as for
    /// [`RequireAuthentication::on_refusal`](tower_session_guard::RequireAuthentication::on_refusal), or with a type of the application.
    pub fn on_refusal_with<G>(self, refusal: G) -> RequireUser<U, G> {
        RequireUser {
            gate: self.gate,
            refusal,
        }
    }

    fn with(self, rule: Arc<dyn Rule<U>>) -> Self {
        let mut rules = self.gate.rules.clone();
        rules.push(rule);
        let state = Arc::clone(&self.gate.state);
        Self {
            gate: Arc::new(Gate { state, rules }),
            ..self
        }
    }
}

impl<U> Gate<U>
where
    U: AppUser,
{
    async fn check(&self, request: &mut Parts) -> Result<(), Refusal> {
        let user = load::<U>(request, &self.state).await;
        let user = user.map_err(|rejection| rejection.refusal())?;
        for rule in &self.rules {
            match rule.allows(&user, &self.state).await {
                Ok(true) => {}
                Ok(false) => return Err(Refusal::NotPermitted),
                Err(error) => {
                    tell!(error, error = &*error, "a rule of a guard failed");
                    return Err(Refusal::Unavailable);
                }
            }
        }
        Ok(())
    }
}

impl<U, F> Clone for RequireUser<U, F>
where
    U: AppUser,
    F: Clone,
{
    fn clone(&self) -> Self {
        Self {
            gate: Arc::clone(&self.gate),
            refusal: self.refusal.clone(),
        }
    }
}

impl<U, F> fmt::Debug for RequireUser<U, F>
where
    U: AppUser,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireUser")
            .field("rules", &self.gate.rules.len())
            .finish_non_exhaustive()
    }
}

impl<U, F, S> Layer<S> for RequireUser<U, F>
where
    U: AppUser,
    F: Clone,
{
    type Service = RequireUserService<U, F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let guard = self.clone();
        RequireUserService { inner, guard }
    }
}

/// The service that a [`RequireUser`] makes of an inner one.
pub struct RequireUserService<U, F, S>
where
    U: AppUser,
{
    inner: S,
    guard: RequireUser<U, F>,
}

impl<U, F, S> Clone for RequireUserService<U, F, S>
where
    U: AppUser,
    F: Clone,
    S: Clone,
{
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            guard: self.guard.clone(),
        }
    }
}

impl<U, F, S> fmt::Debug for RequireUserService<U, F, S>
where
    U: AppUser,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireUserService")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

impl<U, F, S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireUserService<U, F, S>
where
    U: AppUser,
    F: RefusalResponse<ResBody> + Clone + Send + Sync + 'static,
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Default + Send + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let clone = self.inner.clone();
        // The instance that said it was ready.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            if is_preflight(&request) {
                return inner.call(request).await.map(only_its_own);
            }
            let (mut parts, body) = request.into_parts();
            match guard.gate.check(&mut parts).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(refusal) => Ok(guard.refusal.respond(&refusal, parts).response().await),
            }
        })
    }
}
