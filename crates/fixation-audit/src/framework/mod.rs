//! The framework that the application is written with: how it is recognised, and what its settings are called.

mod clues;
mod repairs;

use std::fmt;

pub(super) use clues::Clues;

/// A web framework whose settings the repairs name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Framework {
    /// Django, with or without the REST framework.
    Django,
    /// Flask, with Flask-Session and Flask-Login where they are used.
    Flask,
    /// FastAPI and Starlette.
    Starlette,
    /// Express, with express-session.
    Express,
    /// Ruby on Rails.
    Rails,
    /// Spring Boot with Spring Security.
    Spring,
    /// ASP.NET Core.
    AspNet,
    /// Laravel.
    Laravel,
    /// axum, with tower-sessions.
    Axum,
}

impl Framework {
    /// Every framework that is known.
    pub const ALL: [Self; 9] = [
        Self::Django,
        Self::Flask,
        Self::Starlette,
        Self::Express,
        Self::Rails,
        Self::Spring,
        Self::AspNet,
        Self::Laravel,
        Self::Axum,
    ];

    /// The framework's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Django => "Django",
            Self::Flask => "Flask",
            Self::Starlette => "FastAPI/Starlette",
            Self::Express => "Express",
            Self::Rails => "Rails",
            Self::Spring => "Spring",
            Self::AspNet => "ASP.NET",
            Self::Laravel => "Laravel",
            Self::Axum => "axum",
        }
    }

    /// The framework with this name, in any case; `fastapi` and `starlette` are one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|framework| {
            let mut names = framework.name().split('/').chain([framework.name()]);
            names.any(|own| own.eq_ignore_ascii_case(name))
                || (*framework == Self::AspNet && name.eq_ignore_ascii_case("aspnet"))
        })
    }

    /// The names of all of them.
    #[must_use]
    pub fn names() -> [&'static str; 9] {
        Self::ALL.map(Self::name)
    }

    /// How a finding of the check with this id is repaired with the framework's own means, where that is known.
    #[must_use]
    pub fn repair(self, check: &str) -> Option<&'static str> {
        repairs::of(self, check)
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Framework;
    use crate::checks;

    #[test]
    fn names_are_read_back() {
        for framework in Framework::ALL {
            assert_eq!(Framework::parse(framework.name()), Some(framework));
        }
        assert_eq!(Framework::parse("fastapi"), Some(Framework::Starlette));
        assert_eq!(Framework::parse("aspnet"), Some(Framework::AspNet));
        assert_eq!(Framework::parse("cobol"), None);
    }

    #[test]
    fn each_framework_has_a_setting_for_what_they_all_let_configure() {
        for check in [
            "id-kept-at-login",
            "planted-cookie-authenticated",
            "id-kept-at-elevation",
            "old-id-alive-after-logout",
            "data-survives-login",
            "cookie-not-secure",
            "cookie-not-httponly",
            "cookie-no-samesite",
            "cookie-domain-scope",
            "cookie-no-host-prefix",
            "missing-no-store",
        ] {
            for framework in Framework::ALL {
                assert!(framework.repair(check).is_some(), "{framework}: {check}");
            }
        }
    }

    #[test]
    fn every_repair_is_for_a_check_that_there_is() {
        for id in super::repairs::ids() {
            assert!(checks().iter().any(|check| check.id == id), "{id}");
        }
    }
}
