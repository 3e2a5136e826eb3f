//! [`Instructions`]: what a browser is told of a session that it has registered, as JSON (D07, D08).

use serde_json::json;

use crate::{cookie::device::DeviceCookie, error::ConfigError};

/// What a browser is told after a registration and after each refresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instructions<'a> {
    /// The same for the whole life of the session, or the browser ends it.
    pub(crate) identifier: &'a str,
    pub(crate) refresh_path: &'a str,
    pub(crate) cookie: &'a DeviceCookie,
    pub(crate) scope: &'a [ScopeRule],
    pub(crate) initiators: &'a [HostPattern],
}

impl Instructions<'_> {
    /// The JSON. It never ends a session (D10).
    pub(crate) fn to_json(self) -> Vec<u8> {
        let rules = self.scope.iter().map(|rule| {
            json!({
                "type": if rule.is_included { "include" } else { "exclude" },
                "domain": rule.host.0,
                "path": rule.path,
            })
        });
        let initiators = self.initiators.iter().map(|pattern| &*pattern.0);
        let json = json!({
            "session_identifier": self.identifier,
            "refresh_url": self.refresh_path,
            "scope": {
                "include_site": false,
                "scope_specification": rules.collect::<Vec<_>>(),
            },
            "credentials": [{
                "type": "cookie",
                "name": self.cookie.name().as_str(),
                "attributes": self.cookie.attributes(),
            }],
            "allowed_refresh_initiators": initiators.collect::<Vec<_>>(),
        });
        json.to_string().into_bytes()
    }
}

/// Which requests are held back for a refresh. The last rule that fits decides; where none does, they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScopeRule {
    is_included: bool,
    host: HostPattern,
    path: String,
}

impl ScopeRule {
    /// Holds back requests to this path and below it.
    ///
    /// # Errors
    ///
    /// If the path is none.
    pub(crate) fn include(host: HostPattern, path: &str) -> Result<Self, ConfigError> {
        Self::new(true, host, path)
    }

    /// Lets requests to this path and below it go out without a refresh.
    ///
    /// # Errors
    ///
    /// If the path is none.
    pub(crate) fn exclude(host: HostPattern, path: &str) -> Result<Self, ConfigError> {
        Self::new(false, host, path)
    }

    fn new(is_included: bool, host: HostPattern, path: &str) -> Result<Self, ConfigError> {
        let is_path = path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic())
            && !path.contains(['?', '#', '"', '\\']);
        if !is_path {
            return Err(ConfigError::Setting {
                name: "path of a scope rule",
                value: path.to_owned(),
                reason: "begin with / and write visible ASCII without ?, #, \" and \\",
            });
        }
        Ok(Self {
            is_included,
            host,
            path: path.to_owned(),
        })
    }
}

/// A host, `*` for every host, or `*.` and a domain for all hosts below it, itself left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern(String);

impl HostPattern {
    /// Every host.
    pub(crate) fn any() -> Self {
        Self("*".to_owned())
    }

    /// # Errors
    ///
    /// If it is neither.
    pub(crate) fn parse(pattern: &str) -> Result<Self, ConfigError> {
        let host = pattern.strip_prefix("*.").unwrap_or(pattern);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let is_host = host.len() <= 253 && host.split('.').all(is_label);
        if pattern != "*" && !is_host {
            return Err(ConfigError::Setting {
                name: "host pattern of device binding",
                value: pattern.to_owned(),
                reason: "write a host in lower case (internationalized names as xn--…), without scheme, port and path; *. before it for the hosts below it; or * for all",
            });
        }
        Ok(Self(pattern.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{HostPattern, Instructions, ScopeRule};
    use crate::cookie::{CookiePolicy, device::DeviceCookie};

    fn read(instructions: Instructions<'_>) -> Value {
        serde_json::from_slice(&instructions.to_json()).unwrap()
    }

    /// D07, D08, D10: member by member as section 8 of the draft has them, and nothing else.
    #[test]
    fn a_browser_is_told_what_it_takes() {
        let cookie = DeviceCookie::bound(&CookiePolicy::default()).unwrap();
        let instructions = Instructions {
            identifier: "id",
            refresh_path: "/dbsc/refresh",
            cookie: &cookie,
            scope: &[],
            initiators: &[],
        };
        let expected = json!({
            "session_identifier": "id",
            "refresh_url": "/dbsc/refresh",
            "scope": {"include_site": false, "scope_specification": []},
            "credentials": [{
                "type": "cookie",
                "name": "__Host-session-bound",
                "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax",
            }],
            "allowed_refresh_initiators": [],
        });
        assert_eq!(read(instructions), expected);

        let scope = [
            ScopeRule::exclude(HostPattern::any(), "/assets").unwrap(),
            ScopeRule::include(HostPattern::parse("app.example").unwrap(), "/assets/me").unwrap(),
        ];
        let rules = json!([
            {"type": "exclude", "domain": "*", "path": "/assets"},
            {"type": "include", "domain": "app.example", "path": "/assets/me"},
        ]);
        let initiators = ["*", "mail.example", "*.example.com"];
        let patterns = initiators.map(|pattern| HostPattern::parse(pattern).unwrap());
        let told = read(Instructions {
            scope: &scope,
            initiators: &patterns,
            ..instructions
        });
        assert_eq!(told["scope"]["scope_specification"], rules);
        assert_eq!(told["allowed_refresh_initiators"], json!(initiators));
    }

    /// D08: Chromium takes these attributes and no others.
    #[test]
    fn a_credential_names_no_attribute_that_chromium_refuses() {
        let policies = [
            CookiePolicy::builder(),
            CookiePolicy::builder()
                .whole_name("sid")
                .domain("example.com")
                .path("/app"),
        ];
        for policy in policies {
            let cookie = DeviceCookie::bound(&policy.build().unwrap()).unwrap();
            for attribute in cookie.attributes().split("; ") {
                let name = attribute.split('=').next().unwrap();
                let taken = ["Domain", "Path", "Secure", "HttpOnly", "SameSite"];
                assert!(taken.contains(&name), "{attribute}");
            }
        }
    }

    #[test]
    fn what_a_browser_does_not_take_is_refused_with_the_remedy() {
        for pattern in [
            "",
            "*.",
            "**",
            "a.*",
            "*a.example",
            "A.example",
            "https://a.example",
            "a.example:443",
            "a.example/",
            "a..example",
            ".example",
            "a.example.",
            "-a.example",
            "a b",
            "ä.example",
        ] {
            let told = HostPattern::parse(pattern).unwrap_err().to_string();
            assert!(told.contains("write a host"), "{pattern}: {told}");
        }
        for path in ["", "assets", "/a b", "/a?b", "/a#b", "/a\"b", "/a\nb", "/ä"] {
            for rule in [ScopeRule::include, ScopeRule::exclude] {
                let told = rule(HostPattern::any(), path).unwrap_err().to_string();
                assert!(told.contains("begin with /"), "{path}: {told}");
            }
        }
        assert!(HostPattern::parse("localhost").is_ok());
    }
}
