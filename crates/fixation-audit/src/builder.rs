use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::plan::Plan;
use super::recorder::Recorder;
use super::scene::Scene;
use super::script::{Account, Flow, Probe, Step};
use super::transport::{InProcess, RequestBody, Transport};
use super::{AuditError, Framework, Place, Rehearsal, Report, Severity, Trace, catalogue::checks};

/// Where an application in process is taken to be: HTTPS, on a host with siblings.
const IN_PROCESS: &str = "https://app.example.test/";

/// An audit of one application: how it is reached, how to log in, and how to see who is logged in.
///
/// Only an [`account`](Self::account), [`login`](Self::login) and [`logged_in`](Self::logged_in) are needed; each of the
/// others lets more be checked, and what could not be checked is said in the [`Report`].
#[must_use = "an audit does nothing until it is run"]
pub struct FixationAudit {
    transport: Arc<dyn Transport>,
    plan: Plan,
}

impl FixationAudit {
    /// Audits a tower service in process, such as an axum `Router`.
    ///
    /// Requests go to `https://app.example.test` unless [`at`](Self::at) says otherwise. The service takes
    /// [`RequestBody`]; for one that insists on a body of its own see [`with_body`](Self::with_body).
    pub fn of<S, ResBody>(service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: fmt::Display,
        ResBody: Body + Send + 'static,
        ResBody::Error: fmt::Display,
    {
        Self::with_body(service, RequestBody::from)
    }

    /// Audits a tower service whose request body is made from bytes by `make_body`.
    pub fn with_body<S, F, B, ResBody>(service: S, make_body: F) -> Self
    where
        S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: fmt::Display,
        F: Fn(Bytes) -> B + Send + Sync + 'static,
        B: Send + 'static,
        ResBody: Body + Send + 'static,
        ResBody::Error: fmt::Display,
    {
        let transport = InProcess::new(service, make_body);
        // The constant parses; should it ever not, loopback is as good a place.
        let base = Place::parse(IN_PROCESS).unwrap_or_else(Place::loopback);
        Self {
            transport: Arc::new(transport),
            plan: Plan::new(base),
        }
    }

    /// Audits what lies at `base`, reached by a transport of one's own.
    pub fn over(transport: impl Transport + 'static, base: Place) -> Self {
        Self {
            transport: Arc::new(transport),
            plan: Plan::new(base),
        }
    }

    /// Where the application is taken to be, as a browser would see it. On `http://localhost` and 127.0.0.1, cookies
    /// with `Secure` are kept and sent, as browsers do.
    pub fn at(mut self, base: Place) -> Self {
        self.plan.base = base;
        self
    }

    /// Lets redirects and steps lead to a further origin (scheme, host and port).
    pub fn allow_origin(mut self, place: Place) -> Self {
        self.plan.more_origins.push(place);
        self
    }

    /// An account to log in with. The first is the one attacked; a second one lets account switches be checked.
    pub fn account(mut self, account: Account) -> Self {
        self.plan.accounts.push(account);
        self
    }

    /// How to log in.
    pub fn login(mut self, login: impl Into<Flow>) -> Self {
        self.plan.login = Some(login.into());
        self
    }

    /// How to see who is logged in.
    pub fn logged_in(mut self, probe: Probe) -> Self {
        self.plan.logged_in = Some(probe);
        self
    }

    /// A page that a visitor calls up before the login, or a request that starts a guest's session.
    pub fn visit(mut self, step: Step) -> Self {
        self.plan.visit.push(step);
        self
    }

    /// How a logged-in user proves more: a second factor, a password asked for again.
    pub fn elevate(mut self, elevate: impl Into<Flow>) -> Self {
        self.plan.elevate = Some(elevate.into());
        self
    }

    /// How to see that the user has proved more.
    pub fn elevated(mut self, probe: Probe) -> Self {
        self.plan.elevated = Some(probe);
        self
    }

    /// How to log out.
    pub fn logout(mut self, logout: impl Into<Flow>) -> Self {
        self.plan.logout = Some(logout.into());
        self
    }

    /// A step that stores `{marker}` in the session, and one whose answer shows it again.
    pub fn data(mut self, put: Step, get: Step) -> Self {
        self.plan.data = Some((put, get));
        self
    }

    /// A page to pick a CSRF token from, and a request that sends the picked value and is refused without it.
    pub fn csrf(mut self, page: Step, guarded: Step) -> Self {
        self.plan.csrf = Some((page, guarded));
        self
    }

    /// A request that a logged-in user may have under way for a while, best one that writes to the session.
    pub fn slow(mut self, step: Step) -> Self {
        self.plan.slow = Some(step);
        self
    }

    /// How a user ends the account's other sessions, from one of them.
    pub fn end_others(mut self, flow: impl Into<Flow>) -> Self {
        self.plan.end_others = Some(flow.into());
        self
    }

    /// How a user changes the password from `{password}` to `{new_password}`.
    ///
    /// The audit changes the first account's password to a random one and back. Where the way back fails, the report
    /// says so and is not complete.
    pub fn change_password(mut self, flow: impl Into<Flow>) -> Self {
        self.plan.change_password = Some(flow.into());
        self
    }

    /// How many sessions of one account the application announces to allow at once, from 1 to 50.
    pub fn session_limit(mut self, limit: usize) -> Self {
        self.plan.session_limit = Some(limit.clamp(1, 50));
        self
    }

    /// After how long without a request the application announces to end a session. It is judged if
    /// [`wait`](Self::wait) allows for it.
    pub fn idle_limit(mut self, limit: Duration) -> Self {
        self.plan.idle_limit = Some(limit);
        self
    }

    /// The longest that the audit waits for a session or a token to expire; not at all by default. Waiting counts
    /// towards [`within`](Self::within).
    pub fn wait(mut self, longest: Duration) -> Self {
        self.plan.wait = longest;
        self
    }

    /// A header for every request, such as `X-Forwarded-Proto: https` for an application that stands behind a proxy.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.plan.headers.push((name.into(), value.into()));
        self
    }

