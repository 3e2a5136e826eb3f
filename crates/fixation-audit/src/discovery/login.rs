//! The login form.

use super::super::browser::Exchange;
use super::super::script::{Control, Form, Step, forms, links};
use super::super::{AuditError, Place};
use super::{FoundStep, IN, Search, is_html, reference, speaks_of};

/// Where login pages are, in the frameworks that bring one.
const USUAL: &[&str] = &[
    "/login",
    "/accounts/login/",
    "/users/sign_in",
    "/signin",
    "/auth/login",
    "/admin/login/",
    "/Identity/Account/Login",
];

/// The longest value that counts as a constant: tokens are longer.
const CONSTANT: usize = 12;

impl Search {
    /// The steps of the login: its page, then its form; for a form that asks for the name first, two of each.
    pub(super) async fn find_login(&self, page: &Place) -> Result<Vec<FoundStep>, AuditError> {
        let browser = self.fresh();
        let start = reference(&self.world.base, page);
        browser.send(&Step::get(&start)).await?;
        let first = browser.drain_trail().pop();
        let first =
            first.ok_or_else(|| AuditError::LoginFailed(format!("no answer at {start}")))?;
        let mut pages = vec![first];
        for path in self.further(&pages[0]) {
            if pages.last().is_some_and(|page| login_form(page).is_some()) {
                break;
            }
            pages.extend(self.call_up(&browser, &path).await?);
        }
        let found = pages
            .iter()
            .find_map(|page| Some((page, login_form(page)?)));
        let Some((page, form)) = found else {
            let first = &pages[0];
            let what = format!(
                "GET {start} answered {} and has no form with a password field in its HTML{}",
                first.answer.status(),
                if is_html(&first.answer) {
                    "; where a script makes the form, describe the request that it sends with --login"
                } else {
                    ""
                }
            );
            return Err(AuditError::LoginFailed(what));
        };
        Ok(self.steps(page, &form))
    }

    /// What may be the login page where this one is not: links that say so, then the usual paths.
    fn further(&self, page: &Exchange) -> Vec<String> {
        let text = page.answer.text();
        let mut found: Vec<String> = links(&text)
            .iter()
            .filter(|link| speaks_of(&link.text, IN) || speaks_of(&link.href, IN))
            .filter_map(|link| page.place.join(&link.href))
            .filter(|place| self.world.allows(place))
            .map(|place| reference(&self.world.base, &place))
            .take(3)
            .collect();
        found.extend(USUAL.iter().map(|path| (*path).to_owned()));
        found
    }

    fn steps(&self, page: &Exchange, form: &Form) -> Vec<FoundStep> {
        let action = page.place.join(&form.action);
        let action = action
            .filter(|place| self.world.allows(place))
            .unwrap_or_else(|| page.place.clone());
        let name = user_field(form);
        let mut fields = Vec::new();
        let mut picks = Vec::new();
        let mut submitted = false;
        for control in &form.controls {
            let is_name = name == Some(control.name.as_str());
            let value = match control.kind.as_str() {
                "password" => "{password}".to_owned(),
                _ if is_name => "{username}".to_owned(),
                "hidden" if is_constant(control) => control.value.clone(),
                "hidden" => {
                    picks.push(control.name.clone());
                    format!("{{{}}}", control.name)
                }
                "submit" if !submitted => {
                    submitted = true;
                    control.value.clone()
                }
                "submit" | "button" | "image" | "reset" | "file" => continue,
                "checkbox" | "radio" if !control.checked => continue,
                "checkbox" | "radio" if control.value.is_empty() => "on".to_owned(),
                _ => control.value.clone(),
            };
            fields.push((control.name.clone(), value));
        }
        let several = forms(&page.answer.text()).len() > 1;
        let within = several
            .then(|| {
                form.action
                    .split(['?', '#'])
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .filter(|action| !action.is_empty());
        vec![
            FoundStep {
                fields: picks
                    .into_iter()
                    .map(|name| (name, within.clone()))
                    .collect(),
                ..FoundStep::get(reference(&self.world.base, &page.place))
            },
            FoundStep {
                method: method(form),
                path: reference(&self.world.base, &action),
                form: fields,
                multipart: form.enctype == "multipart/form-data",
                ..FoundStep::default()
            },
        ]
    }
}

/// `POST`, unless the form says `GET`; a form with a password that does is left as it is.
fn method(form: &Form) -> String {
    if form.method == "POST" { "POST" } else { "GET" }.to_owned()
}

/// The form with one password and a name to it; of several the one that speaks of logging in.
fn login_form(page: &Exchange) -> Option<Form> {
    if !is_html(&page.answer) {
        return None;
    }
    let mut found: Vec<_> = forms(&page.answer.text())
        .into_iter()
        .filter(|form| form.of_kind("password").count() == 1)
        .collect();
    found.sort_by_key(|form| {
        let says = speaks_of(&form.action, IN) || speaks_of(&form.text, IN);
        (!says, user_field(form).is_none())
    });
    found.into_iter().next()
}

/// The field for the user's name: what browsers would fill in, or what looks like it.
fn user_field(form: &Form) -> Option<&str> {
    let typed = |control: &&Control| matches!(&*control.kind, "text" | "email" | "tel");
    let typed: Vec<_> = form.controls.iter().filter(typed).collect();
    let names = [
        "user",
        "email",
        "login",
        "mail",
        "name",
        "account",
        "identifier",
    ];
    let by_browser = typed
        .iter()
        .find(|c| matches!(&*c.autocomplete, "username" | "email"));
    let by_name = typed.iter().find(|c| speaks_of(&c.name, &names));
    let found = by_browser.or(by_name).or(typed.first())?;
    Some(&found.name)
}

/// A hidden field that says the same at every visit, such as where to go next.
fn is_constant(control: &Control) -> bool {
    let is_token = speaks_of(
        &control.name,
        &["csrf", "xsrf", "token", "nonce", "ticket", "state"],
    );
    !is_token && (control.value.len() <= CONSTANT || control.value.starts_with('/'))
}
