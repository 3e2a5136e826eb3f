use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;

use super::jar::{self, CookieJar, Refusal};
use super::script::{Account, Body, Probe, Step, Variables, substitute};
use super::world::World;
use super::{Answer, AuditError, Place, form, journal, request};

/// Browsers give up after twenty; no login needs ten.
const MOST_REDIRECTS: usize = 10;

/// One user's browser: a cookie jar, and the values that steps picked.
///
/// A handle: clones are the same browser.
#[derive(Clone)]
pub struct Browser {
    world: Arc<World>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    kept: Snapshot,
    trail: Vec<Exchange>,
    refused: Vec<(String, Refusal)>,
    /// The page that the user sees: where the next request comes from.
    page: Option<Place>,
}

/// A browser that somebody used, without the world that it is part of.
pub(super) struct Used(Arc<Mutex<State>>);

/// What a browser holds at one moment: what an attacker has who planted it or copied it.
#[derive(Clone, Default)]
pub(super) struct Snapshot {
    pub(super) jar: CookieJar,
    pub(super) variables: Variables,
    pub(super) agent: Agent,
}

/// What a browser calls itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Agent {
    #[default]
    Usual,
    /// As different as an attacker's browser is from a victim's.
    Other,
}

/// Where the page comes from that makes a browser send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initiator {
    Application,
    /// A page of another site, with a form or a link.
    OtherSite,
}

/// One request and its answer.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) label: String,
    pub(super) method: Method,
    pub(super) place: Place,
    pub(super) answer: Answer,
}

impl Exchange {
    /// Whether a shared cache may keep the answer and hand it to others, RFC 9111.
    pub(super) fn may_be_stored(&self) -> bool {
        (self.method == Method::GET || self.method == Method::HEAD) && self.answer.may_be_stored()
    }
}

