//! The way out, tried before it is believed.

use super::super::browser::Exchange;
use super::super::script::{Flow, Form, Probe, Step, forms, links};
use super::super::{AuditError, Browser};
use super::{FoundRule, FoundStep, OUT, Search, flow, is_html, reference, speaks_of};

impl Search {
    /// The steps after which the probe shows nobody any more; none where nothing does that.
    pub(super) async fn find_logout(
        &self,
        login: &Flow,
        probe: &str,
        rule: &FoundRule,
        landing: Option<&Exchange>,
    ) -> Result<Vec<FoundStep>, AuditError> {
        let probe_by = rule.probe(probe);
        let user = self.fresh();
        login.run(&user, &self.account).await?;
        let mut pages = vec![probe.to_owned()];
        pages.extend(landing.map(|page| reference(&self.world.base, &page.place)));
        pages.push("/".to_owned());
        pages.dedup();
        for path in pages {
            let Some(page) = self.call_up(&user, &path).await? else {
                continue;
            };
            for steps in self.ways_out(&page) {
                if self.works(&steps, &user, &probe_by).await? {
                    return Ok(steps);
                }
                // A page that asks again before it does anything.
                let asked = steps.last().filter(|step| step.method == "GET");
                let Some(asked) = asked else { continue };
                let Some(page) = self.call_up(&user, &asked.path).await? else {
                    continue;
                };
                let own = |form: &Form| {
                    form.method == "POST"
                        && (form.action.is_empty() || speaks_of(&form.action, OUT))
                };
                let form = forms(&page.answer.text()).into_iter().find(own);
                if let Some(form) = form {
                    let steps = self.by_form(&page, &form);
                    if self.works(&steps, &user, &probe_by).await? {
                        return Ok(steps);
                    }
                }
            }
        }
        Ok(Vec::new())
    }

    async fn works(
        &self,
        steps: &[FoundStep],
        user: &Browser,
        probe: &Probe,
    ) -> Result<bool, AuditError> {
        match flow(steps).run(user, &self.account).await {
            Err(error) if error.is_final() => return Err(error),
            Err(_) => return Ok(false),
            Ok(()) => {}
        }
        Ok(user.who(probe).await?.is_none())
    }

    fn ways_out(&self, page: &Exchange) -> Vec<Vec<FoundStep>> {
        if !is_html(&page.answer) {
            return Vec::new();
        }
        let text = page.answer.text();
        let mut found = Vec::new();
        for form in forms(&text) {
            if speaks_of(&form.action, OUT)
                || (speaks_of(&form.text, OUT) && form.controls.len() < 6)
            {
                found.push(self.by_form(page, &form));
            }
        }
        for link in links(&text) {
            if !speaks_of(&link.href, OUT) && !speaks_of(&link.text, OUT) {
                continue;
            }
            let target = page.place.join(&link.href);
            let Some(target) = target.filter(|place| self.world.allows(place)) else {
                continue;
            };
            let path = reference(&self.world.base, &target);
            match link.method {
                Some(method) => found.push(self.by_script(page, path, &method)),
                None => found.push(vec![FoundStep::get(path)]),
            }
        }
        found
    }

    fn by_form(&self, page: &Exchange, form: &Form) -> Vec<FoundStep> {
        let action = page.place.join(&form.action);
        let action = action
            .filter(|place| self.world.allows(place))
            .unwrap_or_else(|| page.place.clone());
        let mut send = FoundStep {
            method: if form.method == "POST" { "POST" } else { "GET" }.to_owned(),
            path: reference(&self.world.base, &action),
            ..FoundStep::default()
        };
        let within = form.action.split(['?', '#']).next().unwrap_or_default();
        let within = Some(within.to_owned()).filter(|action| !action.is_empty());
        let mut look = FoundStep::get(reference(&self.world.base, &page.place));
        for control in &form.controls {
            let value = match control.kind.as_str() {
                "hidden" if control.value.len() > 12 => {
                    look.fields.push((control.name.clone(), within.clone()));
                    format!("{{{}}}", control.name)
                }
                "hidden" | "submit" => control.value.clone(),
                _ => continue,
            };
            send.form.push((control.name.clone(), value));
        }
        if look.fields.is_empty() {
            return vec![send];
        }
        vec![look, send]
    }

    /// A link that a script of Rails turns into a form, with the token of the page's `<meta>`.
    fn by_script(&self, page: &Exchange, path: String, method: &str) -> Vec<FoundStep> {
        let token = "csrf-token";
        let mut look = FoundStep::get(reference(&self.world.base, &page.place));
        look.fields.push((token.to_owned(), None));
        let form = vec![
            ("_method".to_owned(), method.to_ascii_lowercase()),
            ("authenticity_token".to_owned(), format!("{{{token}}}")),
        ];
        let send = FoundStep {
            method: "POST".to_owned(),
            path,
            form,
            ..FoundStep::default()
        };
        vec![look, send]
    }
}

impl FoundRule {
    fn probe(&self, path: &str) -> Probe {
        let probe = Probe::new(Step::get(path));
        match self {
            Self::Status(status) => probe.status(*status),
            Self::Text(text) => probe.text(text),
            Self::Json(pointer) => probe.json(pointer),
        }
    }
}
