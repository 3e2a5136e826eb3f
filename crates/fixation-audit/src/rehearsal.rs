//! One login, shown step by step: for whoever describes an application.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::Plan;
use super::scene::Scene;
use super::transport::Transport;
use super::{AuditError, Trace};

/// What one login, elevation and logout looked like, and where it stopped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rehearsal {
    /// The parts that were tried, in order: each with its requests.
    pub parts: Vec<(&'static str, Vec<Trace>)>,
    /// Names of the cookies and values that the session rides on.
    pub session: Vec<String>,
    /// Why it stopped, where it did not come to its end.
    pub stopped: Option<String>,
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, trail) in &self.parts {
            writeln!(f, "{part}")?;
            for trace in trail {
                writeln!(f, "  {trace}")?;
            }
        }
        if !self.session.is_empty() {
            writeln!(f, "the session rides on {}", self.session.join(", "))?;
        }
        match &self.stopped {
            Some(why) => writeln!(f, "stopped: {why}"),
            None => writeln!(f, "all of it worked"),
        }
    }
}

/// The requests of the part that is being tried.
type Trail = Arc<Mutex<Vec<Trace>>>;

pub(super) async fn run(
    transport: Arc<dyn Transport>,
    mut plan: Plan,
) -> Result<Rehearsal, AuditError> {
    let trail = Trail::default();
    let (heard, outer) = (Arc::clone(&trail), plan.observer.take());
    plan.observer = Some(Arc::new(move |trace: &Trace| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(trace.clone());
        if let Some(tell) = &outer {
            tell(trace);
        }
    }));
    let mut scene = Scene::prepare(transport, plan)?;
    let mut shown = Rehearsal {
        parts: Vec::new(),
        session: Vec::new(),
        stopped: None,
    };
    if let Err(error) = play(&mut scene, &mut shown, &trail).await {
        shown.stopped = Some(scene.world.secrets.scrub(&error.to_string()));
    }
    Ok(shown)
}

async fn play(scene: &mut Scene, shown: &mut Rehearsal, trail: &Trail) -> Result<(), AuditError> {
    let account = scene.plan.accounts[0].clone();
    let first = scene.first_login(&account).await;
    take(shown, trail, "log in");
    let (browser, mark) = first?;
    scene.marks.push(mark);
    scene.learn(&browser).await?;
    shown.session = scene.carriers();
    trail.lock().unwrap_or_else(PoisonError::into_inner).clear();
    if let Some(elevate) = scene.plan.elevate.clone() {
        let ran = elevate.run(&browser, &account).await;
        let who = match &scene.plan.elevated {
            Some(probe) if ran.is_ok() => browser.who(probe).await?.is_some(),
            _ => true,
        };
        take(shown, trail, "elevate");
        ran?;
        if !who {
            let what = "the probe for it does not show the elevation";
            return Err(AuditError::Step(what.to_owned()));
        }
    }
    if let Some(logout) = scene.plan.logout.clone() {
        let ran = logout.run(&browser, &account).await;
        let who = match &ran {
            Ok(()) => browser.who(&scene.probe).await?,
            Err(_) => None,
        };
        take(shown, trail, "log out");
        ran?;
        if scene.shows(who.as_deref(), 0) && !scene.cookies.is_empty() {
            let what = "the browser is still logged in after the logout";
            return Err(AuditError::Step(what.to_owned()));
        }
    }
    Ok(())
}

fn take(shown: &mut Rehearsal, trail: &Trail, part: &'static str) {
    let heard = std::mem::take(&mut *trail.lock().unwrap_or_else(PoisonError::into_inner));
    shown.parts.push((part, heard));
}
