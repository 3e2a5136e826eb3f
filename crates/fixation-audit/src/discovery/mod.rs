//! A description from the login page alone: the form, its token, what shows a login, and the way out.

mod login;
mod logout;
mod probe;

use std::sync::Arc;

use super::plan::Plan;
use super::script::{Account, Flow, Step};
use super::transport::Transport;
use super::world::World;
use super::{Answer, AuditError, Browser, Place, diagnosis};

use super::browser::{Exchange, Snapshot};

/// A request of a description that was found out. `{name}` stands for what an earlier one picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundStep {
    /// The method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The form's fields, in its order.
    pub form: Vec<(String, String)>,
    /// The headers that it needs.
    pub headers: Vec<(String, String)>,
    /// Whether the form is sent as `multipart/form-data`.
    pub multipart: bool,
    /// The fields whose values are picked from the answer, each with the action of its form.
    pub fields: Vec<(String, Option<String>)>,
}

/// What shows that somebody is logged in, as it was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FoundRule {
    /// The answer has this status.
    Status(u16),
    /// The answer contains this text.
    Text(String),
    /// The JSON value at this pointer names the user.
    Json(String),
}

/// What was found out from the login page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Discovery {
    /// How to log in.
    pub login: Vec<FoundStep>,
    /// The page that shows who is logged in.
    pub probe: String,
    /// How it shows it.
    pub rule: FoundRule,
    /// How to log out, where a way was found that works.
    pub logout: Vec<FoundStep>,
}

impl Discovery {
    /// Finds out how to log in at `page`, a login page or one that links to it.
    ///
    /// Logs in twice and logs out once. Only `base`'s origin and those of `more` are called up.
    ///
    /// # Errors
    ///
    /// There is no login form in the page's HTML, the login does not work, or nothing shows it.
    pub async fn of(
        transport: Arc<dyn Transport>,
        base: &Place,
        more: &[Place],
        page: &Place,
        account: &Account,
        headers: &[(String, String)],
    ) -> Result<Self, AuditError> {
        let mut plan = Plan::new(base.clone());
        plan.more_origins = more.to_vec();
        plan.headers = headers.to_vec();
        plan.most_requests = MOST_REQUESTS;
        let search = Search {
            world: Arc::new(World::new(base.clone(), transport, &plan)?),
            account: account.clone(),
        };
        search.run(page).await
    }
}

/// What finding out may cost.
const MOST_REQUESTS: usize = 80;

struct Search {
    world: Arc<World>,
    account: Account,
}

impl Search {
    async fn run(&self, page: &Place) -> Result<Discovery, AuditError> {
        let login = self.find_login(page).await?;
        let flow = flow(&login);
        let user = self.fresh();
        flow.run(&user, &self.account).await?;
        let trail = user.drain_trail();
        let landing = trail.last().cloned();
        let probe = self.find_probe(&user, landing.as_ref()).await?;
        let Some((probe, rule)) = probe else {
            return Err(self.no_login(&trail, &login));
        };
        let logout = self
            .find_logout(&flow, &probe, &rule, landing.as_ref())
            .await?;
        Ok(Discovery {
            login,
            probe,
            rule,
            logout,
        })
    }

    fn fresh(&self) -> Browser {
        Browser::new(Arc::clone(&self.world), Snapshot::default())
    }

    /// Calls up a page as a user does. Pages that cannot be had are passed over.
    async fn call_up(&self, browser: &Browser, path: &str) -> Result<Option<Exchange>, AuditError> {
        browser.drain_trail();
        match browser.send(&Step::get(path)).await {
            Ok(_) => Ok(browser.drain_trail().pop()),
            Err(error) if error.is_final() => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn no_login(&self, trail: &[Exchange], login: &[FoundStep]) -> AuditError {
        let form = login.last().map_or_else(String::new, |step| {
            let names: Vec<_> = step.form.iter().map(|(name, _)| name.as_str()).collect();
            format!("; sent {} with {}", step.path, names.join(", "))
        });
        let what = "no page shows a login after the form was sent";
        let what = diagnosis::step_failed(&self.world, what, trail);
        AuditError::LoginFailed(format!("{what}{form}"))
    }
}

/// The path of a place on the base's origin, the whole address of another.
fn reference(base: &Place, place: &Place) -> String {
    let whole = place.to_string();
    match whole.strip_prefix(&base.origin()) {
        Some(path) if place.origin() == base.origin() => path.to_owned(),
        _ => whole,
    }
}

fn flow(steps: &[FoundStep]) -> Flow {
    steps.iter().map(FoundStep::step).collect::<Vec<_>>().into()
}

impl FoundStep {
    fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.into(),
            ..Self::default()
        }
    }

    /// The step that the library runs.
    #[must_use]
    pub fn step(&self) -> Step {
        use super::Pick;
        let method = self.method.parse().unwrap_or(http::Method::POST);
        let mut step = Step::new(method.clone(), &self.path);
        for (name, value) in &self.form {
            step = if method == http::Method::GET {
                step.query(name, value)
            } else if self.multipart {
                step.part(name, value)
            } else {
                step.field(name, value)
            };
        }
        for (name, value) in &self.headers {
            step = step.header(name, value);
        }
        for (name, form) in &self.fields {
            step = step.picking(match form {
                Some(action) => Pick::field_of(action, name),
                None => Pick::field(name),
            });
        }
        step
    }
}

/// Whether a text speaks of something, in the languages that login pages are most often in.
fn speaks_of(text: &str, words: &[&str]) -> bool {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | ' ' | '\n'))
        .collect();
    words.iter().any(|word| plain.contains(word))
}

const IN: &[&str] = &[
    "login",
    "signin",
    "logon",
    "anmelden",
    "einloggen",
    "connexion",
    "entrar",
    "accedi",
];
const OUT: &[&str] = &[
    "logout",
    "signout",
    "logoff",
    "abmelden",
    "ausloggen",
    "déconnexion",
    "deconnexion",
    "cerrarsesión",
    "terminarsessão",
    "esci",
    "sessions/destroy",
];

fn is_html(answer: &Answer) -> bool {
    answer.is_page() || answer.text().trim_start().starts_with('<')
}
