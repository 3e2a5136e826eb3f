use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::Method;

use super::super::{AuditError, BoxFuture, Browser};
use super::{Account, Step};

type Closure = Arc<dyn Fn(Browser, Account) -> BoxFuture<Result<(), AuditError>> + Send + Sync>;

/// What a user does to log in, to elevate or to log out: a list of requests, or a closure.
#[derive(Clone)]
pub struct Flow(Kind);

#[derive(Clone)]
enum Kind {
    Steps(Vec<Step>),
    Closure(Closure),
}

impl Flow {
    /// A flow that a closure drives, for what a list of requests cannot say.
    ///
    /// The browser is a handle: clones of it are the same browser. The audit cannot look into a closure, so an
    /// identifier that a login form takes from a URL or a field is then looked for on the visited pages only.
    pub fn run_by<F, Fut>(drive: F) -> Self
    where
        F: Fn(Browser, Account) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), AuditError>> + Send + 'static,
    {
        Self(Kind::Closure(Arc::new(move |browser, account| {
            Box::pin(drive(browser, account))
        })))
    }

    pub(in super::super) async fn run(
        &self,
        browser: &Browser,
        account: &Account,
    ) -> Result<(), AuditError> {
        browser.act_as(account);
        match &self.0 {
            Kind::Steps(steps) => {
                for step in steps {
                    browser.send(step).await?;
                }
                Ok(())
            }
            Kind::Closure(drive) => drive(browser.clone(), account.clone()).await,
        }
    }

    /// The pages that a visitor calls up before anything is submitted.
    pub(in super::super) fn opening(&self) -> Vec<Step> {
        self.steps()
            .iter()
            .take_while(|step| step.method == Method::GET)
            .cloned()
            .collect()
    }

    pub(in super::super) fn steps(&self) -> &[Step] {
        match &self.0 {
            Kind::Steps(steps) => steps,
            Kind::Closure(_) => &[],
        }
    }

    /// The same flow with every step changed; a closure stays as it is.
    pub(in super::super) fn map(&self, change: impl Fn(Step) -> Step) -> Self {
        match &self.0 {
            Kind::Steps(steps) => Self(Kind::Steps(steps.iter().cloned().map(change).collect())),
            Kind::Closure(_) => self.clone(),
        }
    }
}

impl From<Step> for Flow {
    fn from(step: Step) -> Self {
        Self(Kind::Steps(vec![step]))
    }
}

impl From<Vec<Step>> for Flow {
    fn from(steps: Vec<Step>) -> Self {
        Self(Kind::Steps(steps))
    }
}

impl<const N: usize> From<[Step; N]> for Flow {
    fn from(steps: [Step; N]) -> Self {
        Self(Kind::Steps(steps.into()))
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Steps(steps) => f.debug_tuple("Flow").field(steps).finish(),
            Kind::Closure(_) => f.write_str("Flow(closure)"),
        }
    }
}