    /// What the application is called in reports. By this name code-scanning services tell the findings of one
    /// application from those of another, and know them again; by default the host.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.plan.name = Some(name.into());
        self
    }

    /// The framework that the application is written with, so that repairs name its settings. By default it is
    /// recognised by what answers give away, where they do.
    pub fn framework(mut self, framework: Framework) -> Self {
        self.plan.framework = Some(framework);
        self
    }

    /// Takes note of a finding without failing for it. The reason stands in the report.
    pub fn accept(mut self, check: impl Into<String>, reason: impl Into<String>) -> Self {
        self.plan.accepted.insert(check.into(), reason.into());
        self
    }

    /// The least severity that fails; [`Severity::Low`] by default.
    pub fn fail_on(mut self, severity: Severity) -> Self {
        self.plan.fail_on = severity;
        self
    }

    /// How many logins are made to judge how identifiers are chosen; 12 by default, at least 4, at most 200.
    pub fn samples(mut self, samples: usize) -> Self {
        self.plan.samples = samples.clamp(4, 200);
        self
    }

    /// The most requests that the audit may send; 1,000 by default.
    pub fn most_requests(mut self, most: usize) -> Self {
        self.plan.most_requests = most;
        self
    }

    /// The longest that the audit may take; five minutes by default. Looked at before each request.
    pub fn within(mut self, limit: Duration) -> Self {
        self.plan.within = limit;
        self
    }

    /// The least time from one request to the next; none by default. Answers that ask for a pause (429, or 503 with
    /// `Retry-After`) get one in any case, as long as the time limit allows.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.plan.delay = delay;
        self
    }

    /// Is told of each request and its answer.
    pub fn on_exchange(mut self, tell: impl Fn(&Trace) + Send + Sync + 'static) -> Self {
        self.plan.observer = Some(Arc::new(tell));
        self
    }

    /// Is told what is being tried.
    pub fn on_progress(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.plan.progress = Some(Arc::new(tell));
        self
    }

    /// Logs in once, elevates and logs out where that is described, and shows each request: to find out whether the
    /// description is right.
    ///
    /// # Errors
    ///
    /// The description is incomplete. A login that fails is no error: the rehearsal says where it stopped, and why.
    pub async fn rehearse(self) -> Result<Rehearsal, AuditError> {
        super::rehearsal::run(self.transport, self.plan).await
    }

    /// Runs every check that the description allows.
    ///
    /// # Errors
    ///
    /// The description is incomplete, or a fresh browser cannot log in. What goes wrong later is in the report, which
    /// is then not [complete](Report::is_complete).
    pub async fn run(self) -> Result<Report, AuditError> {
        for id in self.plan.accepted.keys() {
            if !checks().iter().any(|check| check.id == id) {
                return Err(AuditError::Config(format!(
                    "there is no check {id} to accept"
                )));
            }
        }
        let scene = Scene::rehearse(self.transport, self.plan).await?;
        let mut recorder = Recorder::new(&scene);
        super::checks::run(&scene, &mut recorder).await;
        scene.leave().await;
        Ok(recorder.finish())
    }
}

impl fmt::Debug for FixationAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixationAudit")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
