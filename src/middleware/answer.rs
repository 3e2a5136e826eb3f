//! What a handler's answer says besides what it is: whether the handler failed, and whether it may depend on the
//! session.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL};

use crate::{cookie::response::is_targeted_cache_control, session::settle::Upkeep};

/// In the head of a gRPC response that has no body; else it comes in the trailers, after the settlement.
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Which answers say that the handler failed.
#[derive(Clone, Default)]
pub(crate) struct FailureRule(Option<Arc<Rule>>);

type Rule = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

impl FailureRule {
    pub(super) fn new(
        rule: impl Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(rule)))
    }

    /// Whether an answer is a failure: by its status, its gRPC status, or the application's own rule.
    pub(super) fn matches(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let grpc_failed = || headers.get(GRPC_STATUS).is_some_and(|code| code != "0");
        status.is_server_error()
            // A time limit within the layer answers so: the handler was cut off.
            || status == StatusCode::REQUEST_TIMEOUT
            || grpc_failed()
            || self.0.as_ref().is_some_and(|rule| rule(status, headers))
    }
}

impl fmt::Debug for FailureRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_some() { "own" } else { "default" };
        write!(f, "FailureRule({kind})")
    }
}

/// How much may be written beside an answer of this status that nobody asked for.
pub(super) fn upkeep_of(status: StatusCode) -> Upkeep {
    match status {
        StatusCode::SWITCHING_PROTOCOLS => Upkeep::Nothing,
        StatusCode::NOT_MODIFIED => Upkeep::Silent,
        _ => Upkeep::Everything,
    }
}

/// Whether a handler says that its answer is the same for everybody.
pub(super) fn is_public(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(CACHE_CONTROL).iter();
    fields.any(|field| says(field, b"public"))
}

/// Whether a handler lets shared caches keep its answer: by `public`, `s-maxage`, or a field for one kind of cache,
/// unless it says `private` or `no-store` beside it.
// One look at each name: most answers have a few, and neither field.
pub(super) fn allows_shared_caches(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let is_for_all = name == CACHE_CONTROL;
        if !is_for_all && !is_targeted_cache_control(name) {
            return false;
        }
        headers.get_all(name).iter().any(|field| {
            let allows = !is_for_all || says(field, b"public") || says(field, b"s-maxage");
            allows && !says(field, b"private") && !says(field, b"no-store")
        })
    })
}

/// Whether a `Cache-Control` keeps an answer out of shared caches.
pub(super) fn is_for_one(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(CACHE_CONTROL).iter();
    fields.any(|field| says(field, b"private") || says(field, b"no-store"))
}

/// Whether a field has this directive, with or without an argument.
fn says(field: &HeaderValue, directive: &[u8]) -> bool {
    let mut directives = field.as_bytes().split(|byte| *byte == b',');
    directives.any(|one| {
        let name = one.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(directive)
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL};

    use super::{FailureRule, GRPC_STATUS, allows_shared_caches, is_public};

    /// S08.
    #[test]
    fn a_handler_fails_by_its_status_its_grpc_status_or_the_own_rule() {
        let grpc = |code: &'static str| {
            HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(code))])
        };
        let none = HeaderMap::new();
        let rule = FailureRule::default();
        for (status, headers, failed) in [
            (200, &none, false),
            (302, &none, false),
            (404, &none, false),
            (408, &none, true),
            (500, &none, true),
            (503, &none, true),
            (200, &grpc("0"), false),
            (200, &grpc("4"), true),
            (200, &grpc("16"), true),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                rule.matches(status, headers),
                failed,
                "{status} {headers:?}"
            );
        }
        let own = FailureRule::new(|status, headers| {
            status == 422 || headers.contains_key("x-rolled-back")
        });
        assert!(own.matches(StatusCode::UNPROCESSABLE_ENTITY, &none));
        assert!(
            own.matches(StatusCode::INTERNAL_SERVER_ERROR, &none),
            "it adds to the others"
        );
        assert!(!own.matches(StatusCode::OK, &none));
    }

    #[test]
    fn only_the_directive_makes_an_answer_public() {
        for (value, public) in [
            ("public", true),
            ("max-age=60, Public , immutable", true),
            ("private", false),
            ("publicity", false),
            ("max-age=60", false),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(value))]);
            assert_eq!(is_public(&headers), public, "{value}");
        }
        assert!(!is_public(&HeaderMap::new()));
    }

    /// R78.
    #[test]
    fn what_lets_a_shared_cache_keep_an_answer_is_found() {
        for (name, value, allows) in [
            ("cache-control", "public", true),
            ("cache-control", "max-age=60, S-MaxAge = 600", true),
            ("cache-control", "max-age=60", false),
            ("cache-control", "public, no-store", false),
            ("cache-control", "private, s-maxage=60", false),
            ("cdn-cache-control", "max-age=600", true),
            ("cdn-cache-control", "no-store", false),
            ("surrogate-control", "max-age=600", true),
            ("x-cache-status", "public", false),
        ] {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]);
            assert_eq!(allows_shared_caches(&headers), allows, "{name}: {value}");
        }
        assert!(!allows_shared_caches(&HeaderMap::new()));
    }
}
