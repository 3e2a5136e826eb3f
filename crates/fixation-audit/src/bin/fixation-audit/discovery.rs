//! Fills in a description from the login page alone.

use std::sync::Arc;

use fixation_audit::{Discovery, FoundRule, FoundStep, HttpTransport, Place};

use crate::description::{Description, PartText, PickText, ProbeText, StepText};
use crate::output;

/// What the description lacks is found out: the login always, probe and logout where they are not described.
pub(crate) async fn fill(
    description: &mut Description,
    transport: &HttpTransport,
    base: &Place,
    page: &Place,
    origins: &[Place],
    quiet: bool,
) -> Result<(), String> {
    let account = description
        .accounts
        .first()
        .cloned()
        .ok_or("how to log in is missing: give --login, or --user with a password to find it out from the login page")?
        .account()?;
    if !quiet {
        output::progress("to find out how to log in");
    }
    let headers: Vec<_> = description.headers.clone().into_iter().collect();
    let transport = Arc::new(transport.clone());
    let found = Discovery::of(transport, base, origins, page, &account, &headers).await;
    output::clear_progress();
    let found = found.map_err(|error| error.to_string())?;
    description.url = Some(base.origin());
    description.login = found.login.into_iter().map(text).collect();
    if description
        .logged_in
        .as_ref()
        .is_none_or(|probe| probe.path.is_none())
    {
        let mut probe = ProbeText {
            path: Some(found.probe),
            ..ProbeText::default()
        };
        match found.rule {
            FoundRule::Status(status) => probe.status = Some(status),
            FoundRule::Text(text) => probe.text = Some(text),
            FoundRule::Json(pointer) => probe.pointer = Some(pointer),
            _ => return Err("the way to see who is logged in cannot be described".to_owned()),
        }
        description.logged_in = Some(probe);
    }
    if description.logout.is_empty() {
        description.logout = found.logout.into_iter().map(text).collect();
    }
    Ok(())
}

fn text(found: FoundStep) -> StepText {
    let mut step = StepText {
        method: Some(found.method.clone()),
        path: Some(found.path),
        headers: found.headers.into_iter().collect(),
        ..StepText::default()
    };
    for (name, value) in found.form {
        if found.multipart {
            step.multipart.insert(name, PartText::Field(value));
            continue;
        }
        let fields = if found.method == "GET" {
            &mut step.query
        } else {
            &mut step.form
        };
        match fields.get_mut(&name) {
            Some(values) => values.push(value),
            None => _ = fields.insert(name, value.into()),
        }
    }
    let picks = found.fields.into_iter();
    step.pick = picks
        .map(|(name, form)| PickText::field(&name).within(form))
        .collect();
    step
}
