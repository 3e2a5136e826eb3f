//! [`CookieScope`]: where a browser keeps a cookie of a name.

use super::{attributes::Attributes, name::CookieName};
use crate::error::ConfigError;

/// Where a browser keeps a cookie: its host or domain, its path and whether it is partitioned.
///
/// [`CookiePolicyBuilder::formerly`](crate::CookiePolicyBuilder::formerly) takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "hand it to CookiePolicyBuilder::formerly"]
pub struct CookieScope {
    domain: Option<String>,
    path: String,
    partitioned: bool,
}

impl CookieScope {
    /// The host that set the cookie alone, all paths, not partitioned: the default of a policy.
    pub fn host_only() -> Self {
        Self {
            domain: None,
            path: "/".to_owned(),
            partitioned: false,
        }
    }

    /// A domain and all hosts below it, as [`domain`](crate::CookiePolicyBuilder::domain) set it.
    pub fn of_domain(domain: impl Into<String>) -> Self {
        Self {
            domain: Some(domain.into()),
            ..Self::host_only()
        }
    }

    /// Below this path, as [`path`](crate::CookiePolicyBuilder::path) set it.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Partitioned, as [`partitioned`](crate::CookiePolicyBuilder::partitioned) set it.
    pub const fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// The attributes of a cookie of this name at this scope, before it had the present ones.
    pub(super) fn before(
        self,
        name: &CookieName,
        present: &Attributes,
    ) -> Result<Attributes, ConfigError> {
        let lower = |domain: &Option<String>| domain.as_deref().map(str::to_ascii_lowercase);
        let is_present = lower(&self.domain) == lower(&present.domain)
            && self.path == present.path
            && self.partitioned == present.partitioned;
        let former = Attributes {
            domain: self.domain,
            path: self.path,
            partitioned: self.partitioned,
            ..present.clone()
        };
        let present = is_present
            .then_some("the former scope is the present one, where the cookie would be removed at once: leave it out");
        match present.or_else(|| former.refusal(name)) {
            None => Ok(former),
            Some(reason) => Err(ConfigError::CookieAttributes {
                name: name.as_str().to_owned(),
                reason,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CookieScope;
    use crate::{ConfigError, CookiePolicy};

    #[track_caller]
    fn check(name: &str, scope: CookieScope, refusal: Option<&str>) {
        let policy = CookiePolicy::builder()
            .whole_name(name)
            .formerly(scope)
            .build();
        match (policy, refusal) {
            (Ok(_), None) => {}
            (Err(ConfigError::CookieAttributes { reason, .. }), Some(hint)) => {
                assert!(reason.contains(hint), "{reason}");
            }
            (built, _) => panic!("{built:?}"),
        }
    }

    #[test]
    fn a_former_scope_is_one_that_the_name_can_have_had() {
        let domain = CookieScope::of_domain;
        check("sid", domain("example.com"), None);
        check("sid", CookieScope::host_only().path("/app"), None);
        check("sid", CookieScope::host_only().partitioned(), None);
        check("__Http-sid", domain("example.com").path("/app"), None);
        check("__Host-sid", CookieScope::host_only().partitioned(), None);
        check("__Host-sid", domain("example.com"), Some("no Domain"));
        check(
            "__Host-sid",
            CookieScope::host_only().path("/a"),
            Some("no Path"),
        );
        check("sid", domain("com"), Some("host name"));
        check(
            "sid",
            CookieScope::host_only().path("app"),
            Some("begin with /"),
        );
        check("sid", CookieScope::host_only(), Some("present one"));
        let same = CookiePolicy::builder()
            .whole_name("sid")
            .domain("example.com")
            .formerly(domain("Example.COM"))
            .build();
        assert!(same.is_err());
    }
}
