//! The page that shows who is logged in.

use serde_json::Value;

use super::super::browser::Exchange;
use super::super::script::{Probe, Step, forms, links, visible_text};
use super::super::{Answer, AuditError, Browser};
use super::{FoundRule, OUT, Search, is_html, reference, speaks_of};

/// Where applications tell who is logged in.
const USUAL: &[&str] = &[
    "/",
    "/account",
    "/profile",
    "/me",
    "/whoami",
    "/api/me",
    "/dashboard",
    "/admin/",
];

/// Links that lead to a user's own pages.
const OWN: &[&str] = &[
    "account",
    "profile",
    "settings",
    "dashboard",
    "/me",
    "konto",
    "profil",
];

impl Search {
    /// A page that a user sees differently from a visitor, and by what.
    pub(super) async fn find_probe(
        &self,
        user: &Browser,
        landing: Option<&Exchange>,
    ) -> Result<Option<(String, FoundRule)>, AuditError> {
        let visitor = self.fresh();
        let mut best: Option<(u8, String, FoundRule)> = None;
        for path in self.candidates(landing) {
            let step = Step::get(&path);
            let Some(seen) = once(user, &step).await? else {
                continue;
            };
            let Some(unseen) = once(&visitor, &step).await? else {
                continue;
            };
            let Some((worth, rule)) = self.difference(&seen, &unseen) else {
                continue;
            };
            if best.as_ref().is_none_or(|(best, ..)| worth > *best) {
                best = Some((worth, path, rule));
            }
            if best
                .as_ref()
                .is_some_and(|(best, ..)| *best >= NAMES_THE_USER)
            {
                break;
            }
        }
        Ok(best.map(|(_, path, rule)| (path, rule)))
    }

    fn candidates(&self, landing: Option<&Exchange>) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(landing) = landing {
            found.push(reference(&self.world.base, &landing.place));
            let text = landing.answer.text();
            let own = links(&text)
                .into_iter()
                .filter(|link| speaks_of(&link.href, OWN) && !speaks_of(&link.href, OUT))
                .filter_map(|link| landing.place.join(&link.href))
                .filter(|place| self.world.allows(place))
                .map(|place| reference(&self.world.base, &place));
            found.extend(own.take(3));
        }
        found.extend(USUAL.iter().map(|path| (*path).to_owned()));
        let mut seen = Vec::new();
        found.retain(|path| {
            let is_new = !seen.contains(path);
            seen.push(path.clone());
            is_new
        });
        found
    }

    /// What is true for the user and not for the visitor, and how good it is to tell users by.
    fn difference(&self, user: &Answer, visitor: &Answer) -> Option<(u8, FoundRule)> {
        if !(200..300).contains(&user.status()) {
            return None;
        }
        let name = self.account.mark();
        let names = user.text().contains(name) && !visitor.text().contains(name);
        if let Some(pointer) = user.json().and_then(|json| pointer_to(&json, name)) {
            let known = visitor
                .json()
                .and_then(|json| json.pointer(&pointer).cloned());
            if known.is_none_or(|value| value.is_null()) {
                return Some((NAMES_THE_USER + 1, FoundRule::Json(pointer)));
            }
        }
        if visitor.status() != user.status() && user.status() == 200 {
            let worth = if names { NAMES_THE_USER } else { 1 };
            return Some((worth, FoundRule::Status(200)));
        }
        let text = ways_out(user)
            .into_iter()
            .find(|text| !visitor.text().contains(text.as_str()))?;
        Some((
            if names { NAMES_THE_USER } else { 2 },
            FoundRule::Text(text),
        ))
    }
}

/// From this worth on the probe tells one account from another.
const NAMES_THE_USER: u8 = 3;

/// Texts on a page that only those see who can log out.
fn ways_out(answer: &Answer) -> Vec<String> {
    if !is_html(answer) {
        return Vec::new();
    }
    let page = answer.text();
    let forms = forms(&page).into_iter().map(|form| form.action);
    let links = links(&page).into_iter();
    let mut found: Vec<String> = links
        .map(|link| link.href)
        .chain(forms)
        .filter(|address| speaks_of(address, OUT) && page.contains(address.as_str()))
        .map(|address| {
            address
                .split(['?', '#'])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    let words = [
        "Log out", "Logout", "Sign out", "Abmelden", "Log Out", "Sign Out",
    ];
    let shown = visible_text(&page);
    let said = words
        .iter()
        .filter(|word| shown.contains(**word) && page.contains(**word));
    found.extend(said.map(|word| (*word).to_owned()));
    found
}

fn pointer_to(json: &Value, name: &str) -> Option<String> {
    match json {
        Value::String(text) => (text == name).then(String::new),
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            let rest = pointer_to(value, name)?;
            let key = key.replace('~', "~0").replace('/', "~1");
            Some(format!("/{key}{rest}"))
        }),
        _ => None,
    }
}

/// One request, without following redirects, as a probe is sent.
async fn once(browser: &Browser, step: &Step) -> Result<Option<Answer>, AuditError> {
    browser.drain_trail();
    match browser.who(&Probe::new(step.clone())).await {
        Ok(_) => Ok(browser.drain_trail().pop().map(|exchange| exchange.answer)),
        Err(error) if error.is_final() => Err(error),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::pointer_to;

    #[test]
    fn the_name_is_found_in_json() {
        let json = json!({"a": [1], "data": {"us/er": {"n": "alice"}}});
        assert_eq!(
            pointer_to(&json, "alice").as_deref(),
            Some("/data/us~1er/n")
        );
        assert_eq!(pointer_to(&json, "bob"), None);
    }
}
