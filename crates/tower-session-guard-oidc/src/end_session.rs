//! [`EndSessionUrl`]: where a browser is sent so that its user is logged out at the provider too.

use std::fmt;

use form_urlencoded::Serializer;
use http::Uri;

use crate::config_error::ConfigError;

/// The URL to which a browser is sent to log out at the provider too: OpenID Connect RP-Initiated Logout 1.0, section 2.
///
/// End the application's own session in the same answer, with [`Session::logout`](tower_session_guard::Session::logout): the
/// provider may show a page first, and the user may close it.
///
/// The answer to the redirect carries the parameters in a URL, which logs and the browser's history keep. An ID token
/// as [hint](Self::id_token_hint) holds what it says of the user; with [`client_id`](Self::client_id) alone the provider asks the
/// user instead. The URL is text ([`Display`](fmt::Display)); `Debug` shows the endpoint only.
///
/// # Examples
///
/// ```
/// use tower_session_guard_oidc::EndSessionUrl;
///
/// let url = EndSessionUrl::new("https://idp.example/logout?realm=staff")?
///     .client_id("our-client-id")
///     .post_logout_redirect_uri("https://app.example/goodbye")
///     .state("af0ifjsldkj");
/// assert_eq!(
///     url.to_string(),
///     "https://idp.example/logout?realm=staff&client_id=our-client-id\
///      &post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fgoodbye&state=af0ifjsldkj"
/// );
/// # Ok::<(), tower_session_guard_oidc::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct EndSessionUrl {
    endpoint: String,
    parameters: Vec<(&'static str, String)>,
}

impl EndSessionUrl {
    /// The URL of the provider's `end_session_endpoint`, whose query is kept.
    ///
    /// # Errors
    ///
    /// If it is no absolute `http` or `https` URL, or has a fragment.
    pub fn new(endpoint: impl Into<String>) -> Result<Self, ConfigError> {
        let endpoint = endpoint.into();
        let uri = endpoint.parse::<Uri>();
        let is_web = uri.is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        if !is_web || endpoint.contains('#') {
            return Err(ConfigError::EndSessionEndpoint { given: endpoint });
        }
        Ok(Self {
            endpoint,
            parameters: Vec::new(),
        })
    }

    /// Hands the provider the ID token of the login, so that it knows whose session is to end and need not ask.
    pub fn id_token_hint(self, token: impl Into<String>) -> Self {
        self.with("id_token_hint", token.into())
    }

    /// Says whom the provider should log out, in the provider's own words, such as the `sid` of the login.
    pub fn logout_hint(self, hint: impl Into<String>) -> Self {
        self.with("logout_hint", hint.into())
    }

    /// Says which client asks, where no ID token does.
    pub fn client_id(self, client_id: impl Into<String>) -> Self {
        self.with("client_id", client_id.into())
    }

    /// Asks the provider to send the browser to `uri` afterwards; it has to be registered there.
    pub fn post_logout_redirect_uri(self, uri: impl Into<String>) -> Self {
        self.with("post_logout_redirect_uri", uri.into())
    }

    /// Asks the provider to hand `state` back with that redirect.
    pub fn state(self, state: impl Into<String>) -> Self {
        self.with("state", state.into())
    }

    /// Adds a parameter, or replaces the one that is there.
    fn with(mut self, name: &'static str, value: String) -> Self {
        self.parameters.retain(|(other, _)| *other != name);
        self.parameters.push((name, value));
        self
    }
}

impl fmt::Display for EndSessionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)?;
        if self.parameters.is_empty() {
            return Ok(());
        }
        f.write_str(match self.endpoint.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        })?;
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.parameters);
        f.write_str(&query.finish())
    }
}

/// Shows the endpoint only: an ID token is personal.
impl fmt::Debug for EndSessionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EndSessionUrl");
        shown
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::EndSessionUrl;

    #[test]
    fn the_query_of_the_endpoint_is_kept_and_every_value_is_one_value() {
        for (endpoint, expected) in [
            (
                "https://idp.example/logout",
                "https://idp.example/logout?state=",
            ),
            ("https://idp.example", "https://idp.example?state="),
            ("https://idp.example/o?", "https://idp.example/o?state="),
            (
                "https://idp.example/o?a=1",
                "https://idp.example/o?a=1&state=",
            ),
            (
                "https://idp.example/o?a=1&",
                "https://idp.example/o?a=1&state=",
            ),
        ] {
            let url = EndSessionUrl::new(endpoint).unwrap();
            assert_eq!(url.to_string(), endpoint);
            let url = url.state("&state=x#y z\r\nSet-Cookie: ü+%");
            let state = "%26state%3Dx%23y+z%0D%0ASet-Cookie%3A+%C3%BC%2B%25";
            assert_eq!(url.to_string(), format!("{expected}{state}"));
            assert_eq!(url.state("b").to_string(), format!("{expected}b"));
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_what_to_write() {
        for given in [
            "",
            "/logout",
            "idp.example/logout",
            "javascript:alert(1)",
            "ftp://idp.example/logout",
            "https://idp.example/logout#top",
            "https://idp.example/log out",
            "https://idp.example/\r\nSet-Cookie: a=b",
        ] {
            let refused = EndSessionUrl::new(given).unwrap_err().to_string();
            assert!(refused.contains("write an absolute https URL"), "{given}");
        }
    }

    #[test]
    fn an_id_token_does_not_print() {
        let url = EndSessionUrl::new("https://idp.example/o").unwrap();
        let printed = format!("{:?}", url.id_token_hint("eyJhbGciOi"));
        assert!(!printed.contains("eyJhbGciOi"), "{printed}");
    }
}
