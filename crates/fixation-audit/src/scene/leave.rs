//! Logging out, and seeing that it happened.

use http::Method;
use serde_json::Value;

use super::super::browser::Exchange;
use super::super::script::Flow;
use super::super::{AuditError, Browser, jar};
use super::{Scene, allowed, last_word};

impl Scene {
    /// Logs out. Hands out what was exchanged, or why nothing can be said of sessions after this logout: a mistyped
    /// path, a page that asks again, and an error under status 200 leave the user logged in, and that is no fault of
    /// the session.
    pub(in super::super) async fn log_out(
        &self,
        flow: &Flow,
        browser: &Browser,
    ) -> Result<Result<Vec<Exchange>, String>, AuditError> {
        let trail = match self.perform(flow, browser).await? {
            Ok(trail) => trail,
            Err(reason) => return Ok(Err(format!("the logout failed: {reason}"))),
        };
        if let Some(error) = trail.last().and_then(|last| told_error(&last.answer)) {
            let last = last_word(&trail);
            return Ok(Err(format!("the logout failed: {last} with {error}")));
        }
        if !self.shows(browser.who(&self.probe).await?.as_deref(), 0)
            || self.removes_session(&trail)
        {
            return Ok(Ok(trail));
        }
        let last = last_word(&trail);
        if !self.cookies.is_empty() {
            return Ok(Err(format!(
                "the logout did nothing: {last} and the browser is still logged in"
            )));
        }
        // Nobody but the user throws a bearer token away. Whether the path exists can be told all the same.
        if self.answers_anything(flow, browser, &trail).await? {
            return Ok(Err(format!(
                "the logout did nothing: {last}, and so does a path that does not exist"
            )));
        }
        Ok(Ok(trail))
    }

    /// Why a step that was answered with success is not taken for done: an error in its JSON, or the same answer from a
    /// path that does not exist.
    pub(in super::super) async fn did_nothing(
        &self,
        flow: &Flow,
        browser: &Browser,
        trail: &[Exchange],
    ) -> Result<Option<String>, AuditError> {
        let last = last_word(trail);
        if let Some(error) = trail.last().and_then(|last| told_error(&last.answer)) {
            return Ok(Some(format!("it did nothing: {last} with {error}")));
        }
        let nothing = self.answers_anything(flow, browser, trail).await?;
        Ok(nothing
            .then(|| format!("it did nothing: {last}, and so does a path that does not exist")))
    }

    fn removes_session(&self, trail: &[Exchange]) -> bool {
        trail
            .iter()
            .flat_map(|exchange| exchange.answer.set_cookies())
            .filter_map(|field| jar::read(field).ok())
            .any(|cookie| cookie.is_removal && self.cookies.contains(&cookie.name))
    }

    /// Whether the same request to a made-up path gets the same answer.
    async fn answers_anything(
        &self,
        flow: &Flow,
        browser: &Browser,
        trail: &[Exchange],
    ) -> Result<bool, AuditError> {
        let (Some(step), Some(genuine)) = (flow.steps().last(), trail.last()) else {
            return Ok(false);
        };
        let mut made_up = step.clone();
        let path = step.target.split(['?', '#']).next().unwrap_or_default();
        made_up.target = format!("{}-fixation-audit-4711", path.trim_end_matches('/'));
        made_up.picks.clear();
        (made_up.status, made_up.text) = (None, None);
        if made_up.method == Method::OPTIONS {
            return Ok(false);
        }
        match browser.send(&made_up).await {
            Ok(answer) => Ok(answer.status() == genuine.answer.status()
                && answer.text() == genuine.answer.text()),
            Err(error) => allowed::<()>(Err(error)),
        }
    }
}

/// An error that a JSON API tells under a status of success.
fn told_error(answer: &super::super::Answer) -> Option<String> {
    let json = answer.json()?;
    let told = ["error", "errors"].into_iter().find(|key| {
        json.get(key).is_some_and(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        })
    });
    let denied = ["success", "ok"]
        .into_iter()
        .find(|key| json.get(key) == Some(&Value::Bool(false)));
    told.or(denied).map(|key| format!("\"{key}\" in its JSON"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;

    use super::super::super::Answer;
    use super::told_error;

    #[test]
    fn errors_under_status_200_are_seen() {
        let told = |body: &'static str| {
            told_error(&Answer::new(Response::new(Bytes::from_static(
                body.as_bytes(),
            ))))
        };
        for error in [
            r#"{"error": "no such route"}"#,
            r#"{"errors": [{}]}"#,
            r#"{"success": false}"#,
            r#"{"ok": false}"#,
        ] {
            assert!(told(error).is_some(), "{error}");
        }
        for fine in [
            "",
            "bye",
            "{}",
            r#"{"error": null}"#,
            r#"{"errors": []}"#,
            r#"{"success": true, "error": ""}"#,
        ] {
            assert_eq!(told(fine), None, "{fine}");
        }
    }
}
