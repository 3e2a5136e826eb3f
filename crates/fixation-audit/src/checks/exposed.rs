//! Where the application writes the identifier to: addresses, links and pages, from which it gets out.

use super::super::AuditError;
use super::super::browser::Exchange;
use super::super::catalogue::Id;
use super::super::recorder::{Note, Recorder};
use super::super::scene::{Identifier, Scene, allowed};

pub(super) const FAMILY: &[Id] = &[Id::IdInUrl, Id::IdInBody];

/// Shorter values turn up in other texts by chance.
const SHORTEST: usize = 16;

pub(super) async fn run(scene: &Scene, recorder: &mut Recorder<'_>) -> Result<(), AuditError> {
    let browser = scene.visitor().await?;
    let guest = browser.snapshot();
    scene.must_login(&browser, 0).await?;
    let user = browser.snapshot();
    // Once more, as a user: what follows a login is where links with identifiers are.
    for step in scene.pages() {
        allowed(browser.send(&step).await)?;
    }
    let mut ids = scene.identifiers(&guest);
    ids.extend(scene.identifiers(&user));
    ids.retain(|id| id.value.len() >= SHORTEST);
    if ids.is_empty() {
        for id in FAMILY {
            recorder.not_judged(
                *id,
                "the identifier is too short to be told from other text",
            );
        }
        return Ok(());
    }
    if scene.cookies.is_empty() {
        recorder.not_judged(
            Id::IdInBody,
            "a bearer token is handed out in a body by design",
        );
    }
    for exchange in browser.drain_trail() {
        for id in &ids {
            if let Some(seen) = in_an_address(&exchange, &id.text()) {
                let seen = format!("{} {seen}", id.name);
                let note = Note::confirmed(seen).sent("visited, logged in and visited again");
                recorder.found(Id::IdInUrl, note);
            } else if is_cookie(scene, id) && holds(&exchange.answer.text(), &id.text()).is_some() {
                let seen = format!("{} is in the answer to {}", id.name, exchange.label);
                let note = Note::confirmed(seen).sent("visited, logged in and visited again");
                recorder.found(Id::IdInBody, note);
            }
        }
    }
    for id in FAMILY {
        recorder.passed(*id);
    }
    Ok(())
}

fn is_cookie(scene: &Scene, id: &Identifier) -> bool {
    scene.cookies.iter().any(|name| *name == id.name.as_bytes())
}

/// Where an address holds the value: the one that was called up, a redirect's, a link's or a form's.
fn in_an_address(exchange: &Exchange, value: &str) -> Option<String> {
    let label = &exchange.label;
    let headers = exchange.answer.headers();
    let location = headers.get("location").and_then(|to| to.to_str().ok());
    if location.is_some_and(|to| holds(to, value).is_some()) {
        return Some(format!("is in the Location of {label}"));
    }
    if holds(&exchange.place.to_string(), value).is_some() {
        let policy = headers.get("referrer-policy").map_or_else(
            || "there is no Referrer-Policy".to_owned(),
            |policy| {
                format!(
                    "Referrer-Policy is {}",
                    String::from_utf8_lossy(policy.as_bytes())
                )
            },
        );
        return Some(format!("is in the address of {label}; {policy}"));
    }
    let text = exchange.answer.text();
    let mut rest = &*text;
    while let Some(at) = holds(rest, value) {
        if let Some(attribute) = attribute_before(&rest[..at]) {
            return Some(format!(
                "is in the {attribute} of a link or form in {label}"
            ));
        }
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    None
}

/// Where the text holds the value, as it is or percent-encoded.
fn holds(text: &str, value: &str) -> Option<usize> {
    text.find(value).or_else(|| {
        let encoded = super::super::form::encoded(value);
        (encoded != value).then(|| text.find(&encoded))?
    })
}

/// The attribute for addresses that is open at the end of the text.
fn attribute_before(text: &str) -> Option<&'static str> {
    let tag = text.rfind('<')?;
    let inside = text.get(tag..)?.to_ascii_lowercase();
    if inside.contains('>') {
        return None;
    }
    let attributes = ["href", "action", "src"];
    let mut open = attributes.into_iter().filter_map(|name| {
        let at = inside.rfind(&format!("{name}="))?;
        let value = inside.get(at + name.len() + 1..)?;
        let closed = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.matches(quote).count() > 1,
            _ => value.contains(char::is_whitespace),
        };
        (!closed).then_some(name)
    });
    open.next()
}

#[cfg(test)]
mod tests {
    use super::attribute_before;

    #[test]
    fn values_in_addresses_are_told_from_other_text() {
        assert_eq!(
            attribute_before(r#"<a class="x" href="/a;sid="#),
            Some("href")
        );
        assert_eq!(attribute_before("<form action='/b?sid="), Some("action"));
        assert_eq!(attribute_before("<img src=/c?sid="), Some("src"));
        assert_eq!(attribute_before(r#"<a href="/a">"#), None);
        assert_eq!(attribute_before(r#"<a href="/a" title=""#), None);
        assert_eq!(attribute_before("é<p>id "), None);
    }
}