impl Browser {
    pub(super) fn new(world: Arc<World>, kept: Snapshot) -> Self {
        let state = State {
            kept,
            ..State::default()
        };
        Self {
            world,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The same browser again.
    pub(super) fn again(world: Arc<World>, used: Used) -> Self {
        Self {
            world,
            state: used.0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a step as a browser does: with its cookies, following redirects on the audited hosts.
    ///
    /// # Errors
    ///
    /// There was no answer, the step's expectation was not met, or a pick found nothing.
    pub async fn send(&self, step: &Step) -> Result<Answer, AuditError> {
        self.send_for(step).await?.pop().map_or_else(
            || {
                let label = step.label();
                Err(AuditError::Step(format!("{label} had no answer")))
            },
            |last| Ok(last.answer),
        )
    }

    /// Sends a step as [`Browser::send`] does, and hands out its answer and those of the redirects that followed.
    pub(super) async fn send_for(&self, step: &Step) -> Result<Vec<Exchange>, AuditError> {
        let exchanges = self.run(step, true).await?;
        let (Some(first), Some(last)) = (exchanges.first(), exchanges.last()) else {
            return Err(AuditError::Step(format!("{} had no answer", step.label())));
        };
        if let Some(status) = step.status
            && first.answer.status() != status
        {
            let got = first.answer.status();
            return Err(AuditError::Step(format!(
                "{} answered {got}, not {status}",
                step.label()
            )));
        }
        if let Some(text) = &step.text
            && !last.answer.text().contains(text.as_str())
        {
            let label = step.label();
            return Err(AuditError::Step(format!(
                "the answer to {label} lacks the expected text"
            )));
        }
        for pick in &step.picks {
            let found = pick.find(&exchanges, &self.state().kept.jar);
            let Some(value) = found else {
                // A login page that sends those who are logged in elsewhere: the form that they have open still works.
                if exchanges.len() > 1 && self.recall(&pick.name).is_some() {
                    continue;
                }
                let what = pick.describe();
                return Err(AuditError::Step(format!(
                    "{} did not contain {what}",
                    step.label()
                )));
            };
            self.remember(&pick.name, value);
        }
        Ok(exchanges)
    }

    /// Sends a step as a page of another site makes a browser do it, with the cookies that `SameSite` lets through.
    /// What a form cannot send, such as headers, is left out.
    pub(super) async fn send_from_other_site(&self, step: &Step) -> Result<Exchange, AuditError> {
        let mut step = step.clone();
        step.headers.clear();
        let exchange = self.once(&step, None, Initiator::OtherSite).await?;
        self.take(&exchange);
        Ok(exchange)
    }

    /// Keeps a value for later steps to use as `{name}`.
    pub fn remember(&self, name: &str, value: impl Into<String>) {
        let value = value.into();
        self.world.secrets.learn(value.as_bytes());
        self.state().kept.variables.insert(name.to_owned(), value);
    }

    /// A value that was kept.
    #[must_use]
    pub fn recall(&self, name: &str) -> Option<String> {
        self.state().kept.variables.get(name).cloned()
    }

    /// From now on steps in this browser are the account's.
    pub(super) fn act_as(&self, account: &Account) {
        for (name, value) in account.variables() {
            self.remember(&name, value);
        }
        self.world.note_user(Used(Arc::clone(&self.state)));
    }

    pub(super) async fn who(&self, probe: &Probe) -> Result<Option<String>, AuditError> {
        let exchange = self.once(&probe.step, None, Initiator::Application).await?;
        let read = probe.read(&exchange.answer);
        self.take(&exchange);
        Ok(read)
    }

    /// Asks the probe with these bytes as the `Cookie` field, whatever the jar holds.
    pub(super) async fn who_with(
        &self,
        probe: &Probe,
        cookie: &[u8],
    ) -> Result<Option<String>, AuditError> {
        let exchange = self
            .once(&probe.step, Some(cookie), Initiator::Application)
            .await?;
        Ok(probe.read(&exchange.answer))
    }

    /// Sends a step and holds the answers back: a network slow enough that they arrive later, with [`Browser::take`].
    pub(super) async fn hold(&self, step: &Step) -> Result<Vec<Exchange>, AuditError> {
        self.run(step, false).await
    }

    /// An answer arrives.
    pub(super) fn take(&self, exchange: &Exchange) {
        if exchange.answer.offers_device_binding() {
            self.world.note_device_binding();
        }
        let mut state = self.state();
        for field in exchange.answer.set_cookies() {
            let parsed = jar::read(field).ok();
            if let Some(cookie) = &parsed {
                self.world.secrets.learn(&cookie.value);
            }
            if let Err(refusal) = state.kept.jar.set(&exchange.place, field) {
                let name = parsed.map_or_else(Vec::new, |cookie| cookie.name);
                state
                    .refused
                    .push((String::from_utf8_lossy(&name).into_owned(), refusal));
            }
        }
        state.trail.push(exchange.clone());
    }

    async fn run(&self, step: &Step, taking: bool) -> Result<Vec<Exchange>, AuditError> {
        let mut exchanges = Vec::new();
        let mut next = Some(step.clone());
        while let Some(step) = next.take() {
            let exchange = self.once(&step, None, Initiator::Application).await?;
            if taking {
                self.take(&exchange);
            }
            let target = exchange
                .answer
                .location()
                .and_then(|to| exchange.place.join(to));
            if let Some(target) = target.filter(|target| self.world.allows(target))
                && exchanges.len() < MOST_REDIRECTS
            {
                next = Some(redirected(&step, exchange.answer.status(), &target));
            }
            if exchange.answer.is_page() && taking {
                self.state().page = Some(exchange.place.clone());
            }
            exchanges.push(exchange);
        }
        Ok(exchanges)
    }

    async fn once(
        &self,
        step: &Step,
        cookie: Option<&[u8]>,
        initiator: Initiator,
    ) -> Result<Exchange, AuditError> {
        let kept = self.snapshot();
        let page = self.state().page.clone();
        let target = substitute(&step.target, &kept.variables);
        let place = self
            .world
            .resolve(&form::with_query(&target, &step.query, &kept.variables));
        let place = place
            .filter(|place| self.world.allows(place))
            .ok_or_else(|| {
                AuditError::Config(format!(
                    "{} does not lead to a host that was named",
                    step.label()
                ))
            })?;
        let cookie = match (cookie, initiator) {
            (Some(cookie), _) => cookie.to_owned(),
            (None, Initiator::Application) => kept.jar.header(&place),
            (None, Initiator::OtherSite) => kept.jar.header_from_other_site(&place, &step.method),
        };
        let sender = request::Sender {
            cookie: &cookie,
            variables: &kept.variables,
            page: page.as_ref(),
            agent: kept.agent,
            initiator,
        };
        let make = || {
            let mut request = request::of(step, &place, &sender)?;
            self.world.add_headers(&mut request);
            Ok(request)
        };
        let answer = Answer::new(self.world.exchange(make).await?);
        let exchange = Exchange {
            label: if step.target.contains("://") {
                format!("{} {}", step.method, place.path())
            } else {
                step.label()
            },
            method: step.method.clone(),
            place,
            answer,
        };
        self.world.clues.read(&exchange.answer);
        let trace = journal::trace(step, &cookie, &exchange, &self.world.secrets);
        self.world.journal.write(trace);
        Ok(exchange)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.state().kept.clone()
    }

    /// What happened since the last call.
    pub(super) fn drain_trail(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.state().trail)
    }

    pub(super) fn refused(&self) -> Vec<(String, Refusal)> {
        self.state().refused.clone()
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser")
            .field("jar", &self.state().kept.jar)
            .finish_non_exhaustive()
    }
}

fn redirected(step: &Step, status: u16, target: &Place) -> Step {
    let becomes_get = status == 303 || (status < 303 && step.method == Method::POST);
    let mut next = step.clone();
    next.target = target.to_string();
    next.query.clear();
    if becomes_get {
        next.method = Method::GET;
        next.body = Body::Empty;
    }
    next
}
