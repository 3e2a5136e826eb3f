//! Why a login did not work, as far as answers tell: one sentence for each cause.

use super::browser::Exchange;
use super::journal::{excerpt, path};
use super::script::{Probe, forms};
use super::world::World;
use super::{Answer, Refusal};

/// The probe shows nobody after the login's steps ran.
pub(super) fn not_shown(
    world: &World,
    probe: &Probe,
    trail: &[Exchange],
    asked: Option<&Exchange>,
    refused: &[(String, Refusal)],
) -> String {
    let mut causes = vec!["the probe does not show a login after it".to_owned()];
    if let Some(last) = trail.last() {
        causes.push(format!("the login's last answer: {}", told(world, last)));
        causes.extend(last_step(world, &last.answer));
    }
    causes.extend(foreign(world, trail));
    if let Some(asked) = asked {
        causes.push(format!("the probe's answer: {}", told(world, asked)));
        causes.push(probe_says(probe, &asked.answer));
    }
    let stored = trail
        .iter()
        .any(|e| e.answer.set_cookies().next().is_some());
    for (name, refusal) in refused {
        causes.push(format!(
            "a browser refuses the cookie {name}: {}",
            refusal.reason()
        ));
    }
    if !stored && !probe.sends_variables() {
        causes.push(
            "no answer of the login sets a cookie; for a token in its body see --bearer".to_owned(),
        );
    }
    causes.join("; ")
}

/// A step's expectation was not met or a pick found nothing.
pub(super) fn step_failed(world: &World, what: &str, trail: &[Exchange]) -> String {
    let mut causes = vec![what.to_owned()];
    if let Some(last) = trail.last() {
        causes.push(format!("the last answer: {}", told(world, last)));
    }
    causes.extend(foreign(world, trail));
    causes.join("; ")
}

/// Method, path, status, where to, and the first words.
fn told(world: &World, exchange: &Exchange) -> String {
    let mut text = format!("{} → {}", exchange.label, exchange.answer.status());
    if let Some(to) = exchange.answer.location() {
        let to = to.split(['?', '#']).next().unwrap_or_default();
        text.push_str(&format!(" to {}", path(to)));
    }
    if let Some(words) = excerpt(&exchange.answer, &world.secrets) {
        text.push_str(&format!(" “{words}”"));
    }
    world.secrets.scrub(&text)
}

fn last_step(world: &World, answer: &Answer) -> Option<String> {
    let text = world.secrets.scrub_foreign(&answer.text()).to_lowercase();
    let page = answer.text();
    let asks_again = forms(&page)
        .iter()
        .any(|form| form.of_kind("password").next().is_some());
    let cause = match answer.status() {
        403 | 419 | 422 if text.contains("csrf") || text.contains("token") => {
            "it speaks of a CSRF token: see --csrf-field, --csrf-cookie and --csrf-header"
        }
        400 if text.contains("csrf") => {
            "it speaks of a CSRF token: see --csrf-field, --csrf-cookie and --csrf-header"
        }
        401 => "user name or password are refused",
        404 => "the application has no such page: is the path right?",
        405 => "the page does not take this method",
        415 => "the body is of the wrong kind: --form sends a form, --json sends JSON",
        400..500 => "the application refuses the request",
        500.. => "the application fails",
        200 if asks_again => {
            "it asks for the password again: is the password right, and is every field of the form there?"
        }
        _ => return None,
    };
    Some(cause.to_owned())
}

/// A redirect that was not followed.
fn foreign(world: &World, trail: &[Exchange]) -> Option<String> {
    let target = trail.iter().rev().find_map(|exchange| {
        let target = exchange.place.join(exchange.answer.location()?)?;
        (!world.allows(&target)).then_some(target)
    })?;
    Some(format!(
        "a redirect to {} was not followed, for this origin was not named: see --allow-origin",
        target.origin()
    ))
}

fn probe_says(probe: &Probe, answer: &Answer) -> String {
    if answer.location().is_some() {
        return "it redirects, as applications do where nobody is logged in".to_owned();
    }
    match answer.status() {
        404 => "there is no such page: is the probe's path right?".to_owned(),
        401 | 403 => "nobody is logged in there".to_owned(),
        _ => probe.mismatch(answer),
    }
}
