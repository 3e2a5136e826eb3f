//! Cookie name prefixes, RFC 6265bis section 4.1.3 and the `__Http-` additions.

use super::{Refusal, SetCookie};

/// What a prefix demands.
#[derive(Clone, Copy)]
struct Demands {
    host_only: bool,
    http_only: bool,
}

/// Compared without case, as browsers do.
fn demands(name: &[u8]) -> Option<Demands> {
    let starts = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let (host_only, http_only) = if starts("__Host-Http-") {
        (true, true)
    } else if starts("__Host-") {
        (true, false)
    } else if starts("__Http-") {
        (false, true)
    } else if starts("__Secure-") {
        (false, false)
    } else {
        return None;
    };
    Some(Demands {
        host_only,
        http_only,
    })
}

pub(super) fn check(cookie: &SetCookie) -> Result<(), Refusal> {
    // A nameless cookie is sent as its value alone, so it may not look like a prefixed one.
    if cookie.name.is_empty() {
        return if demands(&cookie.value).is_some() {
            Err(Refusal::Prefix)
        } else {
            Ok(())
        };
    }
    let Some(demands) = demands(&cookie.name) else {
        return Ok(());
    };
    let host_only = cookie.domain.is_none() && cookie.path.as_deref() == Some(b"/");
    let kept = cookie.secure
        && (!demands.host_only || host_only)
        && (!demands.http_only || cookie.http_only);
    if kept { Ok(()) } else { Err(Refusal::Prefix) }
}

/// Whether the name keeps other hosts from planting a cookie of this name.
pub(super) fn is_host_bound(name: &[u8]) -> bool {
    demands(name).is_some_and(|demands| demands.host_only)
}
